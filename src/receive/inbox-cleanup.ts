import { Coalescer } from '../util/coalescer.js';

/** Claim of a batch in work, which removes rows in its transaction. */
export interface CleanupTicket {
  /** Takes all rows that can be removed by now. */
  take(): readonly string[];
  /** Notes that the transaction is on disk, and the rows that were taken are gone. */
  committed(): void;
  /** Ends the claim. Rows that were taken by a batch that failed are removed with the next one. */
  end(): void;
}

/** The rows in the store. */
export interface InboxRows {
  /** Removes rows, in a transaction of their own. */
  remove(keys: readonly string[]): Promise<void>;
  /** Tells that rows could not be removed. */
  failed(error: unknown): void;
}

/**
 * Rows of the inbox that were dealt with. They are removed in the transaction of the next batch in
 * work, or, if there is none, in one of their own; rows that are added during a flush share the
 * next one. A transaction for each few rows, while batches wait for the same disk, took a sixth of
 * all the processors' time.
 */
export class InboxCleanup {
  readonly #rows: InboxRows;
  readonly #keys = new Coalescer<string>({ run: (keys) => this.#remove(keys) });
  #closed = false;

  constructor(rows: InboxRows) {
    this.#rows = rows;
  }

  /**
   * Adds a row; does nothing after `close()`. The process that opens the store next may have given
   * the key to another message.
   */
  add(key: string): void {
    if (!this.#closed) this.#keys.add(key);
  }

  /** Announces a batch that takes rows: until it has, or has ended, no row is removed alone. */
  expectTaker(): CleanupTicket {
    const release = this.#keys.hold();
    let taken: readonly string[] = [];
    return {
      take: () => {
        taken = this.#keys.take();
        release();
        return taken;
      },
      committed: () => (taken = []),
      end: () => {
        // The next process would give these messages out once more.
        for (const key of taken) this.#keys.add(key);
        taken = [];
        release();
      },
    };
  }

  async #remove(keys: readonly string[]): Promise<void> {
    try {
      await this.#rows.remove(keys);
    } catch (error) {
      this.#rows.failed(error);
    }
  }

  /** Takes nothing further; resolves when the rows that were added are removed, or cannot be. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#keys.drain();
  }
}
