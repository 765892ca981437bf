import { resolve } from 'node:path';
import { types } from 'node:util';
import type { KeyObject } from 'node:crypto';
import type { RootDatabase } from 'lmdb';
import { SealcastError } from '../../errors.js';
import { SYSTEM_CLOCK } from '../../util/clock.js';
import { requireCodeGeneration } from '../../util/code-generation.js';
import { checkNames, type NamesOf } from '../../util/known-names.js';
import { checkObject, refuse, storeFailed, storeLocked } from '../checks.js';
import { DamageLog } from '../damage.js';
import { ENCRYPTION_KEY_BYTES, importEncryptionKey } from './value-cipher.js';
import { entriesOf } from './entries.js';
import { prepareDirectory, syncDirectory } from './files.js';
import {
  acquire,
  HEARTBEAT_LIFE_MS,
  isSame,
  META_OPTIONS,
  putLayout,
  readWriter,
  SCHEMA_VERSION,
  type Meta,
  type SeenHolder,
} from './meta.js';
import type { findKey as FindKey } from './lost-keys.js';
import type { DamagedRecord, migrate as Migrate } from './migrate.js';
import { DataFileRoom, type WriteSize } from './file-room.js';
import { openEnvironment, TABLE_OPTIONS, type Table } from './environment.js';
import { LmdbStore, type LmdbEnv } from './lmdb-store.js';
import { TABLES, type Store, type TableName } from '../store.js';

/** Options of {@link openStore}. */
export interface StoreOptions {
  /**
   * The store's directory, not on a network.
   *
   * It is made, readable by its owner alone, if it is not there.
   */
  readonly path: string;
  /**
   * 32 bytes from a good generator.
   *
   * Values are encrypted with it (AES-256-GCM), keys of entries hashed (HMAC-SHA256). A store is
   * made with or without one, and stays so. The bytes are copied.
   */
  readonly encryptionKey?: Uint8Array;
}

const NAMES = { path: true, encryptionKey: true } satisfies NamesOf<StoreOptions>;

function checkOptions(options: unknown): {
  readonly path: string;
  readonly secret: KeyObject | undefined;
} {
  const given = checkObject(options, 'options');
  checkNames(given, NAMES);
  const { path, encryptionKey } = given;
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    refuse('path', 'the path of a directory');
  // Workers open it later, when the process may be in another directory.
  const absolute = resolve(path);
  if (encryptionKey === undefined) return { path: absolute, secret: undefined };
  if (!types.isUint8Array(encryptionKey) || encryptionKey.length !== ENCRYPTION_KEY_BYTES) {
    refuse('encryptionKey', `a Uint8Array of ${ENCRYPTION_KEY_BYTES} bytes`);
  }
  return { path: absolute, secret: importEncryptionKey(encryptionKey) };
}

async function openRoot(path: string): Promise<RootDatabase> {
  await prepareDirectory(path);
  return openEnvironment(path);
}

function openMeta(root: RootDatabase): Meta {
  const found = root.openDB<unknown, string>({ ...META_OPTIONS, ...{ create: false } }) as
    Meta | undefined;
  if (found !== undefined) return found;
  if (root.getKeysCount({ limit: 1 }) > 0) {
    throw new SealcastError(
      'ERR_STORE_FAILED',
      'the directory holds an LMDB database that is not a store of sealcast: give another path',
    );
  }
  return root.openDB<unknown, string>(META_OPTIONS);
}

/** Size of opening a store: its tables where they are new, and two records of `meta`. */
const OPENING: WriteSize = { changes: TABLES.length + 3, bytes: 4096, overflowPages: 0 };

function openTables(root: RootDatabase): Record<TableName, Table> {
  const tables = TABLES.map((name) => [
    name,
    root.openDB<Uint8Array, Uint8Array>({ name, ...TABLE_OPTIONS }),
  ]);
  return Object.fromEntries(tables) as Record<TableName, Table>;
}

/**
 * Opens the store in a directory, and makes it if there is none.
 *
 * One writer has it at a time, of all processes on the machine: sessions that two writers step on
 * are broken for good. The writer's number (`epoch`) rises with every opening; a writer that was
 * taken for dead and is not (a container that slept) finds its commits refused with
 * ERR_STORE_LOCKED.
 *
 * A writer that is dead for certain (its process ended) is taken over at once; one that is alive
 * for certain (this thread, or the main thread of another process on this machine) causes an
 * ERR_STORE_LOCKED at once. Any other (a worker thread, which may have been terminated; another
 * host or container) is watched: ERR_STORE_LOCKED when its heartbeat moves, which it does every
 * 5 s, and the store is taken over when it has not moved for 30 s. Clocks of two writers are never
 * compared.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: the options are wrong
 * @throws SealcastError ERR_STORE_LOCKED: another writer has the store
 * @throws SealcastError ERR_STORE_KEY: the encryptionKey is wrong, missing, or one too many
 * @throws SealcastError ERR_STORE_VERSION: a later sealcast made the store
 * @throws SealcastError ERR_STORE_FAILED, with its cause: the directory cannot be written, the disk
 *   is full, or a file is no store
 * @example
 * const store = await openStore({ path: './announcements', encryptionKey });
 */
export function openStore(options: StoreOptions): Promise<Store> {
  return openLmdbStore(options);
}

/** Times with which a writer whose life is not known is watched. */
export interface WatchTimes {
  /** Time between two looks at its heartbeat, ms. */
  readonly lookMs: number;
  /** Silence of its heartbeat after which the writer is dead, ms. */
  readonly silenceMs: number;
}
const WATCH: WatchTimes = { lookMs: 500, silenceMs: HEARTBEAT_LIFE_MS };

/** {@link openStore}, with times and a clock that a test injects. */
export async function openLmdbStore(
  options: StoreOptions,
  times = WATCH,
  clock = SYSTEM_CLOCK,
): Promise<Store> {
  const { path, secret } = checkOptions(options);
  requireCodeGeneration('openStore');
  let root: RootDatabase | undefined;
  try {
    root = await openRoot(path);
    await syncDirectory(path);
    const room = new DataFileRoom(root, path);
    await room.reserve(OPENING);
    const meta = openMeta(root);
    const env = { root, meta, room, clock };
    // Loaded lazily: it imports all code that reads records.
    const { migrate, reserveForMigration } = await import('./migrate.js');
    const { findKey } = await import('./lost-keys.js');
    for (let silent: SeenHolder | undefined; ;) {
      await reserveForMigration(env, secret !== undefined);
      const result = tryToWrite(env, { path, secret, silent, migrate, findKey });
      if (!('unknown' in result)) return result;
      silent = await watch(env, result.unknown, times);
    }
  } catch (error) {
    await root?.close();
    throw storeFailed('the store could not be opened', error);
  }
}

interface Attempt {
  readonly path: string;
  readonly secret: KeyObject | undefined;
  /** A writer that was watched, and is dead. */
  readonly silent: SeenHolder | undefined;
  readonly migrate: typeof Migrate;
  readonly findKey: typeof FindKey;
}

/**
 * Attempts once to become the writer, within the turn of the caller.
 *
 * lmdb 3.5.6 corrupts its memory when it is closed later than that after a failure.
 */
function tryToWrite(
  env: LmdbEnv,
  { path, secret, silent, migrate, findKey }: Attempt,
): LmdbStore | { readonly unknown: SeenHolder } {
  const attempt = env.root.transactionSync(() => {
    const writer = acquire(env.meta, { secret, nowMs: env.clock.now() }, silent);
    if ('unknown' in writer) return writer;
    const { layout, epoch, owner } = writer;
    const tables = openTables(env.root);
    const storeId = Buffer.from(layout.id, 'base64');
    const entries = entriesOf({ secret, storeId, epoch });
    let damaged: readonly DamagedRecord[] = [];
    if (layout.schema < SCHEMA_VERSION) {
      damaged = migrate(layout.schema, tables, entries);
      putLayout(env.meta, { ...layout, schema: SCHEMA_VERSION });
    }
    return { tables, epoch, owner, entries, storeId, damaged };
  });
  if ('unknown' in attempt) return attempt;
  const { storeId, epoch, owner } = attempt;
  const location = { path, secret, storeId, epoch, openId: owner.openId };
  const store = new LmdbStore({ ...env, ...attempt, location, findKey });
  for (const { table, name } of attempt.damaged) DamageLog.of(store).note(table, name);
  return store;
}

/**
 * Watches a writer's heartbeat on this process's own monotonic clock.
 *
 * @returns the writer, when its heartbeat stood still for long enough or it is gone.
 * @throws SealcastError ERR_STORE_LOCKED: its heartbeat moved.
 */
async function watch(
  { root, meta, clock }: LmdbEnv,
  holder: SeenHolder,
  times: WatchTimes,
): Promise<SeenHolder> {
  // Time in which this process itself stood still counts for little: the writer may have been
  // frozen with it.
  let silentMs = 0;
  while (silentMs < times.silenceMs) {
    const sinceMs = clock.monotonicMs();
    await clock.sleep(times.lookMs);
    silentMs += Math.min(clock.monotonicMs() - sinceMs, 2 * times.lookMs);
    root.resetReadTxn();
    const owner = readWriter(meta)?.owner;
    if (owner?.openId !== holder.openId) return holder;
    if (!isSame(owner, holder)) throw storeLocked();
  }
  return holder;
}
