import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CsvReader, csvRow } from '#dist/src/util/csv.js';

const LIMITS = { cellLength: 100, columns: 8 };

function rowsOf(
  parts: readonly string[],
  limits = LIMITS,
): { row: number; cells: readonly string[] }[] {
  const reader = new CsvReader(limits);
  return [...parts.flatMap((part) => [...reader.push(part)]), ...reader.end()];
}
const cellsOf = (...parts: readonly string[]): (readonly string[])[] =>
  rowsOf(parts).map(({ cells }) => cells);

/**
 * Counts the characters of the texts that work iterates or searches. A search by a pattern counts
 * too, as each calls `exec`.
 */
function charactersRead(work: () => void): number {
  let characters = 0;
  const undo: (() => void)[] = [];
  const watch = (
    prototype: object,
    name: PropertyKey,
    textOf: (self: unknown, args: readonly unknown[]) => unknown,
  ): void => {
    const original = Reflect.getOwnPropertyDescriptor(prototype, name) ?? {};
    const method = original.value as (...args: unknown[]) => unknown;
    const value = function (this: unknown, ...args: unknown[]): unknown {
      characters += String(textOf(this, args)).length;
      return Reflect.apply(method, this, args);
    };
    Reflect.defineProperty(prototype, name, { ...original, value });
    undo.push(() => Reflect.defineProperty(prototype, name, original));
  };
  for (const name of [Symbol.iterator, 'indexOf', 'includes', 'search', 'split'])
    watch(String.prototype, name, (text) => text);
  watch(RegExp.prototype, 'exec', (_pattern, [text]) => text);
  try {
    work();
  } finally {
    for (const restore of undo) restore();
  }
  return characters;
}

describe('CSV is read', () => {
  test.each([
    ['with LF', 'a,b\n1,2\n'],
    ['with CRLF', 'a,b\r\n1,2\r\n'],
    ['with CR', 'a,b\r1,2\r'],
    ['without a last line end', 'a,b\n1,2'],
    ['with a byte order mark', '\uFEFFa,b\n1,2'],
    ['with semicolons', 'a;b\n1;2'],
    ['with tabs', 'a\tb\n1\t2'],
    ['with quotes', '"a",b\n"1","2"'],
    ['with empty lines', '\na,b\n\n\r\n1,2\n\n'],
    ['with semicolons behind empty lines', '\n\r\n\ra;b\n1;2'],
    ['with tabs behind a byte order mark and an empty line', '\uFEFF\r\na\tb\r\n1\t2'],
  ])('%s', (_form, text) => {
    expect(cellsOf(text)).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
  });

  test('with separators, quotes and line ends in quotes', () => {
    expect(cellsOf('a,b\n"x, ""y""\r\nz",2\n')).toEqual([
      ['a', 'b'],
      ['x, "y"\r\nz', '2'],
    ]);
  });

  test('with a quote in the middle of a cell, and empty cells', () => {
    expect(cellsOf('a,b,c\n5" nail,,\n')).toEqual([
      ['a', 'b', 'c'],
      ['5" nail', '', ''],
    ]);
  });

  test('with the number of each row as a spreadsheet shows it', () => {
    expect(rowsOf(['a\n\n1\n2']).map(({ row }) => row)).toEqual([1, 3, 4]);
  });

  test('with the number of each row behind empty lines, wherever the text is cut', () => {
    const text = '\r\n\r\n\na;"b\r\n,"\r\n1;2';
    for (let at = 0; at <= text.length; at++)
      expect(rowsOf([text.slice(0, at), text.slice(at)])).toEqual([
        { row: 4, cells: ['a', 'b\r\n,'] },
        { row: 5, cells: ['1', '2'] },
      ]);
  });

  test('in one part that is longer than a first row may be', () => {
    const lines = Array.from({ length: 200 }, () => '1;2\n').join('');
    expect(cellsOf(`a;b\n${lines}`)).toHaveLength(201);
    expect(cellsOf(`${'\n'.repeat(1_000)}a;b\n1;2`)).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
  });

  test.each([
    ['in no quotes', 'x'],
    ['in quotes', '"x'],
  ])('once each character, where a first row %s comes in many parts', (_where, start) => {
    const parts = [start, ...Array.from({ length: 2_000 }, () => 'xxxxxxxxxx'), ';'];
    const length = parts.join('').length;
    const reader = new CsvReader({ cellLength: length, columns: 8 });
    let rowCount = 0;
    const characters = charactersRead(() => {
      for (const part of parts) rowCount += [...reader.push(part)].length;
    });
    expect(rowCount).toBe(0);
    expect(characters).toBeGreaterThanOrEqual(length);
    expect(characters).toBeLessThan(2 * length);
  });

  test('whole, wherever the text is cut', () => {
    const text = '\uFEFFa,b\r\n"1\r\n""",2\r\n3,4';
    for (let at = 0; at <= text.length; at++)
      expect(cellsOf(text.slice(0, at), text.slice(at))).toEqual([
        ['a', 'b'],
        ['1\r\n"', '2'],
        ['3', '4'],
      ]);
    expect(cellsOf(...text.split(''))).toHaveLength(3);
  });

  test('as it was written, whatever is in the cells', () => {
    const cell = fc.string({
      unit: fc.constantFrom(...['a', '"', ',', ';', '\t', '\r', '\n', ' ', '\uFEFF', '=', 'ä']),
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        (rows, seed) => {
          const text = csvRow(['x', 'y']) + rows.map(csvRow).join('');
          const at = seed % (text.length + 1);
          expect(cellsOf(text.slice(0, at), text.slice(at))).toEqual([['x', 'y'], ...rows]);
        },
      ),
    );
  });
});

describe('CSV is refused', () => {
  test.each([
    ['a quote without an end', 'a\n"x', 2],
    ['text behind a closed quote', 'a\nb\n"x"y', 3],
    ['a cell that is too long', `a\n${'x'.repeat(101)}`, 2],
    ['too many cells', `a\n${','.repeat(9)}`, 2],
    ['a first row without an end', 'x'.repeat(1_000), 1],
    ['a first row without an end behind empty lines', `\n\n${'x'.repeat(1_000)}`, 3],
  ])('with %s, naming the row', (_fault, text, row) => {
    expect(() => rowsOf([text])).toThrow(expect.objectContaining({ row }) as Error);
  });
});
