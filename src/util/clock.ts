/** The time, and calls that come at a time. Injected, so that a test moves it by hand. */
export interface Clock {
  /** ms since the epoch, as the machine has it: it may be set forward or back. */
  now(): number;
  /** ms since any moment; never goes back, and may stand still while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Calls back once after that many ms, any number of them. Does not keep the process alive.
   *
   * @returns a call that cancels it.
   */
  setTimeout(callback: () => void, ms: number): () => void;
}

/** Longest time that Node's timers take; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function systemTimeout(callback: () => void, ms: number): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const turnMs = Math.min(leftMs, MAX_TIMER_MS);
    timer = setTimeout(() => (leftMs > turnMs ? wait(leftMs - turnMs) : callback()), turnMs).unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}

/** The machine's own. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: systemTimeout,
};
