import { MAX_BODY_BYTES, truncateBody } from 'sealcast';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBody } from '#dist/src/content/limits.js';

const bytesOf = (text: string): number => Buffer.byteLength(text);
const thrownBy = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error;
  }
};

describe('a body', () => {
  it.each([
    ['2,048 letters', 'x'.repeat(2048)],
    ['682 emoji of three units', '☎️'.repeat(341)],
    ['512 of four bytes', '🎈'.repeat(512)],
    ['1,024 of two bytes', 'é'.repeat(1024)],
    ['one letter', 'x'],
    ['lines', ' a\n\tb '],
  ])('of %s is taken', (_, body) => {
    expect(bytesOf(body)).toBeLessThanOrEqual(MAX_BODY_BYTES);
    expect(checkBody(body)).toBe(body);
  });

  it.each([
    ['2,049 letters', 'x'.repeat(2049)],
    ['700 emoji', '🎈'.repeat(700)],
    ['683 Chinese characters', '汉'.repeat(683)],
    ['1,025 of two bytes', 'é'.repeat(1025)],
    ['64 KiB', 'x'.repeat(65_536)],
  ])('of %s is too large', (_, body) => {
    expect(thrownBy(() => checkBody(body))).toMatchObject({
      code: 'ERR_MESSAGE_TOO_LARGE',
      field: 'message.body',
    });
  });

  it.each([undefined, null, 1, '', ' ', '\n\u3000\t', '\ud800', 'a\0b', {}])(
    'that is %j is refused',
    (body) => {
      expect(thrownBy(() => checkBody(body))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        field: 'message.body',
      });
    },
  );
});

describe('truncateBody', () => {
  it.each(['', 'x', 'x'.repeat(2048), '🎈'.repeat(512)])(
    'leaves a text that fits as it is',
    (text) => {
      expect(truncateBody(text)).toBe(text);
    },
  );

  it.each([
    ['letters', 'x'],
    ['letters with an accent of their own', 'e\u0301'],
    ['Chinese', '汉'],
    ['emoji', '🎈'],
    ['families', '👩‍👩‍👧‍👦'],
    ['flags', '🇨🇭'],
  ])('cuts between graphemes: %s', (_, grapheme) => {
    for (const before of ['', 'a', 'ab', 'abc']) {
      const cut = truncateBody(`${before}${grapheme.repeat(4096)}`);
      const count = (cut.length - before.length - 1) / grapheme.length;
      expect(cut).toBe(`${before}${grapheme.repeat(count)}…`);
      // As many as fit.
      expect(bytesOf(cut)).toBeLessThanOrEqual(MAX_BODY_BYTES);
      expect(bytesOf(cut) + bytesOf(grapheme)).toBeGreaterThan(MAX_BODY_BYTES);
      expect(checkBody(cut)).toBe(cut);
    }
  });

  it('cuts a grapheme that is longer than a body between code points', () => {
    const cut = truncateBody(`e${'\u0301'.repeat(5000)}`);
    expect(cut).toBe(`e${'\u0301'.repeat(1022)}…`);
    const pairs = truncateBody(`👩${'\u200d👩'.repeat(2000)}`);
    expect(pairs.isWellFormed()).toBe(true);
    expect(bytesOf(pairs)).toBeGreaterThan(2030);
  });

  it.each([
    ['a NUL', 'a\0b', 'ab'],
    ['an unpaired high surrogate', 'a\ud83cb', 'a\ufffdb'],
    ['an unpaired low surrogate', '\udf88', '\ufffd'],
    ['halves of a pair with a NUL between them', '\ud83c\0\udf88', '\ufffd\ufffd'],
    ['a pair', '\ud83c\udf88', '\ud83c\udf88'],
  ])('returns a body that is accepted for a text with %s', (_, text, body) => {
    expect(truncateBody(text)).toBe(body);
    expect(checkBody(truncateBody(text))).toBe(body);
  });

  it('returns a body that is accepted for every text with a prefix', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4096, size: 'max' }),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4096, size: 'max' })
        .map((units) => String.fromCharCode(...units)),
      fc
        .array(fc.constantFrom('\0', '\ud83c', '\udf88', '\u200d', '\u0301', ' ', 'x'), {
          maxLength: 4096,
          size: 'max',
        })
        .map((units) => units.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const body = truncateBody(`You wrote: ${text}`);
        expect(checkBody(body)).toBe(body);
        const alone = truncateBody(text);
        if (alone.trim() !== '') expect(checkBody(alone)).toBe(alone);
      }),
      { numRuns: 300 },
    );
  });

  it('takes no longer for a long text', () => {
    expect(bytesOf(truncateBody('x'.repeat(50_000_000)))).toBe(2048);
  });

  it('refuses what is no text', () => {
    expect(thrownBy(() => truncateBody(1 as unknown as string))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
