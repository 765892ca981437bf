import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMarkdown } from '#dist/src/content/markdown.js';

/** Ranges as `style:the text in it`. */
function shown(markdown: string): { text: string; styles: string[] } {
  const { text, ranges } = parseMarkdown(markdown);
  const styles = ranges.map(
    ({ start, length, style }) => `${style}:${text.slice(start, start + length)}`,
  );
  return { text, styles };
}

describe('markdown', () => {
  test.each<[string, string, string[]]>([
    ['plain text', 'plain text', []],
    ['**bold** and __bold__', 'bold and bold', ['bold:bold', 'bold:bold']],
    ['*it* and _it_', 'it and it', ['italic:it', 'italic:it']],
    ['~~gone~~ ~ ~one~', 'gone ~ ~one~', ['strikethrough:gone']],
    ['||secret|| | a || b', 'secret | a || b', ['spoiler:secret']],
    ['`x = *y*`', 'x = *y*', ['monospace:x = *y*']],
    ['``a ` b``', 'a ` b', ['monospace:a ` b']],
    ['**a *b* c**', 'a b c', ['bold:a b c', 'italic:b']],
    ['***both***', 'both', ['italic:both', 'bold:both']],
    [
      '**a ||b ~~c~~|| `d`**',
      'a b c d',
      ['bold:a b c d', 'spoiler:b c', 'strikethrough:c', 'monospace:d'],
    ],
    ['||a|||', 'a|', ['spoiler:a|']],
    ['|||a||', '|a', ['spoiler:a']],
    ['||||', '||||', []],
    ['**a** **b', 'a **b', ['bold:a']],
    ['**a**__b__', 'ab', ['bold:ab']],
    [String.raw`\*no\* \||no|| \_`, '*no* ||no|| _', []],
    ['**a\nb**\n\n**c\n\nd**', 'a\nb\n\n**c\n\nd**', ['bold:a\nb']],
    ['2 * 3 * 4, snake_case_name', '2 * 3 * 4, snake_case_name', []],
    ['# Title\n- one\n- two\n1. three\n> quoted', '# Title\n- one\n- two\n1. three\n> quoted', []],
    [
      '[text](https://example.org) ![](x) <b> &amp;',
      '[text](https://example.org) ![](x) <b> &amp;',
      [],
    ],
    ['https://example.org/_a_/**b**', 'https://example.org/_a_/**b**', []],
    ['**https://example.org/_a_**', 'https://example.org/_a_', ['bold:https://example.org/_a_']],
    ['http://münchen.example/%C3%BC', 'http://münchen.example/%C3%BC', []],
    ['a\r\nb\rc\n\n\n\nd', 'a\nb\nc\n\n\n\nd', []],
    ['    indented\n  - b\n\n\u3000日本', '    indented\n  - b\n\n\u3000日本', []],
    [
      'before\n```js\nlet **x**;\n\n  y();\n```\nafter',
      'before\nlet **x**;\n\n  y();\nafter',
      ['monospace:let **x**;\n\n  y();'],
    ],
    ['Hello \uFFFC, **\uFFFC**', 'Hello \uFFFC, \uFFFC', ['bold:\uFFFC']],
  ])('%j', (markdown, text, styles) => {
    const read = shown(markdown);
    expect(read.text).toBe(text);
    expect(read.styles.toSorted()).toEqual(styles.toSorted());
  });

  test('counts in UTF-16 units, in emoji, joined ones, and text from right to left', () => {
    const words = ['👩‍👩‍👧‍👦', '🏳️‍🌈', 'שלום', 'مرحبا', 'e\u0301', '\u200fא\u200f', '汉字'];
    const markdown = words.map((word) => `**${word}** ||${word}||`).join(' ');
    expect(shown(markdown)).toEqual({
      text: words.map((word) => `${word} ${word}`).join(' '),
      styles: words.flatMap((word) => [`bold:${word}`, `spoiler:${word}`]),
    });
  });

  test('reads 10,000 ranges', () => {
    const { text, ranges } = parseMarkdown('**a** '.repeat(10_000));
    expect(text.trimEnd()).toBe('a '.repeat(10_000).trimEnd());
    expect(ranges).toHaveLength(10_000);
    expect(ranges.at(-1)).toEqual({ start: 19_998, length: 1, style: 'bold' });
  });

  test.each([
    ['openers of a style', '**a '.repeat(60_000)],
    ['openers of two styles', '*a _b '.repeat(40_000)],
    ['closers', 'a** '.repeat(60_000)],
    ['stars', '*'.repeat(240_000)],
    ['bars', '|'.repeat(240_000)],
    ['bars between letters', '||a'.repeat(80_000)],
    ['tildes between letters', '~~a'.repeat(80_000)],
    ['backticks of all lengths', Array.from({ length: 600 }, (_, i) => '`'.repeat(i)).join('a')],
    ['colons', 'a://'.repeat(60_000)],
    ['links', 'http://a.example/ '.repeat(13_000)],
    ['nested styles', '**a ||b ~~c '.repeat(20_000)],
    ['lines', '\n'.repeat(240_000)],
    ['fences', '```\n'.repeat(60_000)],
    ['backslashes', '\\'.repeat(240_000)],
  ])('reads 240 KiB of %s before the test ends', (_, markdown) => {
    const { text, ranges } = parseMarkdown(markdown);
    expect(text.length).toBeLessThanOrEqual(markdown.length);
    for (const { start, length } of ranges) expect(start + length).toBeLessThanOrEqual(text.length);
  });

  test('of any characters gives ranges within its text, ordered, and apart for each style', () => {
    const piece = fc.constantFrom(
      '**',
      '*',
      '_',
      '~~',
      '||',
      '|',
      '`',
      '\\',
      '\n',
      '\n\n',
      '```\n',
      ' ',
      'a',
      '👩‍👧',
      'ש',
      'http://x.example',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const { text, ranges } = parseMarkdown(pieces.join(''));
        const ends = new Map<string, number>();
        let last = 0;
        for (const { start, length, style } of ranges) {
          expect(start).toBeGreaterThanOrEqual(last);
          last = start;
          expect(length).toBeGreaterThan(0);
          expect(start + length).toBeLessThanOrEqual(text.length);
          expect(start).toBeGreaterThan(ends.get(style) ?? -1);
          ends.set(style, start + length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
