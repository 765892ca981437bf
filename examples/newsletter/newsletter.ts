import { truncateBody, type Account } from 'sealcast';

/**
 * An announcement service: people subscribe by sending HELLO and leave by GOODBYE, what an admin writes goes out to all, and what
 * anybody else writes goes to the admins. Ends, with what is in hand, when the account's receiver is closed.
 */
export async function announce(
  { broadcaster, receiver }: Account,
  subscribers: Set<string>,
  admins: ReadonlySet<string>,
): Promise<void> {
  for await (const { sender, timestamp, content } of receiver) {
    const text = content.dataMessage?.body?.trim() ?? '';
    if (text === '') continue;
    // A message that was in hand when the process died is given out again: with the same id, the same broadcast goes on.
    // The id is a keyed hash: who wrote stays out of the store's keys.
    const id = broadcaster.publicId(`${sender}:${timestamp}`);
    const send = (body: string, recipients: Iterable<string>): Promise<unknown> =>
      broadcaster.broadcast({ body }, [...recipients], { id }).summary();

    if (text === 'HELLO') {
      subscribers.add(sender);
      await send('You are subscribed. Send GOODBYE to leave.', [sender]);
    } else if (text === 'GOODBYE') {
      subscribers.delete(sender);
      await send('You are no longer subscribed.', [sender]);
    } else if (admins.has(sender)) {
      await send(text, subscribers);
    } else {
      // What somebody sent may be as long as a text can be, without what goes before it.
      await send(truncateBody(`A subscriber writes: ${text}`), admins);
    }
  }
}
