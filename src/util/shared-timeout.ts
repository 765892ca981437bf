import type { Clock } from './clock.js';

interface Waiting {
  readonly callback: () => void;
  readonly atMs: number;
}

/**
 * Timeouts of one length, with one timer for all of them: a timer of its own for each of thousands
 * of requests a second, all but a few canceled, costs more than what they watch over.
 *
 * Its timer keeps no process alive.
 */
export class SharedTimeout {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>;
  readonly #ms: number;
  /** In the order of their ends, which is that of their beginnings. */
  readonly #waiting = new Set<Waiting>();
  #isTimed = false;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** Number of timeouts that have not ended. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Calls back once, when the time is over. @returns a call that cancels it. */
  add(callback: () => void): () => void {
    const waiting = { callback, atMs: this.#clock.monotonicMs() + this.#ms };
    this.#waiting.add(waiting);
    if (!this.#isTimed) this.#time(this.#ms);
    return () => this.#waiting.delete(waiting);
  }

  #time(ms: number): void {
    this.#isTimed = true;
    this.#clock.setTimeout(() => {
      this.#isTimed = false;
      this.#end();
    }, ms);
  }

  #end(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const waiting of this.#waiting) {
      if (waiting.atMs > nowMs) {
        this.#time(waiting.atMs - nowMs);
        return;
      }
      this.#waiting.delete(waiting);
      waiting.callback();
    }
  }
}
