import { setTimeout as delay } from 'node:timers/promises';

/** The longest that a timer takes: 2^31 - 1 ms. Longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves after so many ms, however many; rejects with the signal's reason. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  const endMs = performance.now() + ms;
  for (let leftMs = ms; leftMs > 0; leftMs = endMs - performance.now()) {
    signal?.throwIfAborted();
    try {
      await delay(Math.min(leftMs, MAX_TIMER_MS), undefined, signal && { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }
}

/** Up to `ceilingMs`, doubling with each attempt from `baseMs` on, a random part of it: many do not come back together. */
export function backoffMs(attempt: number, baseMs: number, ceilingMs: number, random = Math.random): number {
  return Math.min(ceilingMs, baseMs * 2 ** Math.min(attempt, 30)) * (0.5 + random() / 2);
}
