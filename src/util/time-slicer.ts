import { setImmediate as nextTurn } from 'node:timers/promises';
import { SYSTEM_CLOCK } from './clock.js';

/** Milliseconds that one turn of the event loop may take before the rest of the work waits. */
export const TURN_MS = 2;

/**
 * Splits work on this thread into turns of the event loop, by the time that it takes: `if
 * (slicer.isOver) await slicer.next()`.
 */
export class TimeSlicer {
  readonly #now: () => number;
  #startMs: number;

  /** @param now a monotonic clock, ms; tests inject one. */
  constructor(now: () => number = () => SYSTEM_CLOCK.monotonicMs()) {
    this.#now = now;
    this.#startMs = now();
  }

  /** Whether this turn has taken its time. */
  get isOver(): boolean {
    return this.#now() - this.#startMs >= TURN_MS;
  }

  /** Resolves in the next turn of the event loop. */
  async next(): Promise<void> {
    await nextTurn();
    this.#startMs = this.#now();
  }
}
