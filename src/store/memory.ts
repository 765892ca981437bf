import {
  beginsWith,
  checkChanges,
  checkKeys,
  checkListOptions,
  checkTable,
  storeClosed,
} from './checks.js';
import { PLAIN_ENTRIES } from './lmdb/entries.js';
import type { Change, ListOptions, Store, StoreEntry, TableName } from './store.js';

interface Row {
  readonly keyBytes: Buffer;
  readonly value: Uint8Array;
}

/** Rows of one table; they are sorted when they are listed. */
class Table {
  readonly #rows = new Map<string, Row>();
  /** In the order of the keys' bytes; undefined when something changed since. */
  #sorted: readonly Row[] | undefined;

  get(keyBytes: Buffer): Uint8Array | undefined {
    return this.#rows.get(keyBytes.toString())?.value;
  }

  put(row: Row): void {
    this.#sorted = undefined;
    this.#rows.set(row.keyBytes.toString(), row);
  }

  remove(keyBytes: Buffer): void {
    this.#sorted = undefined;
    this.#rows.delete(keyBytes.toString());
  }

  /** Finds at most `limit` rows, from the first one whose key is not before `start`. */
  from(start: Uint8Array, limit: number): readonly Row[] {
    this.#sorted ??= [...this.#rows.values()].sort((a, b) =>
      Buffer.compare(a.keyBytes, b.keyBytes),
    );
    // Binary search: a caller that reads a long table page by page asks often.
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const row = this.#sorted[middle];
      if (row !== undefined && Buffer.compare(row.keyBytes, start) < 0) low = middle + 1;
      else high = middle;
    }
    return this.#sorted.slice(low, low + limit);
  }
}

/**
 * {@link Store} in memory, whose content ends with the process: for tests and trials.
 *
 * A real account's sessions belong in `openStore`.
 *
 * @example
 * const store = new MemoryStore();
 * const broadcaster = await Broadcaster.open({ store, transport, trustRoots, account: mine });
 */
export class MemoryStore implements Store {
  readonly epoch = 1;
  readonly #tables = new Map<TableName, Table>();
  #isClosed = false;

  getMany(
    table: TableName,
    keys: readonly string[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return this.#run(() => {
      const from = this.#table(checkTable(table));
      return checkKeys(keys).map((key) => {
        const value = from.get(key);
        return value === undefined ? undefined : new Uint8Array(value);
      });
    });
  }

  list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]> {
    return this.#run(() => {
      const from = this.#table(checkTable(table));
      const checked = checkListOptions(options);
      const { prefix, start } = PLAIN_ENTRIES.rangeOf(table, checked);
      const entries: StoreEntry[] = [];
      for (const { keyBytes, value } of from.from(start, checked.limit)) {
        if (!beginsWith(keyBytes, prefix)) break;
        entries.push({ key: keyBytes.toString(), value: new Uint8Array(value) });
      }
      return entries;
    });
  }

  commit(changes: readonly Change[]): Promise<void> {
    return this.#run(() => {
      for (const { table, keyBytes, value } of checkChanges(changes)) {
        if (value === null) this.#table(table).remove(keyBytes);
        else this.#table(table).put({ keyBytes, value: new Uint8Array(value) });
      }
    });
  }

  /** No other process has the store. */
  mayAct(): boolean {
    return true;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#tables.clear();
    return Promise.resolve();
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #table(name: TableName): Table {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, (table = new Table()));
    return table;
  }

  /** Turns each failure into a rejection, as a store does whose work takes time. */
  #run<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.#isClosed) throw storeClosed();
      resolve(work());
    });
  }
}
