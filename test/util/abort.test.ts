import { getEventListeners } from 'node:events';
import { unlessAborted, untilAborted, withAnySignal } from '#dist/src/util/abort.js';
import { describe, expect, it } from 'vitest';

const never = (): Promise<never> => new Promise(() => undefined);
const reason = new Error('the caller has gone');

describe.each([
  ['unlessAborted()', unlessAborted, { code: 'ERR_ABORTED', cause: reason }],
  ['untilAborted()', untilAborted, { message: reason.message }],
] as const)('%s', (_, race, error) => {
  it('gives what the work gives, with a signal or without, and leaves no listener', async () => {
    const { signal } = new AbortController();
    expect(await race(() => Promise.resolve(1), undefined)).toBe(1);
    expect(await race(() => Promise.resolve(2), signal)).toBe(2);
    await expect(race(() => Promise.reject(new Error('it failed')), signal)).rejects.toThrow(
      'it failed',
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects once the signal fires, and leaves no listener', async () => {
    const controller = new AbortController();
    const waiting = race(never, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toMatchObject(error);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('begins no work where the signal has fired', async () => {
    let begun = false;
    const work = (): Promise<never> => {
      begun = true;
      return never();
    };
    await expect(race(work, AbortSignal.abort(reason))).rejects.toMatchObject(error);
    expect(begun).toBe(false);
  });
});

it('withAnySignal() fires its signal with the reason of the first one that fires', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const seen = withAnySignal([undefined, one.signal, other.signal], async (signal) => {
    other.abort(reason);
    return Promise.resolve(signal.reason as unknown);
  });
  expect(await seen).toBe(reason);
  expect(getEventListeners(one.signal, 'abort')).toEqual([]);
});
