import { setImmediate as nextTurn } from 'node:timers/promises';
import { AbortWatch } from './abort-watch.js';

/** The longest that a timer takes: 2^31 - 1 ms. Longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Thousands of requests wait on one signal: with a listener each, Node warns of a leak. */
const aborts = new AbortWatch();

/**
 * Resolves after a number of milliseconds, in a later turn of the event loop even for 0. Any number
 * will do, and a loop that waits always lets others run. Rejects with the signal's reason.
 */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (!(ms > 0)) {
    await nextTurn();
    signal?.throwIfAborted();
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const endMs = performance.now() + ms;
    let timer: NodeJS.Timeout;
    const unwatch =
      signal &&
      aborts.add(signal, () => {
        clearTimeout(timer);
        unwatch?.();
        reject(signal.reason as Error);
      });
    const arm = (leftMs: number): void => {
      timer = setTimeout(
        () => {
          const stillMs = endMs - performance.now();
          if (stillMs > 0) {
            arm(stillMs);
            return;
          }
          unwatch?.();
          resolve();
        },
        Math.min(leftMs, MAX_TIMER_MS),
      );
    };
    arm(ms);
  });
}

/**
 * Up to `ceilingMs`, doubling with each attempt from `baseMs` on, a random part of it: many do not
 * come back together.
 */
export function backoffMs(attempt: number, baseMs: number, ceilingMs: number, random = Math.random): number {
  return Math.min(ceilingMs, baseMs * 2 ** Math.min(attempt, 30)) * (0.5 + random() / 2);
}
