import type { RootDatabase } from 'lmdb';
import type { TableName } from '../store.js';
import { entriesOf, type Entries, type EntriesSource } from './entries.js';
import { openEnvironment, TABLE_OPTIONS, type Table } from './environment.js';

/** Place and secrets of a store that this process has open, for its workers. */
export interface StoreLocation extends EntriesSource {
  readonly path: string;
}

/** Change in the form that LMDB stores. */
export interface StoredChange {
  readonly table: TableName;
  readonly keyBytes: Uint8Array;
  /** null removes the entry. The bytes do not change until the commit has ended. */
  readonly value: Uint8Array | null;
}

/** Collects byte strings; the caller fills in what it has reserved. */
export interface Packer {
  add(part: Uint8Array): void;
  reserve(length: number): Uint8Array;
}

/** Store whose records workers of the process read, and whose changes they prepare. */
export interface WorkerReadable {
  readonly location: StoreLocation;
  /**
   * As `Store.commit`, for changes that a worker has brought into their stored form. Nothing is
   * copied.
   */
  commitStored(changes: readonly StoredChange[]): Promise<void>;
}

/**
 * Records of a store, read in a worker while the main thread has the store open.
 *
 * A worker writes nothing: changes go to the main thread in their stored form, which commits them
 * in the order of its calls, under its writer's number. A worker reads the state that was committed
 * when `begin` was called; the caller holds the locks of the records, so nothing newer is under
 * way.
 */
export class WorkerRecords {
  readonly #root: RootDatabase;
  readonly #tables = new Map<TableName, Table>();
  readonly #entries: Entries;

  private constructor(root: RootDatabase, entries: Entries) {
    this.#root = root;
    this.#entries = entries;
  }

  /** Opens a store's records for this thread; the thread's end closes them. */
  static async open(location: StoreLocation): Promise<WorkerRecords> {
    return new WorkerRecords(await openEnvironment(location.path), entriesOf(location));
  }

  /** Selects the newest committed state; reads until `end` are of it. */
  begin(): void {
    this.#root.resetReadTxn();
  }

  /** Gives the state up: pages of it that were replaced can be used again. */
  end(): void {
    this.#root.resetReadTxn();
  }

  /**
   * @returns bytes that the next read may overwrite; undefined where there is no entry.
   * @throws SealcastError ERR_STORE_FAILED: the value is damaged.
   */
  peek(table: TableName, key: string): Uint8Array | undefined {
    const keptKey = this.#entries.keptKey(table, Buffer.from(key));
    // Its buffer is longer than its length says (lmdb 3.5.6).
    const kept = this.#table(table).getBinaryFast(keptKey);
    return kept && this.#entries.peek(table, keptKey, kept.subarray(0, kept.length));
  }

  /** Adds an entry in its stored form to packed keys and values. */
  pack(table: TableName, key: string, value: Uint8Array, keys: Packer, values: Packer): void {
    const keyBytes = Buffer.from(key);
    const keptKey = this.#entries.keptKey(table, keyBytes);
    keys.add(keptKey);
    const kept = values.reserve(this.#entries.keptBytes(table, keyBytes, value));
    this.#entries.seal(table, keyBytes, keptKey, value, kept);
  }

  /** Closes the environment in this thread. */
  close(): Promise<void> {
    return this.#root.close();
  }

  #table(name: TableName): Table {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = this.#root.openDB<Uint8Array, Uint8Array>({ name, ...TABLE_OPTIONS });
      this.#tables.set(name, table);
    }
    return table;
  }
}
