import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { padPlaintext, unpadPlaintext } from '#dist/src/content/index.js';
import { refusedField } from '../harness/refusals.js';

describe('padPlaintext', () => {
  test('pads to one byte under a multiple of 80, with 0x80 and zeros', () => {
    for (let lengthBytes = 0; lengthBytes <= 400; lengthBytes++) {
      const content = randomBytes(lengthBytes);
      const padded = padPlaintext(content);
      expect(padded).toHaveLength(Math.ceil((lengthBytes + 2) / 80) * 80 - 1);
      expect(Buffer.from(padded.subarray(0, lengthBytes)).equals(content)).toBe(true);
      expect(padded[lengthBytes]).toBe(0x80);
      expect(padded.subarray(lengthBytes + 1).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('gives lengths 79 up to 78 bytes of content and 159 from there', () => {
    expect(
      [0, 77, 78, 79, 158].map((lengthBytes) => padPlaintext(new Uint8Array(lengthBytes)).length),
    ).toEqual([79, 79, 79, 159, 159]);
  });

  test('refuses an argument that is not bytes', () => {
    expect(() => padPlaintext('text' as never)).toThrow(
      expect.objectContaining(refusedField('content')),
    );
  });
});

describe('unpadPlaintext', () => {
  test('undoes padPlaintext, also for contents that end in zeros or in 0x80', () => {
    const tails = [[], [0], [0, 0, 0], [0x80], [0x80, 0], [0x80, 0x80]];
    for (const tail of tails) {
      for (const lengthBytes of [0, 1, 78, 79, 500]) {
        const content = new Uint8Array([...randomBytes(lengthBytes), ...tail]);
        expect(unpadPlaintext(padPlaintext(content))).toEqual(content);
      }
    }
  });

  test('takes padding of any length, as other clients write it', () => {
    expect(unpadPlaintext(new Uint8Array([1, 2, 0x80]))).toEqual(new Uint8Array([1, 2]));
    expect(unpadPlaintext(new Uint8Array([1, 2, 0x80, 0, 0]))).toEqual(new Uint8Array([1, 2]));
  });

  test.each([
    ['no bytes at all', []],
    ['zeros only', [0, 0, 0]],
    ['no terminator', [1, 2, 3]],
    ['a byte other than zero after the terminator', [1, 0x80, 0, 1]],
  ])('refuses %s', (_, bytes) => {
    expect(() => unpadPlaintext(new Uint8Array(bytes))).toThrow(
      expect.objectContaining({ name: 'SealcastError', code: 'ERR_INVALID_ENVELOPE' }),
    );
  });
});
