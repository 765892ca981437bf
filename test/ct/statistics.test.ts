import { describe, expect, it } from 'vitest';
import { findSensitivity } from './sensitivity.js';
import { compareInSeries, lessNeighbours, type Series } from './series.js';
import {
  CROPS,
  T_SUSPECT,
  compareClasses,
  maxTMean,
  maxTVariance,
  welchT,
  type CropSide,
  type CropTest,
} from './statistics.js';
import { seededBytes } from '../harness/seeded-random.js';

/** From 0 up to below 1, the same in every run. */
function seededNumbers(seed: string): () => number {
  const draws = new DataView(seededBytes(seed)(4 * 2_000_000).buffer);
  let at = 0;
  return () => draws.getUint32(4 * at++) / 2 ** 32;
}
/** About normal, with a standard deviation of 1: the sum of twelve even ones less six. */
function normal(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}
/** All samples, none cropped. */
function compareWhole(first: Float64Array, second: Float64Array, side: CropSide): CropTest {
  const whole = compareClasses(first, second, side).find(({ crop }) => crop === 1);
  if (whole === undefined) throw new Error('too few samples');
  return whole;
}
const repeated = (values: readonly number[], times: number): Float64Array =>
  Float64Array.from({ length: values.length * times }, (_, i) => values[i % values.length]!);

/**
 * Times of two classes around 1,000 ns, in steps of 10 ns, on a machine whose pace changes by far
 * more than they differ.
 */
function synthetic(count: number, differenceNs: number, seed: string): Series {
  const random = seededNumbers(seed);
  const classes = Uint8Array.from({ length: count }, () => (random() < 0.5 ? 0 : 1));
  const times = Float64Array.from(classes, (label, i) => {
    const pace = 1_000 + 400 * (Math.floor(i / 500) % 3);
    const interrupted = random() < 0.01 ? 50_000 * random() : 0;
    return 10 * Math.round((pace + label * differenceNs + 15 * normal(random) + interrupted) / 10);
  });
  return { times, classes };
}

describe("Welch's t", () => {
  it('is the difference of the means over its standard error', () => {
    const first = { count: 4, mean: 10, variance: 4 };
    // sqrt(4/4 + 9/9) = sqrt(2)
    expect(welchT(first, { count: 9, mean: 13, variance: 9 })).toBeCloseTo(3 / Math.SQRT2, 12);
    expect(welchT(first, { count: 9, mean: 7, variance: 9 })).toBeCloseTo(-3 / Math.SQRT2, 12);
  });

  it('with a margin counts only what lies beyond it', () => {
    const test = { crop: 1, tMean: -8, tVariance: 0, difference: -4, standardError: 0.5 };
    expect(maxTMean([test])).toBe(8);
    expect(maxTMean([test], 1)).toBe(6);
    expect(maxTMean([test], 4)).toBe(0);
    expect(maxTMean([test, { ...test, tMean: 3, difference: 6 }], 3)).toBe(2);
  });

  it('is 0 for constants that are equal, and without bound for others', () => {
    const constant = { count: 9, mean: 7, variance: 0 };
    expect(welchT(constant, constant)).toBe(0);
    expect(welchT(constant, { ...constant, mean: 8 })).toBe(Infinity);
  });

  it('comes of two classes as by hand', () => {
    // 200 each, half 0 and half 2 against half 1 and half 3: both variances are 200/199.
    const whole = compareWhole(repeated([0, 2], 100), repeated([1, 3], 100), 'smallest');
    expect(whole.difference).toBeCloseTo(1, 12);
    expect(whole.standardError).toBeCloseTo(Math.sqrt((2 * (200 / 199)) / 200), 12);
    expect(whole.tMean).toBeCloseTo(1 / Math.sqrt(2 / 199), 9);
    expect(whole.tVariance).toBeCloseTo(0, 9);
  });

  it('sees variances that differ where means do not', () => {
    // Squares: 1 always, against 9 or 1: mean 5, variance 16, 400 of them.
    const whole = compareWhole(repeated([-1, 1], 200), repeated([-3, -1, 1, 3], 100), 'central');
    expect(whole.tMean).toBe(0);
    expect(whole.tVariance).toBeCloseTo(4 / Math.sqrt(16 / 400), 9);
  });

  it('does not suffer from times that are far from zero', () => {
    const near = compareWhole(repeated([0, 2], 100), repeated([1, 3], 100), 'smallest');
    const far = compareWhole(
      repeated([1e9, 1e9 + 2], 100),
      repeated([1e9 + 1, 1e9 + 3], 100),
      'smallest',
    );
    expect(far.tMean).toBeCloseTo(near.tMean, 6);
  });
});

describe('crops', () => {
  it("are every fifth of dudect's percentiles, and all", () => {
    expect(CROPS).toHaveLength(21);
    expect(CROPS[0]).toBeCloseTo(1 - 0.5 ** 0.5, 12);
    expect(CROPS[19]).toBeCloseTo(1 - 0.5 ** 10, 12);
    expect(CROPS[20]).toBe(1);
  });

  it('cut the slow end off both classes at one limit', () => {
    // 1 in 50 of the second class was interrupted: 1 % of all samples.
    const second = repeated([1, 3], 500).map((time, i) => (i % 50 === 0 ? 1e6 : time));
    const tests = compareClasses(repeated([1, 3], 500), second, 'smallest');
    expect(tests.find(({ crop }) => crop === 1)?.difference).toBeGreaterThan(1e4);
    const cropped = tests.filter(({ crop }) => crop > 0.9 && crop < 0.99);
    expect(cropped.length).toBeGreaterThan(3);
    for (const { difference } of cropped) expect(Math.abs(difference)).toBeLessThan(0.1);
  });

  it('of centred samples cut both ends off', () => {
    const spread = repeated([-1e6, -1, 1, 1e6], 250);
    const half = compareClasses(spread, spread, 'central').find(({ crop }) => crop === 0.5);
    expect(half?.standardError).toBeCloseTo(Math.sqrt((2 * (500 / 499)) / 500), 9);
  });

  it('that leave too few of a class are passed over', () => {
    const tests = compareClasses(repeated([1], 1_000), repeated([2], 1_000), 'smallest');
    expect(tests.map(({ crop }) => crop)).toEqual(CROPS.filter((crop) => crop > 0.5));
    expect(compareClasses(repeated([1], 99), repeated([2], 99), 'smallest')).toEqual([]);
  });
});

describe('times less their neighbours', () => {
  it('are taken from the median of the seven others', () => {
    const { times, spreads } = lessNeighbours(Float64Array.of(10, 80, 20, 70, 30, 60, 40, 50));
    expect([...times]).toEqual([-40, 40, -30, 30, -20, 20, -10, 10]);
    expect(new Set(spreads)).toEqual(new Set([40]));
  });

  it('are the same at any pace that a group shares', () => {
    const { times } = synthetic(64, 0, 'pace');
    const slower = times.map((time, i) => time + 1_000 * Math.floor(i / 8));
    expect(lessNeighbours(slower)).toEqual(lessNeighbours(times));
  });

  it('leave out what fills no group', () => {
    expect(lessNeighbours(new Float64Array(23)).times).toHaveLength(16);
  });
});

describe('two classes in a series', () => {
  const largest = (series: Series): number => {
    const tests = compareInSeries(series, 1);
    return Math.max(maxTMean(tests), maxTVariance(tests));
  };

  it('that take the same time are not told apart', () => {
    for (const seed of ['a', 'b', 'c'])
      expect(largest(synthetic(40_000, 0, seed))).toBeLessThan(T_SUSPECT);
  });

  it('that differ by a fifth of the noise are', () => {
    for (const seed of ['a', 'b', 'c'])
      expect(largest(synthetic(40_000, 3, seed))).toBeGreaterThan(T_SUSPECT);
  });

  it('could have been told apart by what the sensitivity says', () => {
    const series = synthetic(40_000, 0, 'sensitivity');
    const { chanceMaxT, smallestVisibleNs } = findSensitivity(
      series,
      10,
      0,
      seededNumbers('deals'),
    );
    expect(chanceMaxT).toBeLessThan(T_SUSPECT);
    // Were nothing cropped and nothing else in the times: 4.5 * 15 ns * sqrt(2 / 20,000) = 0.7 ns.
    expect(smallestVisibleNs).toBeGreaterThan(0.7);
    expect(smallestVisibleNs).toBeLessThan(3);
  });

  it('whose times are all the same say nothing of their sensitivity', () => {
    const { classes } = synthetic(4_000, 0, 'constant');
    const { smallestVisibleNs } = findSensitivity(
      { times: new Float64Array(4_000).fill(50), classes },
      10,
    );
    expect(smallestVisibleNs).toBeNull();
  });
});
