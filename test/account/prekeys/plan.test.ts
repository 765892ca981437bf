import { describe, expect, it } from 'vitest';
import {
  idsOf,
  isLastResort,
  newState,
  planOf,
  withNew,
  withUploaded,
} from '#dist/src/account/prekeys/plan.js';
import type { PreKeyRange } from '#dist/src/store/tables/account.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW_MS = Date.UTC(2026, 10, 22);
const HIGHEST = 0xff_ffff;

const range = (uploadedMs: number): PreKeyRange => ({
  firstId: 1,
  count: 100,
  uploadedMs,
  replacedMs: 0,
});

describe('the plan for one-time prekeys', () => {
  const had = range(NOW_MS - DAY_MS);
  const open = range(0);

  it.each<[string, PreKeyRange[], number, boolean, boolean, string]>([
    [
      'new ones where there have been none, however many the service has',
      [],
      100,
      false,
      false,
      'new',
    ],
    ['nothing where there are ten', [had], 10, false, false, 'none'],
    ['new ones where there are nine', [had], 9, false, false, 'new'],
    ['the same again where the service has too few of them', [had, open], 9, false, false, 'again'],
    [
      'nothing where the service has enough, which it had not before',
      [had, open],
      100,
      false,
      true,
      'none',
    ],
    ['new ones where some were used, and few are left', [had, open], 9, true, true, 'new'],
    ['nothing where some were used, and enough are left', [open], 50, true, true, 'none'],
    ['the same again where the service has none at all', [open], 0, false, false, 'again'],
    ['new ones where the service may have those of somebody else', [open], 60, false, false, 'new'],
  ])('is %s', (_title, ranges, count, isUsed, isTaken, step) => {
    expect(planOf(ranges, { count, isUsed, nowMs: NOW_MS })).toEqual({ isTaken, step });
  });
});

describe('the plan for signed prekeys', () => {
  it.each<[string, PreKeyRange[], boolean, string]>([
    ['a new one where there is none', [], false, 'new'],
    ['nothing for two days', [range(NOW_MS - 2 * DAY_MS + 1)], false, 'none'],
    ['a new one from then on', [range(NOW_MS - 2 * DAY_MS)], false, 'new'],
    ['a new one where the last one is of the future', [range(NOW_MS + 1)], false, 'new'],
    ['the same again where it may not have arrived', [range(NOW_MS), range(0)], false, 'again'],
    ['a new one where it is lost', [range(0)], true, 'new'],
  ])('is %s', (_title, ranges, isUsed, step) => {
    expect(planOf(ranges, { count: undefined, isUsed, nowMs: NOW_MS })).toEqual({
      isTaken: false,
      step,
    });
  });
});

describe('ids of prekeys', () => {
  it('are random at first, and never zero', () => {
    const firsts = Array.from({ length: 200 }, () => newState().nextPreKeyId);
    expect(new Set(firsts).size).toBeGreaterThan(190);
    expect(firsts.every((id) => id >= 1 && id <= HIGHEST)).toBe(true);
  });

  it('go on with 1 behind the highest one', () => {
    expect(idsOf({ firstId: HIGHEST - 1, count: 4 })).toEqual([HIGHEST - 1, HIGHEST, 1, 2]);
    const { state, range: made } = withNew({ ...newState(), nextPreKeyId: HIGHEST }, 'preKeys');
    expect([made.firstId, state.nextPreKeyId]).toEqual([HIGHEST, 100]);
    expect(
      withNew({ ...newState(), nextSignedPreKeyId: HIGHEST }, 'signedPreKeys').state
        .nextSignedPreKeyId,
    ).toBe(1);
  });

  it('of one-time and last-resort Kyber prekeys never meet, and the latter are known', () => {
    const kyber = withNew({ ...newState(), nextKyberPreKeyId: HIGHEST }, 'kyberPreKeys');
    const lastResort = withNew(kyber.state, 'lastResortKyberPreKeys');
    expect(idsOf(kyber.range)).not.toContain(lastResort.range.firstId);
    for (const id of idsOf(kyber.range)) expect(isLastResort(lastResort.state, id)).toBe(false);
    expect(isLastResort(lastResort.state, lastResort.range.firstId)).toBe(true);
    expect(isLastResort(newState(), 1)).toBe(false);
  });

  it('are replaced once others are uploaded, at the time of the first of those', () => {
    const first = withUploaded(withNew(newState(), 'preKeys').state, 'preKeys', 10);
    const second = withUploaded(withNew(first, 'preKeys').state, 'preKeys', 20);
    const third = withUploaded(withNew(second, 'preKeys').state, 'preKeys', 30);
    expect(third.preKeys.map(({ uploadedMs, replacedMs }) => [uploadedMs, replacedMs])).toEqual([
      [10, 20],
      [20, 30],
      [30, 0],
    ]);
  });
});
