import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../util/clock.js';
import type { RootDatabase } from 'lmdb';
import {
  beginsWith,
  checkChanges,
  checkKeys,
  checkListOptions,
  checkTable,
  type CheckedChange,
  storeClosed,
  storeFailed,
  storeTakenOver,
} from '../checks.js';
import type { Table } from './environment.js';
import type { Entries } from './entries.js';
import { CommitQueue } from './commit-queue.js';
import {
  abandon,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_LIFE_MS,
  putWriter,
  readWriter,
  type Meta,
  type WriterOwner,
  noteClosed,
  noteOpen,
} from './meta.js';
import { PrefetchQueue } from './prefetch-queue.js';
import { ONE_RECORD, sizeOf, type DataFileRoom } from './file-room.js';
import { isDamaged } from '../damage.js';
import type { StoreLocation, StoredChange, WorkerReadable } from './worker-records.js';
import type { findKey as FindKey } from './lost-keys.js';
import type { Change, DamagedEntry, ListOptions, Store, StoreEntry, TableName } from '../store.js';

/**
 * Age up to which {@link LmdbStore.mayAct} trusts its last look at the writer record.
 *
 * It holds while heartbeats are written; far less than a takeover takes.
 */
const OWNERSHIP_FRESH_MS = 1_000;

/**
 * Moment on both clocks.
 *
 * The monotonic clock stands still while the machine sleeps, and the other one may be set.
 */
class Moment {
  readonly #clock: Clock;
  readonly #monotonicMs: number;
  readonly #wallMs: number;

  /** Now. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#monotonicMs = clock.monotonicMs();
    this.#wallMs = clock.now();
  }

  isYoungerThan(ms: number): boolean {
    const ageMs = this.#clock.monotonicMs() - this.#monotonicMs;
    return ageMs < ms && Math.abs(this.#clock.now() - this.#wallMs) < ms;
  }
}

/** An open LMDB environment. */
export interface LmdbEnv {
  readonly root: RootDatabase;
  readonly meta: Meta;
  readonly room: DataFileRoom;
  readonly clock: Clock;
}

/** LMDB environment whose writer is this process. */
export interface OpenLmdb extends LmdbEnv {
  readonly tables: Readonly<Record<TableName, Table>>;
  readonly epoch: number;
  readonly owner: WriterOwner;
  readonly entries: Entries;
  readonly location: StoreLocation;
  /** Passed in: loading it loads all code that reads records. */
  readonly findKey: typeof FindKey;
}

/** Stores themselves: an object that stands before one has its own idea of what is in it. */
const stores = new WeakSet<Store>();

/** The store as workers can read it; undefined where it is no store of ours. */
export const workerReadable = (store: Store): WorkerReadable | undefined =>
  store instanceof LmdbStore && stores.has(store) ? store : undefined;

/** {@link Store} over LMDB. */
export class LmdbStore implements Store, WorkerReadable {
  readonly epoch: number;
  readonly orderOf?: NonNullable<Store['orderOf']>;
  readonly #lmdb: OpenLmdb;
  readonly #commits: CommitQueue;
  readonly #clock: Clock;
  /** Stops the heartbeat. */
  #stopHeart: () => void = () => undefined;
  #heartbeatMs: number;
  readonly #prefetches = new Map<TableName, PrefetchQueue>();
  #isTakenOver = false;
  /** When the writer record was last seen, and last written, as ours. */
  #verified: Moment;
  #beaten: Moment;
  #closing: Promise<void> | undefined;

  constructor(lmdb: OpenLmdb) {
    this.epoch = lmdb.epoch;
    if (lmdb.entries.orderOf !== undefined) this.orderOf = lmdb.entries.orderOf;
    this.#lmdb = lmdb;
    this.#clock = lmdb.clock;
    this.#verified = new Moment(lmdb.clock);
    this.#beaten = new Moment(lmdb.clock);
    this.#commits = new CommitQueue(lmdb.root, lmdb.meta, lmdb.room, lmdb.epoch);
    this.#heartbeatMs = lmdb.owner.heartbeatMs;
    noteOpen(lmdb.owner);
    stores.add(this);
    this.#beatLater();
  }

  /** Schedules the next heartbeat. A store that is left open keeps no process alive. */
  #beatLater(): void {
    this.#stopHeart = this.#clock.setTimeout(() => {
      this.#beatLater();
      void this.#beat();
    }, HEARTBEAT_INTERVAL_MS);
  }

  async getMany(
    table: TableName,
    keys: readonly string[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    const name = checkTable(table);
    const { entries } = this.#lmdb;
    const keysBytes = checkKeys(keys).map((key) => entries.keptKey(name, key));
    const from = this.#table(name);
    // Another thread reads pages that are not in memory: 256 sessions from a cold disk held this
    // one up for a second.
    if (keysBytes.length > 0) await this.#prefetch(name, keysBytes);
    return this.#read(() =>
      keysBytes.map((key) => {
        // The next read overwrites it, and its buffer is longer than its length says (lmdb 3.5.6):
        // it is copied, or decrypted, at once.
        const kept = from.getBinaryFast(key);
        return kept === undefined
          ? undefined
          : entries.open(name, key, kept.subarray(0, kept.length)).value;
      }),
    );
  }

  async list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]> {
    this.#checkOpen();
    const name = checkTable(table);
    const checked = checkListOptions(options);
    const { entries } = this.#lmdb;
    const { prefix, start, isMeant } = entries.rangeOf(name, checked);
    const { listed, damaged } = this.#read(() => {
      const listed: StoreEntry[] = [];
      const damaged: DamagedEntry[] = [];
      for (const { key, value } of this.#table(name).getRange({
        ...(start.length > 0 && { start }),
      })) {
        if (listed.length === checked.limit || !beginsWith(key, prefix)) break;
        const entry = this.#openEntry(name, key, value);
        if ('value' in entry) {
          if (isMeant === undefined || isMeant(entry.key)) listed.push(entry);
        } else if (isMeant === undefined || entry.key === undefined || isMeant(entry.key))
          damaged.push(entry);
      }
      return { listed, damaged };
    });
    for (const entry of damaged) checked.onDamaged?.(entry);
    // A caller that pages through a table in a loop would otherwise leave the event loop no turn at
    // all. Reads by key have waited for another thread already.
    return nextTurn(listed);
  }

  /** Opens an entry, or says what is known of it where it is damaged. */
  #openEntry(name: TableName, keptKey: Uint8Array, kept: Uint8Array): StoreEntry | DamagedEntry {
    const { entries, tables, findKey } = this.#lmdb;
    try {
      return entries.open(name, keptKey, kept);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      // A copy: reads that look for the key use lmdb's buffers, too.
      return findKey(name, Buffer.from(keptKey), { tables, entries });
    }
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#checkOpen();
    await this.commitStored(this.#copy(checkChanges(changes)));
  }

  get location(): StoreLocation {
    return this.#lmdb.location;
  }

  async commitStored(changes: readonly StoredChange[]): Promise<void> {
    this.#checkOpen();
    const applied = await this.#commits.submit(sizeOf(changes), () => {
      for (const { table, keyBytes, value } of changes) {
        if (value === null) void this.#table(table).remove(keyBytes);
        else void this.#table(table).put(keyBytes, value);
      }
    });
    if (!applied) throw this.#takenOver();
  }

  /**
   * Says whether this writer may still act, by the writer record.
   *
   * The record is read again once the last look at it is a second old; each time, once no heartbeat
   * was written for half of the time after which another writer may take over.
   */
  mayAct(): boolean {
    if (this.#closing !== undefined || this.#isTakenOver) return false;
    if (
      this.#verified.isYoungerThan(OWNERSHIP_FRESH_MS) &&
      this.#beaten.isYoungerThan(HEARTBEAT_LIFE_MS / 2)
    )
      return true;
    this.#lmdb.root.resetReadTxn();
    if (readWriter(this.#lmdb.meta)?.epoch !== this.epoch) {
      this.#takenOver();
      return false;
    }
    this.#verified = new Moment(this.#clock);
    return true;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopHeart();
    await this.#commits.idle();
    await Promise.all([...this.#prefetches.values()].map((prefetches) => prefetches.idle()));
    const { meta, root, owner } = this.#lmdb;
    try {
      if (!this.#isTakenOver)
        await this.#commits.submit(ONE_RECORD, () =>
          putWriter(meta, { epoch: this.epoch, owner: null }),
        );
    } catch {
      // Nothing is lost: the next writer finds this opening abandoned, or its process ended, though
      // not in the store.
      abandon(owner);
    }
    noteClosed(owner);
    await root.close();
  }

  #table(name: TableName): Table {
    return this.#lmdb.tables[name];
  }

  #takenOver(): Error {
    this.#isTakenOver = true;
    noteClosed(this.#lmdb.owner);
    this.#stopHeart();
    return storeTakenOver();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw storeClosed();
    if (this.#isTakenOver) throw storeTakenOver();
  }

  async #prefetch(name: TableName, keysBytes: readonly Buffer[]): Promise<void> {
    let prefetches = this.#prefetches.get(name);
    if (prefetches === undefined) {
      prefetches = new PrefetchQueue(this.#table(name));
      this.#prefetches.set(name, prefetches);
    }
    try {
      await prefetches.fetch(keysBytes);
    } catch (error) {
      throw storeFailed('the store could not be read', error);
    }
  }

  /** Reads all from one state of the store. */
  #read<T>(read: () => T): T {
    this.#checkOpen();
    try {
      // lmdb keeps a state of the store for the turn of the event loop; the reset selects the
      // newest.
      this.#lmdb.root.resetReadTxn();
      if (readWriter(this.#lmdb.meta)?.epoch !== this.epoch) throw this.#takenOver();
      return read();
    } catch (error) {
      throw storeFailed('the store could not be read', error);
    }
  }

  /**
   * Converts changes to their stored form, with copies of their values.
   *
   * All copies are in one buffer, which LMDB's thread reads.
   */
  #copy(changes: readonly CheckedChange[]): readonly StoredChange[] {
    const { entries } = this.#lmdb;
    const keptBytes = ({ table, keyBytes, value }: CheckedChange): number =>
      value === null ? 0 : entries.keptBytes(table, keyBytes, value);
    const copies = new Uint8Array(changes.reduce((total, change) => total + keptBytes(change), 0));
    let end = 0;
    return changes.map((change) => {
      const { table, keyBytes, value } = change;
      const keptKey = entries.keptKey(table, keyBytes);
      if (value === null) return { table, keyBytes: keptKey, value };
      const copy = copies.subarray(end, (end += keptBytes(change)));
      entries.seal(table, keyBytes, keptKey, value, copy);
      return { table, keyBytes: keptKey, value: copy };
    });
  }

  async #beat(): Promise<void> {
    const { meta, owner } = this.#lmdb;
    // Another number each time, also where the clock stands still or was set back: other processes
    // watch it for movement alone.
    this.#heartbeatMs = Math.max(this.#clock.now(), this.#heartbeatMs + 1);
    const record = { epoch: this.epoch, owner: { ...owner, heartbeatMs: this.#heartbeatMs } };
    try {
      const begun = new Moment(this.#clock);
      if (await this.#commits.submit(ONE_RECORD, () => putWriter(meta, record)))
        this.#beaten = begun;
      else this.#takenOver();
    } catch {
      // For example a full disk: commits tell their callers, and the next beat tries again.
    }
  }
}
