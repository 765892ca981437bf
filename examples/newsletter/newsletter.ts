import { MAX_BODY_BYTES, subscriptions, type Account, type SubscriberList } from 'sealcast';

/**
 * A newsletter: HELLO subscribes, STOP unsubscribes, and an editor's text goes to all subscribers.
 * Texts of others are dropped: a service that answers everything may talk to another one forever.
 *
 * Ends, with the message that it works on, when the receiver is closed. Throws when the service or
 * the store is lost: the message stays in the store, and the next start goes on with it.
 */
export async function serveNewsletter(
  { broadcaster, receiver }: Account,
  list: SubscriberList,
  editors: ReadonlySet<string>,
): Promise<void> {
  await broadcaster.resume();
  for await (const message of subscriptions({ list, receiver, broadcaster })) {
    const { sender, timestamp, content } = message;
    const { body = '', truncated = false, groupV2 } = content.dataMessage ?? {};
    // A sender may write what no message can be sent with: NUL, and halves of a surrogate pair.
    const text = body.replaceAll('\0', '').toWellFormed().trim();
    if (text === '' || groupV2 !== undefined || !editors.has(sender)) continue;

    // A crash may give a message out again: under the same id, the same broadcast goes on and sends
    // nothing twice. The text is in the id, as a sender may give two messages one timestamp. The id
    // is a keyed hash, so that the store's keys do not tell who wrote.
    const id = broadcaster.publicId(`${sender}:${timestamp}:${text}`);
    const isTooLong = truncated || Buffer.byteLength(text) > MAX_BODY_BYTES;
    const refusal = `Not sent: an issue has at most ${MAX_BODY_BYTES} bytes.`;
    const run = isTooLong
      ? broadcaster.broadcast({ body: refusal }, [sender], { id })
      : broadcaster.broadcast({ body: text }, list, { id });
    for await (const { status, error } of run)
      if (status === 'failed')
        console.warn(`send: a recipient failed with ${error?.code ?? 'no code'}`);
  }
}
