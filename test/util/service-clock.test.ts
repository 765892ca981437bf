import { ServiceClock } from '#dist/src/util/service-clock.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

let local: ManualClock;
let clock: ServiceClock;
beforeEach(() => {
  local = new ManualClock();
  clock = new ServiceClock(local, true);
});

/** The service, whose clock is ahead by that, answers a request that took that long. */
function sample(aheadMs: number, roundTripMs = 100): void {
  const startMs = local.monotonicMs();
  const serverMs = local.now() + roundTripMs / 2 + aheadMs;
  local.pass(roundTripMs);
  clock.take({ serverMs, startMs, endMs: startMs + roundTripMs });
}
const aheadMs = (): number => clock.now() - local.now();

describe('a ServiceClock', () => {
  it('is the local clock until it has a sample, whatever that jumps', () => {
    expect(aheadMs()).toBe(0);
    local.jump(-9 * DAY_MS);
    expect(aheadMs()).toBe(0);
    expect(clock.offsetMs).toBeUndefined();
    expect(clock.isProvisional).toBe(true);
  });

  it('is provisional only where samples are to be expected', () => {
    expect(new ServiceClock(local, false).isProvisional).toBe(false);
    sample(0);
    expect(clock.isProvisional).toBe(false);
  });

  it.each([3 * DAY_MS, -3 * DAY_MS])(
    'shows the service’s time from the first sample on (%i ms)',
    (offsetMs) => {
      sample(offsetMs);
      expect(aheadMs()).toBe(offsetMs);
      expect(clock.offsetMs).toBe(offsetMs);
      local.pass(DAY_MS);
      expect(aheadMs()).toBe(offsetMs);
    },
  );

  it('compares with the middle of the request, also where the sample comes late', () => {
    const startMs = local.monotonicMs();
    const serverMs = local.now() + 1_000 + DAY_MS;
    local.pass(2_000);
    const endMs = local.monotonicMs();
    local.pass(30_000);
    clock.take({ serverMs, startMs, endMs });
    expect(clock.offsetMs).toBe(DAY_MS);
  });

  it('ignores a sample whose round trip is longer than 5 s', () => {
    sample(DAY_MS, 5_001);
    expect(clock.offsetMs).toBeUndefined();
    sample(DAY_MS, 5_000);
    expect(clock.offsetMs).toBe(DAY_MS);
  });

  it.each([
    ['no number', Number.NaN, 0, 0],
    ['infinite', Number.POSITIVE_INFINITY, 0, 0],
    ['seconds for milliseconds', 1_794_000_000, 0, 0],
    ['microseconds for milliseconds', 1_794_000_000_000_000, 0, 0],
    ['ended before it began', Date.UTC(2027), 0, -1],
    ['ended in the future', Date.UTC(2027), 0, 1],
    ['of no start', Date.UTC(2027), Number.NaN, 0],
  ])('ignores an implausible sample: %s', (_, serverMs, startMs, endMs) => {
    clock.take({ serverMs, startMs, endMs });
    expect(clock.offsetMs).toBeUndefined();
    expect(aheadMs()).toBe(0);
  });

  it('takes the median of the last five samples', () => {
    for (const offset of [10, 11, 500, -500, 12]) sample(offset * MINUTE_MS);
    expect(clock.offsetMs).toBe(11 * MINUTE_MS);
    for (let i = 0; i < 3; i++) sample(20 * MINUTE_MS);
    expect(clock.offsetMs).toBe(20 * MINUTE_MS);
  });

  it('leaves out corrections that no sample proves, so that it does not go to and fro', () => {
    for (const offsetMs of [2_900, -2_900, 1_000]) {
      sample(offsetMs);
      expect(aheadMs()).toBe(0);
    }
  });

  it('goes on from where it was when the local clock is set back, and asks to be measured again', () => {
    sample(MINUTE_MS);
    const beforeMs = clock.now();
    local.jump(-5 * DAY_MS);
    local.pass(1_000);
    expect(clock.now()).toBe(beforeMs + 1_000);
    expect(clock.isProvisional).toBe(true);
    sample(MINUTE_MS + 5 * DAY_MS);
    expect(clock.now()).toBe(beforeMs + 1_100);
    expect(clock.isProvisional).toBe(false);
  });

  it('never goes back when the local clock is set forward, and is right again with one sample', () => {
    for (let i = 0; i < 5; i++) sample(3 * DAY_MS);
    const beforeMs = clock.now();
    local.jump(3 * DAY_MS);
    expect(clock.now()).toBeGreaterThanOrEqual(beforeMs);
    expect(clock.isProvisional).toBe(true);
    sample(0);
    expect(aheadMs()).toBe(0);
  });

  it('calls back once when it has been measured, unless that was taken back', () => {
    const calls: string[] = [];
    clock.whenMeasured(() => calls.push('kept'));
    clock.whenMeasured(() => calls.push('cancelled'))();
    expect(calls).toEqual([]);
    sample(0);
    sample(0);
    expect(calls).toEqual(['kept']);
    clock.whenMeasured(() => calls.push('too late'));
    sample(0);
    expect(calls).toEqual(['kept']);
  });
});
