import fc from 'fast-check';
import { describe, expect, it, test, vi } from 'vitest';
import {
  contentMessage,
  serialize,
  serviceEnvelopeMessage,
  usmcMessage,
} from '#dist/src/content/messages.js';
import { decodeContent, decodeServiceEnvelope, decodeUsmc } from '#dist/src/content/index.js';
import { readContent } from '#dist/src/content/read-content.js';
import { readEnvelope } from '#dist/src/content/service-envelope.js';
import { readUsmc } from '#dist/src/content/read-usmc.js';

const varint = (value: bigint): number[] =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];

/** Serialized fields: of the schema's numbers and of others, of every wire type, long varints. */
const fieldBytes = (
  ids: readonly number[],
  nested: fc.Arbitrary<number[]>,
): fc.Arbitrary<number[]> => {
  const value = fc.oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.constantFrom(0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 32n, 1n << 53n),
  );
  const bytes = fc.oneof(
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
    fc.string({ maxLength: 40 }).map((text) => [...Buffer.from(text)]),
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => [...Buffer.from(text)]),
    nested,
  );
  const payload = fc.oneof(
    { weight: 5, arbitrary: value.map((number) => ({ wireType: 0, bytes: varint(number) })) },
    {
      weight: 5,
      arbitrary: bytes.map((each) => ({
        wireType: 2,
        bytes: [...varint(BigInt(each.length)), ...each],
      })),
    },
    fc.constantFrom(
      { wireType: 0, bytes: [0x80, 0x00] },
      { wireType: 0, bytes: [255, 255, 255, 255, 255, 255, 255, 255, 255, 1] },
      { wireType: 0, bytes: [255, 255, 255, 255, 255, 255, 255, 255, 255, 127] },
      { wireType: 0, bytes: [128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0] },
      { wireType: 1, bytes: [1, 2, 3, 4, 5, 6, 7, 8] },
      { wireType: 5, bytes: [1, 2, 3, 4] },
      { wireType: 3, bytes: [] },
      { wireType: 4, bytes: [] },
      { wireType: 7, bytes: [] },
      { wireType: 2, bytes: [0x90, 0x80, 0x80, 0x80, 0x00] },
    ),
  );
  return fc
    .tuple(fc.constantFrom(...ids, 0, 17, 99, 3_000), payload)
    .map(([id, each]) => [...varint(BigInt(id * 8 + each.wireType)), ...each.bytes]);
};

const none = fc.constant<number[]>([]);
const fieldsOf = (ids: readonly number[], nested = none): fc.Arbitrary<number[]> =>
  fc.array(fieldBytes(ids, nested), { maxLength: 8 }).map((fields) => fields.flat());

/** Some of them cut short. */
const messagesOf = (ids: readonly number[], nested?: fc.Arbitrary<number[]>) =>
  fc
    .tuple(fieldsOf(ids, nested), fc.option(fc.nat({ max: 60 }), { freq: 5 }))
    .map(([bytes, cut]) => Uint8Array.from(cut === null ? bytes : bytes.slice(0, cut)));

/** Its result, or the code of what it throws. */
function outcomeOf<Result>(read: () => Result): Result | string {
  try {
    return read();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}

/** The same in one form: views and copies, buffers and arrays are alike. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value).toString('hex')
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]))
        : value;

const data = fieldsOf([1, 2, 4, 5, 6, 7, 12, 14, 15, 16, 23]);
const receipt = fieldsOf([1, 2]);

describe('a message in the usual form is read as protobufjs reads it', () => {
  test.each([
    [
      'an Envelope',
      messagesOf([1, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21, 22]),
      decodeServiceEnvelope,
      readEnvelope,
    ],
    ['a Content', messagesOf([1, 1, 5, 5, 9], fc.oneof(data, receipt)), decodeContent, readContent],
    ['a USMC', messagesOf([1, 2, 3, 4, 5]), decodeUsmc, readUsmc],
  ] as const)('%s of any fields', (_, messages, read, readAny) => {
    fc.assert(
      fc.property(messages, (bytes) => {
        expect(plain(outcomeOf(() => read(bytes)))).toEqual(plain(outcomeOf(() => readAny(bytes))));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a Content with one data message or receipt', () => {
    const one = fc.oneof(
      data.map((bytes) => [1, bytes] as const),
      receipt.map((bytes) => [5, bytes] as const),
    );
    fc.assert(
      fc.property(one, ([id, inner]) => {
        const bytes = Uint8Array.from([id * 8 + 2, ...varint(BigInt(inner.length)), ...inner]);
        expect(plain(outcomeOf(() => decodeContent(bytes)))).toEqual(
          plain(outcomeOf(() => readContent(bytes))),
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('protobufjs is not asked', () => {
  const timestamp = 1_790_000_000_000;
  it.each([
    [
      'for an Envelope',
      serviceEnvelopeMessage,
      decodeServiceEnvelope,
      {
        type: 6,
        clientTimestamp: timestamp,
        content: Uint8Array.of(1, 2, 3),
        serverGuid: 'a-guid',
        serverTimestamp: timestamp,
        destinationServiceId: 'an-id',
        urgent: true,
      },
    ],
    [
      'for a text',
      contentMessage,
      decodeContent,
      {
        dataMessage: {
          body: 'grüß dich 👋',
          timestamp,
          expireTimer: 0,
          profileKey: new Uint8Array(32),
        },
      },
    ],
    [
      'for a receipt',
      contentMessage,
      decodeContent,
      {
        receiptMessage: { type: 1, timestamp: [timestamp, timestamp + 1] },
      },
    ],
    [
      'for a USMC',
      usmcMessage,
      decodeUsmc,
      {
        type: 2,
        senderCertificate: Uint8Array.of(1),
        content: Uint8Array.of(2),
        contentHint: 1,
        groupId: Uint8Array.of(3),
      },
    ],
  ] as const)('%s of an encoder', (_, type, decode, fields) => {
    const bytes = serialize(type, fields);
    const decoded = vi.spyOn(type, 'decode');
    expect(decode(bytes)).toBeDefined();
    expect(decoded).not.toHaveBeenCalled();
    decoded.mockRestore();
  });
});
