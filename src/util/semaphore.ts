import type { AbortWatch } from './abort-watch.js';
import { Queue } from './queue.js';

interface Waiter {
  readonly grant: () => void;
  readonly isGone: () => boolean;
}

/** Counting semaphore with FIFO waiters and AbortSignal support. */
export class Semaphore {
  #free: number;
  readonly #aborts: AbortWatch;
  readonly #waiting = new Queue<Waiter>();

  constructor(permits: number, aborts: AbortWatch) {
    this.#free = permits;
    this.#aborts = aborts;
  }

  /** Resolves with the permits; rejects with the signal's reason. */
  async acquire(signal: AbortSignal, permits = 1): Promise<void> {
    for (let i = 0; i < permits; i++) {
      signal.throwIfAborted();
      if (this.#free > 0) this.#free -= 1;
      else await this.#wait(signal);
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let gone = false;
      const unwatch = this.#aborts.add(signal, () => {
        gone = true;
        unwatch();
        reject(signal.reason as Error);
      });
      this.#waiting.push({
        grant: () => {
          unwatch();
          resolve();
        },
        isGone: () => gone,
      });
    });
  }

  /** Gives the caller's permit to others while the work goes on, and takes one again after it. */
  async releaseWhile(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    this.release();
    await work();
    await this.acquire(signal);
  }

  release(): void {
    this.#free += 1;
    while (this.#free > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (next.isGone()) continue;
      this.#free -= 1;
      next.grant();
    }
  }
}
