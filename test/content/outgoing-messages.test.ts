import fc from 'fast-check';
import type { AttachmentPointer, BodyRange, Mention, OutgoingMessage } from 'sealcast';
import { expect, test } from 'vitest';
import {
  checkMessage,
  encodeMessage,
  POINTER_RULES,
  readMessage,
  withRecipientParts,
} from '#dist/src/content/index.js';
import { TEXT_STYLES } from '#dist/src/content/text-ranges.js';
import { outgoingMessage } from './outgoing-messages.js';
import { profileKey, signal } from './signal-messages.js';

const TIMESTAMP = 1_795_000_000_000;
const encoded = (message: OutgoingMessage): Uint8Array<ArrayBuffer> =>
  encodeMessage(checkMessage(message, POINTER_RULES), TIMESTAMP);

type SignalPointer = ReturnType<typeof signal.AttachmentPointer.decode>;
type SignalRange = ReturnType<typeof signal.BodyRange.decode>;

const uuidOf = (bytes: Uint8Array | null | undefined): string =>
  Buffer.from(bytes ?? [])
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const withoutNull = (fields: Record<string, unknown>): object =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
const unlessEmpty = (list: readonly unknown[]): readonly unknown[] | undefined =>
  list.length === 0 ? undefined : list;

function pointerOf(read: SignalPointer): AttachmentPointer {
  const { attachmentIdentifier, uploadTimestamp, incrementalMac, chunkSize, clientUuid } = read;
  return withoutNull({
    cdnKey: attachmentIdentifier?.cdnKey,
    cdnId: attachmentIdentifier?.cdnId,
    cdnNumber: read.cdnNumber,
    key: read.key,
    digest: read.digest,
    size: read.size,
    contentType: read.contentType,
    fileName: read.fileName,
    width: read.width,
    height: read.height,
    blurHash: read.blurHash,
    flags: read.flags,
    uploadTimestampMs: uploadTimestamp === null ? undefined : Number(uploadTimestamp),
    incrementalMac,
    chunkSize,
    clientUuid,
  }) as unknown as AttachmentPointer;
}

function rangesOf(ranges: readonly SignalRange[]): {
  bodyRanges: BodyRange[];
  mentions: Mention[];
} {
  const bodyRanges: BodyRange[] = [];
  const mentions: Mention[] = [];
  for (const { start: from, length: units, associatedValue } of ranges) {
    const [start, length] = [from ?? 0, units ?? 0];
    const binary = associatedValue?.mentionAciBinary;
    if (binary !== undefined) mentions.push({ start, length, aci: uuidOf(binary) });
    const style = TEXT_STYLES[Number(associatedValue?.style ?? 0) - 1];
    if (style !== undefined) bodyRanges.push({ start, length, style });
  }
  return { bodyRanges, mentions };
}

const styles = (ranges: readonly SignalRange[]): Record<string, unknown> => {
  const { bodyRanges, mentions } = rangesOf(ranges);
  return { bodyRanges: unlessEmpty(bodyRanges), mentions: unlessEmpty(mentions) };
};

/** The message that Signal's own definitions read. */
function asSignalReads(content: Uint8Array<ArrayBuffer>): {
  message: object;
  requiredProtocolVersion: number | null;
} {
  const read = signal.Content.decode(content).content?.dataMessage;
  if (!read) throw new Error('no data message');
  const { quote, preview, reaction, pollCreate, requiredProtocolVersion } = read;
  expect(Number(read.timestamp)).toBe(TIMESTAMP);
  if (quote) {
    expect(quote.type ?? 0).toBe(signal.DataMessage.Quote.Type.NORMAL);
    expect(uuidOf(quote.authorAciBinary)).toBe(quote.authorAci);
  }
  if (reaction) expect(uuidOf(reaction.targetAuthorAciBinary)).toBe(reaction.targetAuthorAci);
  const message = withoutNull({
    body: read.body,
    ...styles(read.bodyRanges),
    attachments: unlessEmpty(read.attachments.map(pointerOf)),
    preview:
      preview[0] &&
      withoutNull({
        ...preview[0],
        $unknown: undefined,
        date: preview[0].date === null ? null : Number(preview[0].date),
        image: preview[0].image && pointerOf(preview[0].image),
      }),
    quote:
      quote &&
      withoutNull({
        author: quote.authorAci,
        timestamp: Number(quote.id),
        text: quote.text,
        ...styles(quote.bodyRanges),
        attachments: unlessEmpty(
          quote.attachments.map(({ contentType, fileName, thumbnail }) =>
            withoutNull({ contentType, fileName, thumbnail: thumbnail && pointerOf(thumbnail) }),
          ),
        ),
      }),
    reaction:
      reaction &&
      withoutNull({
        emoji: reaction.emoji,
        remove: reaction.remove === true ? true : undefined,
        author: reaction.targetAuthorAci,
        timestamp: Number(reaction.targetSentTimestamp),
      }),
    poll:
      pollCreate &&
      withoutNull({
        question: pollCreate.question,
        options: pollCreate.options,
        allowMultiple: pollCreate.allowMultiple === true ? true : undefined,
      }),
    viewOnce: read.isViewOnce,
    expireTimer: read.expireTimer,
  });
  return { message, requiredProtocolVersion };
}

/** Written out here once more, from the facts of Signal's clients. */
function versionOf(message: OutgoingMessage): number {
  const { attachments = [], mentions = [], quote, reaction, poll, viewOnce } = message;
  if (poll !== undefined) return 8;
  if (mentions.length > 0 || (quote?.mentions?.length ?? 0) > 0) return 6;
  if (attachments.some(({ cdnNumber }) => cdnNumber > 0)) return 5;
  if (reaction !== undefined) return 4;
  return viewOnce === true ? 3 : 0;
}

test('Signal’s own definitions read every message as it was given', () => {
  fc.assert(
    fc.property(outgoingMessage, (message) => {
      const { message: read, requiredProtocolVersion } = asSignalReads(encoded(message));
      expect(read).toEqual(message);
      expect(requiredProtocolVersion ?? 0).toBe(versionOf(message));
    }),
    { numRuns: 400 },
  );
});

test('the receiver reads every message as it was given', () => {
  fc.assert(
    fc.property(outgoingMessage, (message) => {
      const { attachments, ...rest } = readMessage(encoded(message)) ?? {};
      expect(rest).toEqual({ ...message, attachments: undefined });
      expect(attachments?.map(({ pointer }) => pointer)).toEqual(message.attachments);
      for (const { pointer, sizeBytes, voiceMessage, contentType } of attachments ?? []) {
        expect(sizeBytes).toBe(pointer?.size);
        expect(contentType).toBe(pointer?.contentType);
        expect(voiceMessage ?? false).toBe(((pointer?.flags ?? 0) & 1) === 1);
      }
    }),
    { numRuns: 400 },
  );
});

test('a recipient gets all of a message, and the parts of their own', () => {
  fc.assert(
    fc.property(outgoingMessage, fc.nat(1000), fc.nat(9), (message, timer, version) => {
      const parts = { profileKey, expireTimer: timer, expireTimerVersion: version };
      const content = withRecipientParts(encoded(message), parts);
      const read = signal.Content.decode(content).content?.dataMessage;
      const { message: all } = asSignalReads(content);
      const isOwn = message.expireTimer !== undefined && message.expireTimer !== timer;
      const expectedTimer =
        timer === 0 && version === 0 ? message.expireTimer : (message.expireTimer ?? timer);
      expect({ ...all, expireTimer: undefined }).toEqual({ ...message, expireTimer: undefined });
      expect(read?.expireTimer ?? undefined).toBe(expectedTimer);
      expect(read?.expireTimerVersion ?? 0).toBe(isOwn ? version + 1 : version);
      expect(read?.profileKey).toEqual(profileKey);
    }),
    { numRuns: 200 },
  );
});
