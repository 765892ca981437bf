import { describe, expect, it } from 'vitest';
import { rowName, rowsOf, type EnvelopeTask, type RowIdentity } from '../../bench/envelope/rows.js';
import type { RoundSample } from '../../bench/measure/rounds.js';
import { summarize } from '../../bench/measure/statistics.js';
import { formatMarkdownTable, formatNumber, formatTable } from '../../bench/report/table.js';

describe('the benchmarks’ arithmetic', () => {
  it('gives median and quartiles, between the samples where it must', () => {
    expect(summarize([5, 1, 4, 2, 3])).toEqual({ median: 3, p25: 2, p75: 4 });
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, p25: 1.75, p75: 3.25 });
    expect(summarize([7])).toEqual({ median: 7, p25: 7, p75: 7 });
    expect(() => summarize([])).toThrow(RangeError);
  });

  it('prints three significant digits', () => {
    const printed = [0.012345, 0.5, 1, 1.005, 12.34, 99.96, 123.4, 999.9, 1234, 1234567].map(
      formatNumber,
    );
    expect(printed).toEqual([
      '0.0123',
      '0.500',
      '1.00',
      '1.00',
      '12.3',
      '100',
      '123',
      '1,000',
      '1,230',
      '1,230,000',
    ]);
  });

  it('aligns columns', () => {
    expect(formatTable(['a', 'b'], [['long', '1']])).toBe('a     b\n----  -\nlong  1');
    expect(formatMarkdownTable(['a', 'b'], [['long', '1']])).toBe(
      '| a    |   b |\n| ---- | --: |\n| long |   1 |',
    );
  });
});

describe('the rows of the envelope benchmark', () => {
  const sealing = (identity: Partial<RowIdentity>): RowIdentity => ({
    operation: 'seal',
    subject: 'sealcast',
    kernel: 'int',
    threads: 1,
    acquaintance: 'prepared',
    ...identity,
  });
  const peer = { kernel: null, acquaintance: null };
  const timed: readonly (readonly [RowIdentity, readonly number[]])[] = [
    [sealing({}), [10, 100, 20]],
    [sealing({ threads: 2 }), [5, 50, 10]],
    [sealing({ acquaintance: 'first-contact' }), [15, 150, 30]],
    [sealing({ subject: 'libsignal', ...peer }), [20, 200, 40]],
    [sealing({ subject: 'noble', ...peer }), [1000, 10000, 2000]],
    [sealing({ operation: 'prepare', acquaintance: 'first-contact' }), [30, 300, 60]],
  ];
  const tasks = timed.map(([identity]): EnvelopeTask => ({
    identity,
    task: { operationCount: 1, run: () => null },
  }));
  const samples = new Map(
    timed.map(([identity, microseconds]) => [
      rowName(identity),
      microseconds.map((each): RoundSample => ({ microseconds: each, cpuMicroseconds: 2 * each })),
    ]),
  );
  const [prepared, twoThreads, , libsignal, , preparing] = rowsOf(tasks, samples);

  it('have names of their own', () => {
    expect(samples.size).toBe(timed.length);
    expect([prepared?.name, preparing?.name, libsignal?.name]).toEqual([
      'sealcast (int), 1 thread, prepared',
      'sealcast (int), 1 thread, prepare() alone',
      'libsignal addon',
    ]);
  });

  it('take ratios within a round: a disturbance of all does not show in them', () => {
    expect(prepared?.timesLibsignal).toEqual({ median: 2, p25: 2, p75: 2 });
    expect(prepared?.timesNoble?.median).toBe(100);
    expect(prepared?.microsecondsPerEnvelope.median).toBe(20);
    expect(prepared?.cpuMicrosecondsPerEnvelope).toEqual({ median: 40, p25: 30, p75: 120 });
    expect(prepared?.envelopesPerSecond).toBe(50_000);
  });

  it('compare several threads with one in the same state', () => {
    expect(twoThreads?.timesOneThread).toEqual({ median: 2, p25: 2, p75: 2 });
    expect(prepared?.timesOneThread).toBeUndefined();
  });

  it('compare nothing with an operation that it is not', () => {
    expect(preparing?.timesLibsignal).toBeUndefined();
    expect(preparing?.timesNoble).toBeUndefined();
  });
});
