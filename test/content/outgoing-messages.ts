// Random messages that broadcast() takes, and the same as Signal's own definitions read them.
import fc from 'fast-check';
import type {
  AttachmentPointer,
  BodyRange,
  LinkPreview,
  Mention,
  MessageReaction,
  OutgoingMessage,
  Poll,
  Quote,
} from 'sealcast';
import { TEXT_STYLES } from '#dist/src/content/text-ranges.js';

/** Without the properties that are undefined. */
const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
const record = <T extends object>(model: {
  [K in keyof T]-?: fc.Arbitrary<T[K]>;
}): fc.Arbitrary<T> => fc.record(model as never).map((value) => compact(value as T));
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const time = fc.integer({ min: 1, max: 8_640_000_000_000_000 });
const aci = fc.uuid();
const pixels = optional(fc.integer({ min: 0, max: 2 ** 31 - 1 }));

/** Letters of all kinds: combined ones, emoji that are joined, and those of right-to-left scripts. */
const GRAPHEMES = [
  'a',
  'é',
  'e\u0301',
  '汉',
  'ש',
  'سلام',
  '👩‍👩‍👧',
  '🏳️‍🌈',
  '🇪🇺',
  '\u200f',
  ' ',
  '\n',
  '\uFFFC',
];
export const text = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.constantFrom(...GRAPHEMES), fc.string({ unit: 'grapheme', maxLength: 3 })), {
      maxLength,
    })
    .map((parts) => parts.join('').replaceAll('\0', ''));
const someText = (maxLength: number): fc.Arbitrary<string> =>
  text(maxLength).map((value) => `x${value}`);

export const pointer = (contentType?: string): fc.Arbitrary<AttachmentPointer> =>
  fc
    .tuple(
      record<Omit<AttachmentPointer, 'cdnKey' | 'cdnId' | 'incrementalMac' | 'chunkSize'>>({
        cdnNumber: fc.constantFrom(0, 2, 3),
        key: bytes(64),
        digest: bytes(32),
        size: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        contentType:
          contentType === undefined
            ? fc.constantFrom('image/jpeg', 'audio/aac', 'video/mp4')
            : fc.constant(contentType),
        fileName: optional(text(4)),
        width: pixels,
        height: pixels,
        blurHash: optional(fc.constant('LEHV6nWB2yk8pyo0adR*.7kCMdnj')),
        flags: optional(fc.constantFrom(1, 2, 8)),
        uploadTimestampMs: optional(time),
        clientUuid: optional(bytes(16)),
      }),
      fc.oneof(
        fc.base64String({ minLength: 1, maxLength: 24 }).map((cdnKey) => ({ cdnKey })),
        fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map((cdnId) => ({ cdnId })),
      ),
      optional(record({ incrementalMac: bytes(40), chunkSize: fc.constantFrom(65_536, 390_625) })),
    )
    .map(([facts, place, mac]) => ({ ...facts, ...place, ...mac }));

const byStart = (a: { start: number; length: number }, b: { start: number; length: number }) =>
  a.start - b.start || b.length - a.length;

function bodyRanges(of: string): fc.Arbitrary<BodyRange[]> {
  if (of.length === 0) return fc.constant([]);
  return fc
    .array(
      fc
        .tuple(fc.nat(of.length - 1), fc.nat(of.length - 1), fc.constantFrom(...TEXT_STYLES))
        .map(([a, b, style]) => ({
          start: Math.min(a, b),
          length: Math.abs(a - b) + 1,
          style,
        })),
      { maxLength: 6 },
    )
    .map((ranges) => ranges.sort(byStart));
}

/** Mentions that do not overlap. */
function mentions(of: string): fc.Arbitrary<Mention[]> {
  return fc
    .tuple(
      fc.uniqueArray(fc.nat(Math.max(of.length, 1)), { maxLength: 6 }),
      fc.array(aci, { minLength: 3, maxLength: 3 }),
    )
    .map(([places, acis]) => {
      const sorted = places.filter((place) => place <= of.length).sort((a, b) => a - b);
      return acis.flatMap((each, i) => {
        const [start, end] = [sorted[2 * i], sorted[2 * i + 1]];
        return start === undefined || end === undefined
          ? []
          : [{ start, length: end - start, aci: each }];
      });
    });
}

interface StyledText {
  readonly text: string;
  readonly bodyRanges: BodyRange[];
  readonly mentions: Mention[];
}
const styled = (of: fc.Arbitrary<string>): fc.Arbitrary<StyledText> =>
  of.chain((value) =>
    fc.record({
      text: fc.constant(value),
      bodyRanges: bodyRanges(value),
      mentions: mentions(value),
    }),
  );
const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined =>
  list.length > 0 ? list : undefined;

const quote: fc.Arbitrary<Quote> = fc
  .record({
    author: aci,
    timestamp: time,
    styled: optional(styled(someText(8))),
    attachments: fc.array(
      record({
        contentType: optional(fc.constantFrom('image/png', 'video/mp4')),
        fileName: optional(text(3)),
        thumbnail: optional(pointer()),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ author, timestamp, styled: of, attachments }) =>
    compact({
      author,
      timestamp,
      text: of?.text,
      bodyRanges: of && unlessEmpty(of.bodyRanges),
      mentions: of && unlessEmpty(of.mentions),
      attachments: unlessEmpty(attachments),
    } as Quote),
  );

const preview = (url: string): fc.Arbitrary<LinkPreview> =>
  record<LinkPreview>({
    url: fc.constant(url),
    title: optional(text(5)),
    description: optional(text(5)),
    date: optional(time),
    image: optional(pointer('image/png')),
  });

const reaction: fc.Arbitrary<MessageReaction> = record<MessageReaction>({
  emoji: fc.constantFrom('👍', '❤️', '👩‍👩‍👧', '🇪🇺', '1️⃣', '🏳️‍🌈'),
  remove: optional(fc.constant(true)),
  author: aci,
  timestamp: time,
});

const pollText = text(8).map((value) => `?${value}`.slice(0, 100).toWellFormed());
const poll: fc.Arbitrary<Poll> = record<Poll>({
  question: pollText,
  options: fc.array(pollText, { minLength: 2, maxLength: 10 }),
  allowMultiple: optional(fc.constant(true)),
});
const expireTimer = optional(fc.integer({ min: 0, max: 2 ** 31 - 1 }));

const URL_IN_TEXT = 'https://example.org/a_b_c';
const textMessage: fc.Arbitrary<OutgoingMessage> = styled(
  someText(40).map((value) => `${value}${URL_IN_TEXT}`),
).chain((of) =>
  fc
    .tuple(
      optional(quote),
      expireTimer,
      fc.oneof(
        fc.constant({}),
        preview(URL_IN_TEXT).map((given) => ({ preview: given })),
        fc.array(pointer(), { minLength: 1, maxLength: 4 }).map((attachments) => ({ attachments })),
      ),
    )
    .map(([quoted, timer, rest]) =>
      compact({
        body: of.text,
        bodyRanges: unlessEmpty(of.bodyRanges),
        mentions: unlessEmpty(of.mentions),
        quote: quoted,
        expireTimer: timer,
        ...rest,
      } as OutgoingMessage),
    ),
);

/** Messages as `broadcast()` takes them, in the form in which they are received. */
export const outgoingMessage: fc.Arbitrary<OutgoingMessage> = fc.oneof(
  { arbitrary: textMessage, weight: 4 },
  { arbitrary: reaction.map((given) => ({ reaction: given })), weight: 1 },
  { arbitrary: record<OutgoingMessage>({ poll, expireTimer } as never), weight: 1 },
  {
    arbitrary: fc
      .tuple(pointer('video/mp4'), optional(quote))
      .map(([file, quoted]) =>
        compact({ attachments: [file], viewOnce: true, quote: quoted } as OutgoingMessage),
      ),
    weight: 1,
  },
);
