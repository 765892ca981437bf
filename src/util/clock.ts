import { setImmediate as nextTurn } from 'node:timers/promises';
import { AbortWatch } from './abort-watch.js';

/** The time, and calls that come at a time. Injected, so that a test moves it by hand. */
export interface Clock {
  /** ms since the epoch, as the machine has it: it may be set forward or back. */
  now(): number;
  /** ms since any moment; never goes back, and may stand still while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Calls back once after that many ms, any number of them. Keeps the process alive only where the
   * options say so.
   *
   * @returns a call that cancels it.
   */
  setTimeout(callback: () => void, ms: number, options?: TimeoutOptions): () => void;
  /**
   * Resolves after that many ms, however many; rejects with the signal's reason.
   *
   * Ends in a later turn of the event loop even for 0 ms, so that a loop that sleeps always lets
   * others run. Keeps the process alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface TimeoutOptions {
  readonly keepsAlive?: boolean;
}

/** Longest time that Node's timers take; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function systemTimeout(
  callback: () => void,
  ms: number,
  { keepsAlive = false }: TimeoutOptions = {},
): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const turnMs = Math.min(leftMs, MAX_TIMER_MS);
    timer = setTimeout(() => (leftMs > turnMs ? wait(leftMs - turnMs) : callback()), turnMs);
    if (!keepsAlive) timer.unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** Thousands of requests sleep on one signal: with a listener each, Node warns of a leak. */
const aborts = new AbortWatch();

async function systemSleep(ms: number, signal?: AbortSignal): Promise<void> {
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

/** The machine's own. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: systemTimeout,
  sleep: systemSleep,
};

/**
 * Keeps the process alive: connections and workers do not, and Node would end a process that only
 * waits for them (exit code 13).
 *
 * @returns a call that ends it.
 */
export function keepProcessAlive(): () => void {
  const timer = setInterval(() => undefined, MAX_TIMER_MS);
  return () => clearInterval(timer);
}
