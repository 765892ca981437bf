import { SYSTEM_CLOCK, type Clock } from '#dist/src/util/clock.js';

/**
 * The machine's clock, which a test sets forward or back, with sleeps that are noted and take a
 * part of their time.
 */
export class FastClock implements Clock {
  /** ms of each sleep, as it was asked for. */
  readonly sleeps: number[] = [];
  readonly #speed: number;
  #aheadMs = 0;

  /**
   * @param speed by which the time of each sleep is divided; Infinity: each takes one turn of the
   * event loop.
   */
  constructor(speed = 1) {
    this.#speed = speed;
  }

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  monotonicMs(): number {
    return SYSTEM_CLOCK.monotonicMs();
  }

  setTimeout(callback: () => void, ms: number): () => void {
    return SYSTEM_CLOCK.setTimeout(callback, ms);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return SYSTEM_CLOCK.sleep(ms / this.#speed, signal);
  }

  /** The clock is set. */
  set(nowMs: number): void {
    this.#aheadMs = nowMs - Date.now();
  }
}
