import { Coalescer } from '../util/coalescer.js';

/** A batch in work, which takes rows along. */
export interface CleanupTicket {
  /** All that can go by now. */
  take(): readonly string[];
  /** It has ended: nothing more is to be expected of it. */
  end(): void;
}

/** Where the rows are. */
export interface InboxRows {
  /** Takes them out of the store, in a transaction of their own. */
  remove(keys: readonly string[]): Promise<void>;
  /** They could not be removed. */
  failed(error: unknown): void;
}

/**
 * Rows of the inbox that were dealt with: they go with the transaction of the next batch in work, or, if there is none, in one of
 * their own; those that are added while one is being flushed share the next. A transaction of their own for each few, while batches
 * wait for the same disk, took a sixth of all the processors' time.
 */
export class InboxCleanup {
  readonly #rows: InboxRows;
  readonly #keys = new Coalescer<string>({ run: (keys) => this.#remove(keys) });
  #closed = false;

  constructor(rows: InboxRows) {
    this.#rows = rows;
  }

  /** Does nothing after `close()`: whoever opens the store next may have given the key to another message. */
  add(key: string): void {
    if (!this.#closed) this.#keys.add(key);
  }

  /** A batch will take some along: until it has, or has ended, none go alone. */
  expectTaker(): CleanupTicket {
    const end = this.#keys.hold();
    return {
      take: () => {
        const keys = this.#keys.take();
        end();
        return keys;
      },
      end,
    };
  }

  async #remove(keys: readonly string[]): Promise<void> {
    try {
      await this.#rows.remove(keys);
    } catch (error) {
      this.#rows.failed(error);
    }
  }

  /** Takes no more, and resolves when those that were added are gone, or cannot go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#keys.drain();
  }
}
