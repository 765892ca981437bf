import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  decodeContent,
  decodeServiceEnvelope,
  preKeyIdsOf,
  distributionIdOf,
} from '#dist/src/content/index.js';
import { hasMoreFieldsThan } from '#dist/src/content/field-scan.js';
import {
  contentMessage,
  preKeySignalMessage,
  senderKeyMessage,
  serialize,
  serviceEnvelopeMessage,
} from '#dist/src/content/messages.js';

const repeat = (unit: readonly number[], times: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length] ?? 0);

/** A length-delimited field. */
function field(id: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
  return Uint8Array.from([...varint((id << 3) | 2), ...varint(bytes.length), ...bytes]);
}

describe('the number of fields of a serialized message', () => {
  it.each([
    ['of the schema', repeat([0x08, 0x01], 100)],
    ['of no schema', repeat([0x78, 0x01], 100)],
    ['of eight bytes', repeat([0x79, 1, 2, 3, 4, 5, 6, 7, 8], 100)],
    ['of four bytes', repeat([0x7d, 1, 2, 3, 4], 100)],
    ['that are empty', repeat([0x2a, 0x00], 100)],
    ['that are the tags of groups', repeat([0x7b, 0x7c], 50)],
    ['of a message in it', field(5, repeat([0x10, 0x01], 99))],
    ['of a message in a message in it', field(11, field(2, repeat([0x20, 0x01], 98)))],
    ['that are packed numbers', field(5, field(2, repeat([0x81, 0x01], 98)))],
  ])('counts those %s', (_, bytes) => {
    expect(hasMoreFieldsThan(99, contentMessage, bytes)).toBe(true);
    expect(hasMoreFieldsThan(100, contentMessage, bytes)).toBe(false);
  });

  it('counts nothing in bytes and texts', () => {
    const bytes = repeat([0x08, 0x01], 1000);
    expect(hasMoreFieldsThan(1, contentMessage, field(2, bytes))).toBe(false);
    expect(hasMoreFieldsThan(2, contentMessage, field(1, field(1, bytes)))).toBe(false);
  });

  it('comes to an end for any bytes, and is at most their number', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(hasMoreFieldsThan(bytes.length, contentMessage, bytes)).toBe(false);
        hasMoreFieldsThan(0, contentMessage, bytes);
      }),
    );
  });
});

describe('a message of more fields than any client writes', () => {
  it.each([
    ['Content', contentMessage, decodeContent, field(5, repeat([0x10, 0x01], 8_193))],
    ['Content, packed', contentMessage, decodeContent, field(5, field(2, repeat([0x01], 8_193)))],
    ['Envelope', serviceEnvelopeMessage, decodeServiceEnvelope, repeat([0x08, 0x01], 65)],
  ] as const)('%s is refused before it is decoded', (_, type, decode, bytes) => {
    const decoded = vi.spyOn(type, 'decode');
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ENVELOPE' }));
    expect(decoded).not.toHaveBeenCalled();
    decoded.mockRestore();
  });

  it('names no prekeys and no sender key', () => {
    const unknown = repeat([0x78, 0x01], 70);
    const keys = { baseKey: new Uint8Array(33).fill(5), identityKey: new Uint8Array(33).fill(5) };
    const preKeys = serialize(preKeySignalMessage, {
      ...keys,
      message: Uint8Array.of(1),
      signedPreKeyId: 1,
    });
    expect(preKeyIdsOf(Uint8Array.from([0x44, ...preKeys]))).toBeDefined();
    expect(preKeyIdsOf(Uint8Array.from([0x44, ...preKeys, ...unknown]))).toBeUndefined();
    const group = {
      distributionUuid: new Uint8Array(16).fill(1),
      chainId: 1,
      iteration: 1,
      ciphertext: keys.baseKey,
    };
    const message = serialize(senderKeyMessage, group);
    const signature = new Uint8Array(64);
    expect(distributionIdOf(Uint8Array.from([0x33, ...message, ...signature]))).toBeDefined();
    expect(
      distributionIdOf(Uint8Array.from([0x33, ...message, ...unknown, ...signature])),
    ).toBeUndefined();
  });
});
