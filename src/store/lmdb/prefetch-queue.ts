import { Queue } from '../../util/queue.js';

/** Most prefetches of a table at once: libuv has four threads, and commits need one of them. */
const MAX_CONCURRENT = 2;
/**
 * Most keys of one prefetch, unless one caller asks for more.
 *
 * A later caller waits some milliseconds for it at most.
 */
const MAX_KEYS = 1024;

/** Part of a table that prefetches use. */
interface PrefetchableTable {
  prefetch(keys: Buffer[]): Promise<void>;
}

interface Waiter {
  readonly keys: readonly Buffer[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Queue of prefetches of one table, which another thread makes.
 *
 * Calls that find others under way wait and share the next prefetch: the first sessions of a
 * broadcast read their contacts one by one, and 2,000 tasks at once held up every commit behind
 * them: an incoming message waited up to 190 ms (measured: Node 20, Zen 4, 2026-11).
 */
export class PrefetchQueue {
  readonly #table: PrefetchableTable;
  readonly #waiting = new Queue<Waiter>();
  readonly #running = new Set<Promise<void>>();

  constructor(table: PrefetchableTable) {
    this.#table = table;
  }

  /** Resolves when the pages of the keys are in memory. */
  fetch(keys: readonly Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keys, resolve, reject });
      this.#startNext();
    });
  }

  /** Resolves when no prefetch is under way: LMDB must not be closed under a thread that reads. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #startNext(): void {
    while (this.#running.size < MAX_CONCURRENT) {
      const shared = this.#takeShared();
      if (shared.length === 0) return;
      const running = this.#prefetch(shared).finally(() => {
        this.#running.delete(running);
        this.#startNext();
      });
      this.#running.add(running);
    }
  }

  /** Takes the callers that share the next prefetch, in order. */
  #takeShared(): Waiter[] {
    const shared: Waiter[] = [];
    let keyCount = 0;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      keyCount += next.keys.length;
      if (keyCount > MAX_KEYS && shared.length > 0) break;
      this.#waiting.shift();
      shared.push(next);
    }
    return shared;
  }

  /** Never rejects: each caller gets its own result. */
  async #prefetch(shared: readonly Waiter[]): Promise<void> {
    try {
      await this.#table.prefetch(shared.flatMap(({ keys }) => keys));
      for (const { resolve } of shared) resolve();
    } catch (error) {
      for (const { reject } of shared) reject(error);
    }
  }
}
