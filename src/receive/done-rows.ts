import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Rows of the inbox that were dealt with: they go with the next batch's transaction, or, if none comes first, in one of their own;
 * those that are added while one is being flushed share the next.
 */
export class DoneRows {
  readonly #remove: (keys: readonly string[]) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #keys: string[] = [];
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
    this.#flushing ??= this.#flush();
  }

  /** All of them, to be taken out by whoever asks. */
  take(): readonly string[] {
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }

  async #flush(): Promise<void> {
    // Those that are dealt with in the same turn of the event loop go together.
    await nextTurn();
    try {
      while (this.#keys.length > 0) await this.#remove(this.take());
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
  }
}
