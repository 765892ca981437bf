import { describe, expect, test } from 'vitest';
import { Backoff, backoffMs } from '#dist/src/util/backoff.js';

const waits = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.next());

describe('Backoff', () => {
  test('doubles what it may wait, from 1 s up to 60 s', () => {
    const backoff = new Backoff({ random: () => 0.5 });
    expect(waits(backoff, 9)).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  test('waits any part of it, from nothing on', () => {
    const parts = [0, 0.25, 0.999];
    const backoff = new Backoff({ baseMs: 100, capMs: 1_000, random: () => parts.shift()! });
    expect(waits(backoff, 3)).toEqual([0, 50, 399.6]);
  });

  test('starts again when the service has answered', () => {
    const backoff = new Backoff({ random: () => 0.5 });
    waits(backoff, 5);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([500, 1_000]);
  });

  test('never waits longer than the cap, however often it failed', () => {
    const backoff = new Backoff({ random: () => 0.5 });
    expect(waits(backoff, 2_000).at(-1)).toBe(30_000);
  });
});

describe('backoffMs()', () => {
  const growth = { baseMs: 1_000, capMs: 60_000 };

  test('doubles with each failure, up to the cap', () => {
    const waits = [0, 1, 2, 5, 6, 2_000].map((failures) =>
      backoffMs(failures, { ...growth, random: () => 1 }),
    );
    expect(waits).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  });

  test.each([
    [0, 0, 1_000],
    [0.5, 500, 1_000],
    [1, 1_000, 1_000],
  ])('with a floor of %d waits %i to %i ms after the first failure', (floor, least, most) => {
    expect(backoffMs(0, { ...growth, floor, random: () => 0 })).toBe(least);
    expect(backoffMs(0, { ...growth, floor, random: () => 1 })).toBe(most);
  });
});
