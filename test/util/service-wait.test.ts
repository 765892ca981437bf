import { describe, expect, test } from 'vitest';
import { parseRetryAfterMs, serviceWaitMs } from '#dist/src/util/service-wait.js';

const NOW_MS = Date.UTC(2026, 10, 27, 12);

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['7', 7_000],
    [' 120 ', 120_000],
    ['Fri, 27 Nov 2026 12:00:30 GMT', 30_000],
    ['Fri, 27 Nov 2026 11:00:00 GMT', 0],
  ])('%j is %d ms', (value, expected) => {
    expect(parseRetryAfterMs(value, NOW_MS)).toBe(expected);
  });

  test.each([
    undefined,
    '',
    '-5',
    '1.5',
    '1e3',
    '0x10',
    'soon',
    '2026-11-27',
    'Fri, 99 Nov 2026 12:00:30 GMT',
  ])('%j says nothing', (value) => {
    expect(parseRetryAfterMs(value, NOW_MS)).toBeUndefined();
  });
});

describe('the wait before a request is repeated', () => {
  const waitMs = (retryAfterMs: number | undefined, refusals = 0, random = 0): number =>
    serviceWaitMs({ retryAfterMs, refusals, ceilingMs: 3_600_000, random: () => random });

  test.each([undefined, 0, -5, Number.NaN, Number.NEGATIVE_INFINITY])(
    'is a second at least, for %s',
    (retryAfterMs) => {
      expect(waitMs(retryAfterMs)).toBe(1_000);
    },
  );

  test('doubles with each refusal in a row, up to a minute', () => {
    expect([0, 1, 2, 5, 6, 100].map((refusals) => waitMs(0, refusals))).toEqual([
      1_000, 2_000, 4_000, 32_000, 60_000, 60_000,
    ]);
  });

  test('is what the service asks for where that is longer, and at most the ceiling', () => {
    expect(waitMs(90_000)).toBe(90_000);
    expect(waitMs(2 ** 60)).toBe(3_600_000);
    expect(waitMs(Number.POSITIVE_INFINITY)).toBe(3_600_000);
  });

  test('has a random eighth on top', () => {
    expect(waitMs(8_000, 0, 1)).toBe(9_000);
  });
});
