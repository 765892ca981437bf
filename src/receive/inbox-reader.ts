import { decodeContent, sentTranscriptOf, type Content } from '../content/index.js';
import { TimeSlicer } from '../util/time-slicer.js';
import type { ReceiveContext } from './context.js';
import type { MessageStream } from './message-stream.js';
import type { RetrySender } from './retry/sender.js';
import { DecryptedMessage } from './received-message.js';
import { receiptName } from './types.js';

/**
 * Reads messages and retry requests that were not dealt with before the last close or crash.
 *
 * @returns the number of the next batch, higher than that of any row.
 */
export async function readInbox(
  { runtime, inbox, receipts, counters, downloads }: ReceiveContext,
  stream: Pick<MessageStream, 'push'>,
  retries: Pick<RetrySender, 'add'>,
): Promise<number> {
  let nextBatch = 1;
  const slicer = new TimeSlicer();
  for await (const { key, batch, row } of inbox.messages()) {
    if (slicer.isOver) await slicer.next();
    nextBatch = Math.max(nextBatch, batch + 1);
    if (row === undefined) continue;
    const { content, groupId, ...facts } = row;
    const contentBytes = Uint8Array.from(content);
    const decoded = facts.envelopeType === 'receipt' ? {} : contentOf(contentBytes);
    if (decoded === undefined) {
      inbox.noteDamaged(key);
      continue;
    }
    // Other accounts' sync messages are not in the inbox, but those that version 0.1 took.
    const isOwn = facts.sender === runtime.account.aci;
    const sentTranscript = isOwn ? sentTranscriptOf(decoded) : undefined;
    const message = new DecryptedMessage(
      {
        ...facts,
        content: decoded,
        contentBytes,
        ...(sentTranscript !== undefined && { sentTranscript }),
        ...(groupId !== undefined && { groupId: Uint8Array.from(groupId) }),
      },
      downloads,
    );
    stream.push([{ key, message }]);
    if (facts.envelopeType === 'receipt') receipts.add(receiptName(message));
    counters.count('messages');
  }
  for await (const { key, batch, row } of inbox.retries()) {
    nextBatch = Math.max(nextBatch, batch + 1);
    if (row !== undefined) retries.add(key, row);
  }
  return nextBatch;
}

/** Decodes a stored Content; undefined where it is damaged. */
function contentOf(bytes: Uint8Array<ArrayBuffer>): Content | undefined {
  try {
    return decodeContent(bytes);
  } catch {
    return undefined;
  }
}
