import type { AttachmentPointer } from './attachment-pointer.js';
import type { CheckedMessage } from './check-message.js';
import {
  bodyRangeMessage,
  contentMessage,
  pollCreateMessage,
  previewMessage,
  quoteMessage,
  serialize,
  toLong,
  withoutUndefined,
} from './messages.js';
import type { LinkPreview, MessageReaction, Poll, Quote } from './message-types.js';
import { bytesOfUuid } from './service-ids.js';
import { byStart, TEXT_STYLES, type TextRange } from './text-ranges.js';

/**
 * Versions of the protocol by what they brought. A client that knows a lower one than a message
 * requires shows that it has to be updated. (Signal: DataMessage.ProtocolVersion.)
 */
const PROTOCOL_VERSION = {
  viewOnceVideo: 3,
  reactions: 4,
  cdnSelectorAttachments: 5,
  mentions: 6,
  polls: 8,
} as const;

/**
 * The serialized Content of a message, without its `RecipientParts`.
 *
 * A message always has the same bytes: a broadcast that continues is recognized by them.
 */
export const encodeMessage = (
  message: CheckedMessage,
  timestamp: number,
): Uint8Array<ArrayBuffer> =>
  serialize(contentMessage, { dataMessage: dataMessageOf(message, timestamp) });

function dataMessageOf(message: CheckedMessage, timestamp: number): object {
  const { body, ranges, attachments, preview, quote, reaction, poll, viewOnce, expireTimer } =
    message;
  const version = protocolVersionOf(message);
  return withoutUndefined({
    body,
    attachments: attachments?.map(pointerToWire),
    expireTimer,
    timestamp: timeToWire(timestamp),
    quote: quote && serialize(quoteMessage, quoteToWire(quote)),
    preview: preview && [serialize(previewMessage, previewToWire(preview))],
    requiredProtocolVersion: version === 0 ? undefined : version,
    isViewOnce: viewOnce,
    reaction: reaction && reactionToWire(reaction),
    bodyRanges: ranges?.map(rangeToWire),
    pollCreate: poll && serialize(pollCreateMessage, pollToWire(poll)),
  });
}

/** As Signal-Android has it (SignalServiceMessageSender.createMessageContent, 2026-11). */
function protocolVersionOf(message: CheckedMessage): number {
  const { ranges = [], attachments = [], quote, reaction, poll, viewOnce } = message;
  const hasMentions = ranges.some((range) => 'aci' in range) || (quote?.mentions ?? []).length > 0;
  return Math.max(
    0,
    viewOnce === true ? PROTOCOL_VERSION.viewOnceVideo : 0,
    reaction !== undefined ? PROTOCOL_VERSION.reactions : 0,
    attachments.some(({ cdnNumber }) => cdnNumber !== 0)
      ? PROTOCOL_VERSION.cdnSelectorAttachments
      : 0,
    hasMentions ? PROTOCOL_VERSION.mentions : 0,
    poll !== undefined ? PROTOCOL_VERSION.polls : 0,
  );
}

const timeToWire = (ms: number): object => toLong(BigInt(ms));

function pointerToWire({ cdnId, uploadTimestampMs, ...pointer }: AttachmentPointer): object {
  return withoutUndefined({
    ...pointer,
    cdnId: cdnId === undefined ? undefined : toLong(cdnId),
    uploadTimestamp: uploadTimestampMs === undefined ? undefined : timeToWire(uploadTimestampMs),
  });
}

function rangeToWire(range: TextRange): Uint8Array {
  const { start, length } = range;
  // One of the two, by Signal's definition; clients read ACIs in both forms and write this one.
  const value =
    'aci' in range
      ? { mentionAciBinary: bytesOfUuid(range.aci) }
      : { style: TEXT_STYLES.indexOf(range.style) + 1 };
  return serialize(bodyRangeMessage, { start, length, ...value });
}

function quoteToWire(quote: Quote): object {
  const { author, timestamp, text, bodyRanges = [], mentions = [], attachments } = quote;
  const ranges = [...bodyRanges, ...mentions].sort(byStart);
  return withoutUndefined({
    id: timeToWire(timestamp),
    text,
    attachments: attachments?.map(({ thumbnail, ...facts }) =>
      withoutUndefined({ ...facts, thumbnail: thumbnail && pointerToWire(thumbnail) }),
    ),
    authorAci: author,
    bodyRanges: ranges.length === 0 ? undefined : ranges.map(rangeToWire),
    type: 0,
    authorAciBinary: bytesOfUuid(author),
  });
}

function previewToWire({ image, date, ...texts }: LinkPreview): object {
  return withoutUndefined({
    ...texts,
    image: image && pointerToWire(image),
    date: date === undefined ? undefined : timeToWire(date),
  });
}

function reactionToWire({ emoji, remove = false, author, timestamp }: MessageReaction): object {
  return {
    emoji,
    remove,
    targetAuthorAci: author,
    targetSentTimestamp: timeToWire(timestamp),
    targetAuthorAciBinary: bytesOfUuid(author),
  };
}

const pollToWire = ({ question, options, allowMultiple = false }: Poll): object => ({
  question,
  allowMultiple,
  options,
});
