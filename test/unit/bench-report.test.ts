import { describe, expect, it } from 'vitest';
import { rowsOf } from '../../bench/envelope/report.js';
import type { RoundSample } from '../../bench/envelope/rounds.js';
import { summarize } from '../../bench/report/statistics.js';
import { formatMarkdownTable, formatNumber, formatTable } from '../../bench/report/table.js';

describe('the benchmarks’ arithmetic', () => {
  it('gives median and quartiles, between the samples where it must', () => {
    expect(summarize([5, 1, 4, 2, 3])).toEqual({ median: 3, p25: 2, p75: 4 });
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, p25: 1.75, p75: 3.25 });
    expect(summarize([7])).toEqual({ median: 7, p25: 7, p75: 7 });
    expect(() => summarize([])).toThrow(RangeError);
  });

  it('takes ratios within a round: a disturbance of all does not show in them', () => {
    const rounds = (microseconds: number[]): RoundSample[] =>
      microseconds.map((each) => ({ microseconds: each, cpuMicroseconds: 2 * each }));
    const samples = new Map([
      ['ours', rounds([10, 100, 20])],
      ['libsignal', rounds([20, 200, 40])],
      ['noble', rounds([1000, 10000, 2000])],
    ]);
    const [ours] = rowsOf('seal', samples, { libsignal: 'libsignal', noble: 'noble' });
    expect(ours?.timesLibsignal).toEqual({ median: 2, p25: 2, p75: 2 });
    expect(ours?.timesNoble.median).toBe(100);
    expect(ours?.microsecondsPerEnvelope.median).toBe(20);
    expect(ours?.cpuMicrosecondsPerEnvelope).toEqual({ median: 40, p25: 30, p75: 120 });
    expect(ours?.envelopesPerSecond).toBe(50_000);
  });

  it('prints three significant digits', () => {
    const printed = [0.012345, 0.5, 1, 1.005, 12.34, 99.96, 123.4, 999.9, 1234, 1234567].map(formatNumber);
    expect(printed).toEqual(['0.0123', '0.500', '1.00', '1.00', '12.3', '100', '123', '1,000', '1,230', '1,230,000']);
  });

  it('aligns columns', () => {
    expect(formatTable(['a', 'b'], [['long', '1']])).toBe('a     b\n----  -\nlong  1');
    expect(formatMarkdownTable(['a', 'b'], [['long', '1']])).toBe('| a    |   b |\n| ---- | --: |\n| long |   1 |');
  });
});
