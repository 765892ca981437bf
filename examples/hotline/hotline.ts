import { truncateBody, type Account, type DataMessage } from 'sealcast';

/** Numbers that stand for callers. A new number is on the disk when it resolves. */
export interface CaseList {
  numberOf(caller: string): Promise<number>;
  callerOf(caseNumber: number): string | undefined;
}

/**
 * A hotline: what a caller writes goes to all staff as "#7: ...", and "#7 ..." of any of the staff
 * goes to that caller. Callers and staff see the hotline's account and never each other's. Each of
 * the staff writes to the hotline once before: the right to send sealed to them comes with the
 * profile key in what they send.
 *
 * Ends, with the message that it works on, when the receiver is closed. Throws when the service or
 * the store is lost: the message stays in the store, and the next start goes on with it.
 */
export async function serveHotline(
  { broadcaster, receiver }: Account,
  cases: CaseList,
  staff: ReadonlySet<string>,
): Promise<void> {
  await broadcaster.resume();
  for await (const { sender, timestamp, content } of receiver) {
    const text = textOf(content.dataMessage);
    if (text === '') continue;

    // A crash may give a message out again: under the same id, the same broadcast goes on and sends
    // nothing twice. The text is in the id, as a sender may give two messages one timestamp. The id
    // is a keyed hash, so that the store's keys do not tell who wrote.
    const send = async (
      purpose: string,
      body: string,
      recipients: readonly string[],
    ): Promise<void> => {
      const passedOn = truncateBody(body);
      const id = broadcaster.publicId(`${sender}:${timestamp}:${purpose}:${passedOn}`);
      const { failed } = await broadcaster
        .broadcast({ body: passedOn }, recipients, { id })
        .summary();
      if (failed > 0)
        console.warn(`${purpose}: ${failed} of ${recipients.length} recipients failed`);
    };

    if (!staff.has(sender)) {
      await send('relay', `#${await cases.numberOf(sender)}: ${text}`, [...staff]);
      continue;
    }
    const [, digits = '', answer = ''] = /^#(\d{1,9})\s+(.+)$/s.exec(text) ?? [];
    const caller = cases.callerOf(Number(digits));
    if (caller === undefined) {
      await send('help', 'Begin an answer with the number of an open case: "#1 ...".', [sender]);
    } else {
      await send('answer', answer, [caller]);
      await send(
        'copy',
        `Answered #${digits}: ${answer}`,
        [...staff].filter((member) => member !== sender),
      );
    }
  }
}

/**
 * Returns the part of a message that is passed on: its text, and a note of attachments.
 *
 * Nothing of a message in a group is passed on.
 */
function textOf({ body = '', attachments = [], groupV2 }: DataMessage = {}): string {
  if (groupV2 !== undefined) return '';
  const note = attachments.length > 0 ? `[attachments, not passed on: ${attachments.length}] ` : '';
  // A sender may write what no message can be sent with: NUL, and halves of a surrogate pair.
  return `${note}${body.replaceAll('\0', '').toWellFormed()}`.trim();
}
