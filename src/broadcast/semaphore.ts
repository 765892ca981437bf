import { Fifo } from '../pool/fifo.js';

interface Waiter {
  readonly grant: () => void;
  readonly isGone: () => boolean;
}

/** So many permits; who finds none waits for his turn. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Fifo<Waiter>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves with so many permits; rejects with the signal's reason. */
  async acquire(signal: AbortSignal, permits = 1): Promise<void> {
    for (let i = 0; i < permits; i++) await this.#acquireOne(signal);
  }

  #acquireOne(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      let gone = false;
      const abort = (): void => {
        gone = true;
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push({
        grant: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
        isGone: () => gone,
      });
    });
  }

  release(): void {
    this.#free += 1;
    this.#serve();
  }

  #serve(): void {
    while (this.#free > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (next.isGone()) continue;
      this.#free -= 1;
      next.grant();
    }
  }
}
