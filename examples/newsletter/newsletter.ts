import { MAX_BODY_BYTES, type Account } from 'sealcast';

/** The list of subscribers. A change is on the disk when it resolves. */
export interface SubscriberList extends Iterable<string> {
  add(serviceId: string): Promise<void>;
  delete(serviceId: string): Promise<void>;
}

/**
 * A newsletter: HELLO subscribes, STOP unsubscribes, and an editor's text goes to all subscribers.
 * Texts of others are dropped: a service that answers everything may talk to another one forever.
 *
 * Ends, with the message that it works on, when the receiver is closed. Throws when the service or
 * the store is lost: the message stays in the store, and the next start goes on with it.
 */
export async function serveNewsletter(
  { broadcaster, receiver }: Account,
  subscribers: SubscriberList,
  editors: ReadonlySet<string>,
): Promise<void> {
  await broadcaster.resume();
  for await (const { sender, timestamp, content } of receiver) {
    const { body = '', truncated = false, groupV2 } = content.dataMessage ?? {};
    // A sender may write what no message can be sent with: NUL, and halves of a surrogate pair.
    const text = body.replaceAll('\0', '').toWellFormed().trim();
    if (text === '' || groupV2 !== undefined) continue;

    // A crash may give a message out again: under the same id, the same broadcast goes on and sends
    // nothing twice. The text is in the id, as a sender may give two messages one timestamp. The id
    // is a keyed hash, so that the store's keys do not tell who wrote.
    const send = async (message: string, recipients: readonly string[]): Promise<void> => {
      const id = broadcaster.publicId(`${sender}:${timestamp}:${message}`);
      const run = broadcaster.broadcast({ body: message }, recipients, { id });
      for await (const { recipient, status, error } of run) {
        if (status === 'unregistered') await subscribers.delete(recipient);
        if (status === 'failed')
          console.warn(`send: a recipient failed with ${error?.code ?? 'no code'}`);
      }
    };

    if (text.toUpperCase() === 'HELLO') {
      await subscribers.add(sender);
      await send('You are subscribed. Send STOP to leave.', [sender]);
    } else if (text.toUpperCase() === 'STOP') {
      await subscribers.delete(sender);
      await send('You are no longer subscribed.', [sender]);
    } else if (editors.has(sender)) {
      const isTooLong = truncated || Buffer.byteLength(text) > MAX_BODY_BYTES;
      if (isTooLong)
        await send(`Not sent: an issue has at most ${MAX_BODY_BYTES} bytes.`, [sender]);
      else await send(text, [...subscribers]);
    }
  }
}
