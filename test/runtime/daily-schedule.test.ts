import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SealcastError, type Refusal } from 'sealcast';
import { PreKeys } from '#dist/src/account/prekeys/manager.js';
import { DailySchedule } from '#dist/src/runtime/daily-schedule.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { openAccountScene } from '../harness/account-scene.js';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { builtFile } from '../harness/built-file.js';
import { refusedField } from '../harness/refusals.js';
import { runProcess } from '../harness/run-process.js';

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('the schedule of prekeys', () => {
  const runs: AbortSignal[] = [];
  const errors: string[] = [];
  let outcome: () => Promise<Refusal | undefined>;
  let schedule: DailySchedule;
  let clock: ManualClock;

  beforeEach(() => {
    clock = new ManualClock();
    runs.length = 0;
    errors.length = 0;
    outcome = () => Promise.resolve(undefined);
    schedule = new DailySchedule(
      {
        operation: 'the work',
        run: (signal) => {
          runs.push(signal);
          return outcome();
        },
        failed: ({ code }) => void errors.push(code),
      },
      clock,
    );
  });
  afterEach(() => schedule.stop());
  const pass = (ms: number): Promise<unknown> => clock.passInTurns(ms);

  it('runs when it is started, then about once a day, at another time of it each time', async () => {
    schedule.start();
    schedule.start();
    await pass(0);
    expect(runs).toHaveLength(1);
    const times: number[] = [];
    let lastMs = clock.monotonicMs();
    outcome = () => {
      times.push(clock.monotonicMs() - lastMs);
      lastMs = clock.monotonicMs();
      return Promise.resolve(undefined);
    };
    await pass(12 * DAY_MS);
    expect(times.length).toBeGreaterThanOrEqual(10);
    expect(times.every((ms) => ms >= 0.9 * DAY_MS - 1 && ms <= 1.1 * DAY_MS + 1)).toBe(true);
    expect(new Set(times).size).toBe(times.length);
  });

  it('runs soon when prekeys were used, once for all that is used meanwhile', async () => {
    schedule.start();
    await pass(0);
    for (let i = 0; i < 100; i++) schedule.soon();
    await pass(4 * SECOND_MS);
    schedule.soon();
    expect(runs).toHaveLength(1);
    await pass(SECOND_MS);
    expect(runs).toHaveLength(2);
    await pass(HOUR_MS);
    expect(runs).toHaveLength(2);
  });

  it('runs again when prekeys were used while it ran, and never twice at once', async () => {
    let end!: () => void;
    outcome = () => new Promise((resolve) => (end = () => resolve(undefined)));
    schedule.start();
    await pass(0);
    schedule.soon();
    await pass(HOUR_MS);
    expect(runs).toHaveLength(1);
    end();
    await pass(5 * SECOND_MS);
    expect(runs).toHaveLength(2);
    end();
  });

  it('tries again what the service refused, later each time, and reports it each time', async () => {
    outcome = () => Promise.resolve({ status: 'unavailable' });
    schedule.start();
    await pass(0);
    expect(runs).toHaveLength(1);
    await pass(5 * SECOND_MS - 1);
    expect(runs).toHaveLength(1);
    await pass(5 * SECOND_MS + 1);
    expect(runs).toHaveLength(2);
    await pass(10 * DAY_MS);
    // An hour at most, and half of it at least: in ten days 240 to 480 times, and some at first.
    expect(runs.length).toBeGreaterThan(240);
    expect(runs.length).toBeLessThan(500);
    expect(new Set(errors)).toEqual(new Set(['ERR_SERVICE_UNAVAILABLE']));
    expect(errors).toHaveLength(runs.length);
    outcome = () => Promise.resolve(undefined);
    await pass(HOUR_MS);
    const recovered = runs.length;
    await pass(HOUR_MS);
    expect(runs).toHaveLength(recovered);
  });

  it('leaves the service the time that it wants', async () => {
    outcome = () => Promise.resolve({ status: 'rate-limited', retryAfterMs: 3 * HOUR_MS });
    schedule.start();
    await pass(0);
    // What is used does not make it come earlier.
    schedule.soon();
    await pass(3 * HOUR_MS - 1);
    expect(runs).toHaveLength(1);
    // An eighth more at most: those that were refused together do not come back together.
    await pass(1 + (3 * HOUR_MS) / 8);
    expect(runs).toHaveLength(2);
  });

  it.each([
    'ERR_CLOSED',
    'ERR_STORE_LOCKED',
    'ERR_TRANSPORT_REFUSED',
    'ERR_LIBSIGNAL_UNAVAILABLE',
  ] as const)('does not try again after %s', async (code) => {
    outcome = () => Promise.reject(new SealcastError(code, 'for good'));
    schedule.start();
    await pass(10 * DAY_MS);
    expect(runs).toHaveLength(1);
    expect(errors).toEqual([code]);
  });

  it('goes on after a listener that throws, and after what is no SealcastError', async () => {
    const thrown: unknown[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((callback) => {
      try {
        callback();
      } catch (error) {
        thrown.push(error);
      }
    });
    const failing = new DailySchedule(
      {
        operation: 'the work',
        run: () => Promise.reject(new TypeError('odd')),
        failed: (error) => {
          throw error;
        },
      },
      clock,
    );
    failing.start();
    await pass(10 * SECOND_MS);
    expect(thrown.length).toBeGreaterThanOrEqual(2);
    expect(thrown[0]).toMatchObject({
      name: 'SealcastError',
      cause: expect.any(TypeError) as unknown,
    });
    await failing.stop();
    vi.restoreAllMocks();
  });

  it('aborts what is under way when it is stopped, says nothing of it, and can be started again', async () => {
    outcome = () =>
      new Promise((_resolve, reject) => {
        for (const signal of runs)
          signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    schedule.start();
    await pass(0);
    const stopped = schedule.stop();
    outcome = () => Promise.resolve(undefined);
    schedule.start();
    await stopped;
    await pass(0);
    expect(runs.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(errors).toEqual([]);
    await schedule.stop();
    schedule.soon();
    await pass(10 * DAY_MS);
    expect(runs).toHaveLength(2);
  });
});

describe('prekeys that are started', () => {
  it('are maintained, and what fails of it is told; what is noted before counts for nothing', async () => {
    const scene = await openAccountScene();
    const onError = vi.fn();
    const preKeys = new PreKeys(scene.runtime, scene.service);
    preKeys.problems.subscribe(onError);
    preKeys.noteUsed(1);
    preKeys.start();
    await neverHangs(
      untilTrue(() => scene.service.accountCountOf('uploadPreKeys') === 1),
      'the first upload',
    );
    await preKeys.stop();
    expect(scene.service.accountCountOf('countPreKeys')).toBe(1);
    scene.service.answer('countPreKeys', { status: 'unavailable' });
    preKeys.start();
    await neverHangs(
      untilTrue(() => onError.mock.calls.length === 1),
      'an error',
    );
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'ERR_SERVICE_UNAVAILABLE' }),
    );
    await preKeys.stop();
    expect(() => preKeys.noteUsed(-1)).toThrow(expect.objectContaining(refusedField('count')));
    await scene.close();
  });

  it('that are stopped end what is under way', async () => {
    const scene = await openAccountScene();
    const onError = vi.fn();
    const preKeys = new PreKeys(scene.runtime, scene.service);
    preKeys.problems.subscribe(onError);
    scene.service.accountIntercepts.set('uploadPreKeys', () => new Promise(() => undefined));
    preKeys.start();
    await neverHangs(
      untilTrue(() => scene.service.accountCountOf('uploadPreKeys') === 1),
      'the upload',
    );
    await preKeys.stop();
    scene.service.answer('uploadPreKeys', undefined);
    await preKeys.maintain();
    expect(scene.service.preKeys.preKeys).toHaveLength(100);
    expect(onError).not.toHaveBeenCalled();
    await scene.close();
  });

  it('leave nothing that would keep the process alive', async () => {
    const { exitCode, stdout } = await runProcess(builtFile('test/harness/idle-schedule.js'), []);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'waiting\n' });
  });
});
