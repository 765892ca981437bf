import { describe, expect, it } from 'vitest';
import { repeatCalls } from '../../bench/kernel/repeat-calls.js';

describe('calls from WebAssembly', () => {
  it('are made in order, with their arguments, as many times as is said', () => {
    const made: (string | number)[][] = [];
    const functions = {
      first: (...args: number[]) => void made.push(['first', ...args]),
      second: (...args: number[]) => {
        made.push(['second', ...args]);
        return 7;
      },
    };
    const repeat = repeatCalls(functions, [
      { name: 'first', args: [] },
      // The ends of what one, two, three and four bytes of LEB128 hold, and one behind.
      {
        name: 'second',
        args: [0, 63, 64, 127, 128, 8191, 8192, 1_048_575, 1_048_576, 0x7fffffff],
        returns: true,
      },
      { name: 'first', args: [] },
    ]);
    repeat(0);
    expect(made).toEqual([]);
    repeat(2);
    const once = [
      ['first'],
      ['second', 0, 63, 64, 127, 128, 8191, 8192, 1_048_575, 1_048_576, 0x7fffffff],
      ['first'],
    ];
    expect(made).toEqual([...once, ...once]);
  });

  it('name what is not exported', () => {
    expect(() => repeatCalls({}, [{ name: 'mulX2', args: [] }])).toThrow(/mulX2/);
  });
});
