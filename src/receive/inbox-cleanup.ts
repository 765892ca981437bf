import { setImmediate as nextTurn } from 'node:timers/promises';

/** A batch in work, which takes rows along. */
export interface CleanupTicket {
  /** All that can go by now. */
  take(): readonly string[];
  /** It has ended: nothing more is to be expected of it. */
  end(): void;
}

/**
 * Rows of the inbox that were dealt with: they go with the transaction of the next batch in work, or, if there is none, in one of
 * their own; those that are added while one is being flushed share the next. A transaction of their own for each few, while batches
 * wait for the same disk, took a sixth of all the processors' time.
 */
export class InboxCleanup {
  readonly #remove: (keys: readonly string[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #keys: string[] = [];
  /** Batches in work that have not taken any yet. */
  #takers = 0;
  #flushing: Promise<void> | undefined;
  #closed = false;

  constructor(remove: (keys: readonly string[]) => Promise<void>, onError: (error: unknown) => void) {
    this.#remove = remove;
    this.#onError = onError;
  }

  /** Does nothing after `close()`: whoever opens the store next may have given the key to another message. */
  add(key: string): void {
    if (this.#closed) return;
    this.#keys.push(key);
    this.#flushSoon();
  }

  /** A batch will take some along: until it has, or has ended, none go alone. */
  expectTaker(): CleanupTicket {
    let isWaiting = true;
    this.#takers += 1;
    const stopWaiting = (): void => {
      if (isWaiting) this.#takers -= 1;
      isWaiting = false;
    };
    return {
      take: () => {
        stopWaiting();
        return this.#take();
      },
      end: () => {
        stopWaiting();
        this.#flushSoon();
      },
    };
  }

  #flushSoon(): void {
    if (this.#keys.length > 0 && this.#takers === 0) this.#flushing ??= this.#flush();
  }

  #take(): readonly string[] {
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }

  async #flush(): Promise<void> {
    // Those that are dealt with in the same turn of the event loop go together.
    await nextTurn();
    try {
      while (this.#keys.length > 0 && (this.#takers === 0 || this.#closed)) await this.#remove(this.#take());
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#flushing = undefined;
    }
  }

  /** Takes no more, and resolves when those that were added are gone, or cannot go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    if (this.#keys.length > 0) await this.#flush();
  }
}
