import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { storeTakenOver } from '../checks.js';
import { TABLES, type TableName } from '../store.js';
import { entriesOf, type Entries, type EntriesSource } from './entries.js';
import { openEnvironment, TABLE_OPTIONS, type Table } from './environment.js';
import { META_OPTIONS, readWriter, type Meta } from './meta.js';

/** File of the environment in its directory. */
const DATA_FILE = 'data.mdb';

/** Place and secrets of a store that this process has open, for its workers. */
export interface StoreLocation extends EntriesSource {
  /** Absolute. */
  readonly path: string;
  /** Id of the opening that this process made. */
  readonly openId: string;
}

/** Change in the form that LMDB stores. */
export interface StoredChange {
  readonly table: TableName;
  readonly keyBytes: Uint8Array;
  /** null removes the entry. The bytes do not change until the commit has ended. */
  readonly value: Uint8Array | null;
}

/** Collects byte strings; the caller fills in the ones that it has reserved. */
export interface ByteCollector {
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
  readonly #meta: Meta;
  readonly #tables: ReadonlyMap<TableName, Table>;
  readonly #location: StoreLocation;
  readonly #entries: Entries;

  private constructor(root: RootDatabase, location: StoreLocation) {
    this.#root = root;
    this.#meta = openExisting(root, META_OPTIONS) as Meta;
    this.#tables = new Map(
      TABLES.map((name) => [name, openExisting(root, { name, ...TABLE_OPTIONS }) as Table]),
    );
    this.#location = location;
    this.#entries = entriesOf(location);
  }

  /**
   * Opens a store's records for this thread; the thread's end closes them.
   *
   * @throws Error there is no store at that place.
   */
  static async open(location: StoreLocation): Promise<WorkerRecords> {
    // LMDB makes an environment where there is none.
    await access(join(location.path, DATA_FILE));
    const root = await openEnvironment(location.path);
    try {
      return new WorkerRecords(root, location);
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  /**
   * Selects the newest committed state; reads until `end` are of it.
   *
   * @throws SealcastError ERR_STORE_LOCKED: the file is not the one that the main thread has open,
   *   or another writer has taken it over. A file of another time has sessions of another time.
   */
  begin(): void {
    this.#root.resetReadTxn();
    const { epoch, openId } = this.#location;
    const writer = readWriter(this.#meta);
    if (writer?.epoch !== epoch || writer.owner?.openId !== openId) throw storeTakenOver();
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
  pack(
    table: TableName,
    key: string,
    value: Uint8Array,
    keys: ByteCollector,
    values: ByteCollector,
  ): void {
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
    const table = this.#tables.get(name);
    if (table === undefined) throw new RangeError(`the store has no table ${name}`);
    return table;
  }
}

/** Opens a database of the environment; unlike the main thread, a worker makes none. */
function openExisting(root: RootDatabase, options: { readonly name: string }): unknown {
  const found: unknown = root.openDB({ ...options, ...{ create: false } });
  if (found === undefined) throw new Error(`the store has no table ${options.name}`);
  return found;
}
