import { randomUUID } from 'node:crypto';
import type { AttachmentPointer, OutgoingMessage } from 'sealcast';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkMessage,
  encodeMessage,
  messageBodyOf,
  POINTER_RULES,
  splitLongText,
} from '#dist/src/content/index.js';
import { text } from './outgoing-messages.js';

const aci = randomUUID();
const author = randomUUID();
const reaction = { emoji: '👍', author, timestamp: 5 };
const poll = { question: 'When?', options: ['now', 'later'] };
const quote = { author, timestamp: 5 };
const preview = { url: 'https://example.org/a' };
const image: AttachmentPointer = {
  cdnKey: 'k',
  cdnNumber: 3,
  key: new Uint8Array(64),
  digest: new Uint8Array(32),
  size: 5,
  contentType: 'image/png',
};
const audio = { ...image, contentType: 'audio/aac' };

const check = (message: unknown) => checkMessage(message, POINTER_RULES);
const LONG_TEXTS = { ...POINTER_RULES, maxTextBytes: 65_536 };

function errorOf(message: unknown, rules = POINTER_RULES): unknown {
  try {
    return checkMessage(message, rules);
  } catch (error) {
    return error;
  }
}
const refusal = (field: string): object =>
  expect.objectContaining({
    name: 'SealcastError',
    code: 'ERR_INVALID_ARGUMENT',
    field,
    message: expect.stringContaining(field) as unknown,
  }) as object;

describe('a message is refused for parts that cannot go together, by the name of the', () => {
  test.each<[string, unknown]>([
    ['markdown', { body: 'x', markdown: 'x' }],
    ['bodyRanges', { markdown: 'x', bodyRanges: [] }],
    ['bodyRanges', { attachments: [image], bodyRanges: [] }],
    ['mentions', { attachments: [image], mentions: [] }],
    ['mentions.start', { markdown: '\uFFFC', mentions: [{ aci, start: 0, length: 1 }] }],
    ['preview', { attachments: [image], preview }],
    ['preview', { body: preview.url, attachments: [image], preview }],
    ['reaction', { body: 'x', reaction }],
    ['reaction', { markdown: 'x', reaction }],
    ['reaction', { attachments: [image], reaction }],
    ['reaction', { poll, reaction }],
    ['reaction', { quote, reaction }],
    ['reaction', { reaction, expireTimer: 5 }],
    ['reaction', { attachments: [image], viewOnce: true, reaction }],
    ['poll', { body: 'x', poll }],
    ['poll', { markdown: 'x', poll }],
    ['poll', { attachments: [image], poll }],
    ['poll', { quote, poll }],
    ['poll', { body: 'x', preview, poll }],
    ['viewOnce', { body: 'x', attachments: [image], viewOnce: true }],
    ['viewOnce', { markdown: 'x', attachments: [image], viewOnce: true }],
    ['viewOnce', { viewOnce: true }],
    ['viewOnce', { attachments: [], viewOnce: true }],
    ['viewOnce', { attachments: [image, image], viewOnce: true }],
    ['viewOnce', { attachments: [audio], viewOnce: true }],
  ])('%s (%#)', (field, message) => {
    expect(errorOf(message)).toEqual(refusal(`message.${field}`));
  });
});

describe('a message is refused for', () => {
  test.each<[string, unknown]>([
    ['bdy', { bdy: 'x' }],
    ['body', {}],
    ['body', { quote }],
    ['body', { body: 5 }],
    ['body', { attachments: [] }],
    ['body', { body: ' ', attachments: [image] }],
    ['markdown', { markdown: '\ud800' }],
    ['markdown', { markdown: '   ' }],
    ['bodyRanges', { body: 'x', bodyRanges: {} }],
    ['bodyRanges', { body: 'x', bodyRanges: ['bold'] }],
    ['bodyRanges.style', { body: 'x', bodyRanges: [{ start: 0, length: 1, style: 'underline' }] }],
    ['bodyRanges.start', { body: 'x', bodyRanges: [{ start: 2, length: 1, style: 'bold' }] }],
    ['bodyRanges.start', { body: 'x', bodyRanges: [{ start: 1, length: 1, style: 'bold' }] }],
    ['bodyRanges.start', { body: 'x', bodyRanges: [{ start: -1, length: 1, style: 'bold' }] }],
    ['bodyRanges.length', { body: 'x', bodyRanges: [{ start: 0, length: 2, style: 'bold' }] }],
    ['bodyRanges.length', { body: 'x', bodyRanges: [{ start: 0, length: 0, style: 'bold' }] }],
    ['bodyRanges.length', { body: 'x', bodyRanges: [{ start: 0, length: 0.5, style: 'bold' }] }],
    ['bodyRanges.end', { body: 'x', bodyRanges: [{ start: 0, length: 1, style: 'bold', end: 1 }] }],
    ['mentions.aci', { body: 'x', mentions: [{ start: 0, length: 1, aci: `PNI:${aci}` }] }],
    ['mentions.aci', { body: 'x', mentions: [{ aci }] }],
    ['mentions.aci', { body: '\uFFFC', mentions: [{ aci }, { aci }] }],
    ['mentions.length', { body: 'x', mentions: [{ start: 0, aci }] }],
    ['mentions.start', { body: '\uFFFC', mentions: [{ aci }, { aci, start: 0, length: 1 }] }],
    [
      'mentions',
      {
        body: 'xy',
        mentions: [
          { start: 0, length: 2, aci },
          { start: 1, length: 1, aci },
        ],
      },
    ],
    ['attachments', { attachments: image }],
    ['attachments', { attachments: Array.from({ length: 33 }, () => image) }],
    ['attachments.key', { attachments: [{ ...image, key: new Uint8Array(63) }] }],
    ['attachments.digest', { attachments: [{ ...image, digest: undefined }] }],
    ['attachments.size', { attachments: [{ ...image, size: 2 ** 31 }] }],
    ['attachments.cdnKey', { attachments: [{ ...image, cdnId: 5n }] }],
    ['attachments.cdnKey', { attachments: [{ ...image, cdnKey: undefined }] }],
    ['attachments.cdnKey', { attachments: [{ ...image, cdnKey: '' }] }],
    ['attachments.cdnId', { attachments: [{ ...image, cdnKey: undefined, cdnId: 5 }] }],
    ['attachments.cdnNumber', { attachments: [{ ...image, cdnNumber: undefined }] }],
    ['attachments.chunkSize', { attachments: [{ ...image, chunkSize: 5 }] }],
    ['attachments.name', { attachments: [{ ...image, name: 'x' }] }],
    ['preview.url', { body: 'x', preview }],
    ['preview.url', { body: 'ftp://a.example', preview: { url: 'ftp://a.example' } }],
    [
      'preview.image.key',
      { body: preview.url, preview: { ...preview, image: { ...image, key: undefined } } },
    ],
    ['preview.date', { body: preview.url, preview: { ...preview, date: 8.65e15 } }],
    ['quote.author', { body: 'x', quote: { timestamp: 5 } }],
    ['quote.timestamp', { body: 'x', quote: { author } }],
    ['quote.timestamp', { body: 'x', quote: { author, timestamp: 5n } }],
    ['quote.text', { body: 'x', quote: { ...quote, text: 'x'.repeat(2049) } }],
    [
      'quote.bodyRanges.start',
      { body: 'x', quote: { ...quote, bodyRanges: [{ start: 1, length: 1, style: 'bold' }] } },
    ],
    ['quote.attachments.size', { body: 'x', quote: { ...quote, attachments: [{ size: 1 }] } }],
    ['reaction.emoji', { reaction: { ...reaction, emoji: 'no' } }],
    ['reaction.emoji', { reaction: { ...reaction, emoji: 'x' } }],
    ['reaction.emoji', { reaction: { ...reaction, emoji: '👍👍' } }],
    ['reaction.emoji', { reaction: { ...reaction, emoji: '' } }],
    ['reaction.author', { reaction: { emoji: '👍', timestamp: 5 } }],
    ['reaction.timestamp', { reaction: { emoji: '👍', author } }],
    ['reaction.remove', { reaction: { ...reaction, remove: 1 } }],
    ['poll.question', { poll: { ...poll, question: ' ' } }],
    ['poll.question', { poll: { ...poll, question: 'x'.repeat(101) } }],
    ['poll.options', { poll: { ...poll, options: ['one'] } }],
    ['poll.options', { poll: { ...poll, options: Array.from({ length: 11 }, () => 'x') } }],
    ['poll.options.option', { poll: { ...poll, options: ['one', 'x'.repeat(101)] } }],
    ['poll.options.option', { poll: { ...poll, options: ['one', ''] } }],
    ['poll.options.option', { poll: { ...poll, options: ['one', 2] } }],
    ['viewOnce', { attachments: [image], viewOnce: 'yes' }],
    ['expireTimer', { body: 'x', expireTimer: -1 }],
    ['expireTimer', { body: 'x', expireTimer: 2 ** 31 }],
    ['expireTimer', { body: 'x', expireTimer: 1.5 }],
  ])('its %s (%#)', (field, message) => {
    expect(errorOf(message)).toEqual(refusal(`message.${field}`));
  });

  test('251 ranges in its body, one more than clients read', () => {
    const ranges = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ start: 2 * i, length: 1, style: 'bold' }));
    const body = 'x '.repeat(600);
    expect(check({ body, bodyRanges: ranges(250) }).ranges).toHaveLength(250);
    expect(errorOf({ body, bodyRanges: ranges(251) })).toEqual(refusal('message.bodyRanges'));
    expect(errorOf({ markdown: '**x** '.repeat(251) })).toEqual(refusal('message.markdown'));
  });

  test('more than 256 KiB of Markdown, before it is parsed', () => {
    expect(errorOf({ markdown: '*'.repeat(256 * 1024 + 1) })).toMatchObject({
      code: 'ERR_MESSAGE_TOO_LARGE',
      field: 'message.markdown',
    });
  });
});

describe('a message', () => {
  test('of Markdown has its text, its styles, and mentions in the order of their places', () => {
    const other = randomUUID().toUpperCase();
    const message = { markdown: '**\uFFFC** and \uFFFC', mentions: [{ aci }, { aci: other }] };
    expect(check(message)).toEqual({
      body: '\uFFFC and \uFFFC',
      ranges: [
        { start: 0, length: 1, style: 'bold' },
        { start: 0, length: 1, aci },
        { start: 6, length: 1, aci: other.toLowerCase() },
      ],
    });
  });

  test('says no more than it was given: what is false or empty is absent', () => {
    const given: OutgoingMessage = {
      body: 'x',
      bodyRanges: [],
      mentions: [],
      attachments: [],
      viewOnce: false,
      quote: { ...quote, attachments: [], bodyRanges: [], mentions: [] },
    };
    expect(check(given)).toEqual({ body: 'x', quote });
  });

  test('is what it was when it was checked, whatever becomes of the object', () => {
    const key = new Uint8Array(64).fill(1);
    const message = { attachments: [{ ...image, key }] };
    const checked = check(message);
    key.fill(0);
    message.attachments.pop();
    expect(checked.attachments).toEqual([{ ...image, key: new Uint8Array(64).fill(1) }]);
  });

  test('of a poll is told by its question', () => {
    expect(messageBodyOf(encodeMessage(check({ poll }), 5))).toBe('When?');
    expect(messageBodyOf(encodeMessage(check({ attachments: [image] }), 5))).toBe('');
  });
});

describe('a long text', () => {
  const of = (bytes: number): string => 'x'.repeat(bytes);

  test.each([2_047, 2_048])('of %i bytes is all body', (bytes) => {
    expect(checkMessage({ body: of(bytes) }, LONG_TEXTS)).toEqual({ body: of(bytes) });
  });

  test.each([2_049, 64 * 1024])('of %i bytes is cut, and whole beside', (bytes) => {
    const { body, longText } = checkMessage({ body: of(bytes) }, LONG_TEXTS);
    expect(body).toBe(of(2_048));
    expect(new TextDecoder().decode(longText)).toBe(of(bytes));
  });

  test('of more than 64 KiB is refused, as one of 2,049 bytes is where nothing is uploaded', () => {
    const error = { code: 'ERR_MESSAGE_TOO_LARGE', field: 'message.body' };
    expect(errorOf({ body: of(64 * 1024 + 1) }, LONG_TEXTS)).toMatchObject(error);
    expect(errorOf({ body: of(2_049) })).toMatchObject(error);
    const markdown = `**${of(2_049)}**`;
    expect(errorOf({ markdown })).toMatchObject({ ...error, field: 'message.markdown' });
    expect(errorOf({ markdown: `**${of(2_048)}**` })).toMatchObject({ body: of(2_048) });
  });

  test('ends its styles with the body, and leaves out mentions that do not fit', () => {
    const body = of(3_000);
    const { ranges } = checkMessage(
      {
        body,
        bodyRanges: [
          { start: 0, length: 3_000, style: 'bold' },
          { start: 2_047, length: 5, style: 'italic' },
          { start: 2_048, length: 5, style: 'spoiler' },
        ],
        mentions: [
          { start: 1_000, length: 1, aci },
          { start: 2_047, length: 2, aci },
        ],
      },
      LONG_TEXTS,
    );
    expect(ranges).toEqual([
      { start: 0, length: 2_048, style: 'bold' },
      { start: 1_000, length: 1, aci },
      { start: 2_047, length: 1, style: 'italic' },
    ]);
  });

  test('has 10,000 styles: those of the body are sent', () => {
    const markdown = `${'x'.repeat(1_848)}${' **a**'.repeat(10_000)}`;
    const { ranges, longText } = checkMessage({ markdown }, LONG_TEXTS);
    expect(ranges).toHaveLength(100);
    expect(longText).toHaveLength(1_848 + 20_000);
  });

  test('is cut between grapheme clusters', () => {
    const segmenter = new Intl.Segmenter();
    fc.assert(
      fc.property(fc.nat(60), text(60), (letters, rest) => {
        const whole = `${'x'.repeat(2_048 - letters)}${rest}`;
        const { body, longText } = splitLongText(whole, []);
        expect(whole.startsWith(body)).toBe(true);
        const bytes = Buffer.byteLength(body);
        expect(bytes).toBeLessThanOrEqual(2_048);
        expect(longText === undefined).toBe(body === whole);
        if (longText === undefined) return;
        expect(Buffer.from(longText).toString()).toBe(whole);
        const next = segmenter.segment(whole).containing(body.length);
        expect(next?.index).toBe(body.length);
        expect(bytes + Buffer.byteLength(next?.segment ?? '')).toBeGreaterThan(2_048);
      }),
      { numRuns: 300 },
    );
  });

  test('that is one endless letter is cut between code points', () => {
    const { body } = splitLongText(`a${'\u0301'.repeat(5_000)}`, []);
    expect(Buffer.byteLength(body)).toBe(2_047);
    expect(body.isWellFormed()).toBe(true);
  });
});
