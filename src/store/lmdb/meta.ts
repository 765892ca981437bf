import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import type { Database } from 'lmdb';
import { SealcastError } from '../../errors.js';
import { isKeyOf, keyCheckOf } from './value-cipher.js';
import { storeLocked } from '../checks.js';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.js';

/**
 * Version of the entries' form; `migrate` brings older entries to it.
 *
 * It is raised when entries change in a way that older versions of sealcast would misread. 2: an
 * encrypted store hashes its keys (a store without encryption went from 1 to 3). 3: a broadcast's
 * record has a Content. 4: a contact's record names the lists that they left, without which a
 * broadcast to one of these would go to them.
 */
export const SCHEMA_VERSION = 4;
export const HEARTBEAT_INTERVAL_MS = 5_000;
/**
 * Silence of the heartbeat after which a writer that cannot be looked at is dead.
 *
 * Such a writer is in another thread, host or container.
 */
export const HEARTBEAT_LIFE_MS = 30_000;

export const LAYOUT_KEY = 'layout';
export const WRITER_KEY = 'writer';
const STORE_ID_BYTES = 32;

/**
 * Form and identity of a store. Bytes are in base64.
 *
 * Written when the store is made; a migration raises `schema` alone.
 */
export interface Layout {
  readonly schema: number;
  readonly id: string;
  /** null in a store without encryption. */
  readonly keyCheck: string | null;
}

export interface WriterOwner extends ProcessIdentity {
  /** Random id of this one opening. */
  readonly openId: string;
  /** Id of `node:worker_threads`; 0: the main thread. Absent in records of 0.1. */
  readonly threadId?: number;
  /**
   * Another number with every beat.
   *
   * The writer's clock gives it, and no other clock is compared with it.
   */
  readonly heartbeatMs: number;
}

/**
 * Record of the store's writer.
 *
 * LMDB stores the epoch as the record's version too: commits are conditional on that version.
 */
export interface WriterRecord {
  readonly epoch: number;
  /** null when the last writer closed the store. */
  readonly owner: WriterOwner | null;
}

/** The `meta` database: JSON, each entry with a version. */
export type Meta = Database<unknown, string>;
export const META_OPTIONS = { name: 'meta', encoding: 'json', useVersions: true } as const;

/**
 * Openings whose close() could not be recorded (a full disk): they no longer hold the store.
 *
 * All copies of this module in the thread share one set.
 */
const abandoned: Set<string> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('sealcast.abandonedStores')
] ??= new Set<string>()) as Set<string>;

export function abandon(owner: WriterOwner): void {
  abandoned.add(owner.openId);
  openHere.delete(owner.openId);
}

/**
 * Openings of this thread that are not closed.
 *
 * All copies of this module in the thread share one set.
 */
const openHere: Set<string> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('sealcast.openStores')
] ??= new Set<string>()) as Set<string>;

export function noteOpen(owner: WriterOwner): void {
  openHere.add(owner.openId);
}
export function noteClosed(owner: WriterOwner): void {
  openHere.delete(owner.openId);
}

/**
 * Finds whether the writer of a store lives.
 *
 * `dead` and `alive` are certain; for `unknown` the heartbeat decides. A main thread lives as long
 * as its process; another thread of a live process may have been terminated with the store open.
 */
export function lifeOf(owner: WriterOwner): 'alive' | 'dead' | 'unknown' {
  if (abandoned.has(owner.openId)) return 'dead';
  if (openHere.has(owner.openId)) return 'alive';
  const running = isRunning(owner);
  if (running === false) return 'dead';
  // This very thread, and not in its registry: a context with globals of its own may have it open.
  const isThisThread = owner.pid === process.pid && owner.threadId === threadId;
  return running === true && owner.threadId === 0 && !isThisThread ? 'alive' : 'unknown';
}

/** Writer as it was last seen. */
export type SeenHolder = Pick<WriterOwner, 'openId' | 'heartbeatMs'>;

export const isSame = (a: SeenHolder | null | undefined, b: SeenHolder): boolean =>
  a?.openId === b.openId && a.heartbeatMs === b.heartbeatMs;

function checkLayout(layout: Layout, secret: KeyObject | undefined): void {
  const { schema, id, keyCheck } = layout as Partial<Layout>;
  if (typeof schema !== 'number')
    throw new SealcastError(
      'ERR_STORE_FAILED',
      "the store's layout record is damaged: restore the whole directory",
    );
  if (schema > SCHEMA_VERSION) {
    const message = `the store has schema ${schema}; this version knows schemas up to ${SCHEMA_VERSION}`;
    throw new SealcastError('ERR_STORE_VERSION', message);
  }
  if (typeof id !== 'string' || keyCheck === undefined) {
    throw new SealcastError(
      'ERR_STORE_FAILED',
      "the store's layout record is damaged: restore the whole directory",
    );
  }
  if (keyCheck === null && secret !== undefined) {
    throw new SealcastError(
      'ERR_STORE_KEY',
      'the store is not encrypted: open it without an encryptionKey',
    );
  }
  if (keyCheck === null) return;
  if (secret === undefined) {
    throw new SealcastError(
      'ERR_STORE_KEY',
      'the store is encrypted: it takes the encryptionKey that it was made with',
    );
  }
  if (!isKeyOf(secret, Buffer.from(id, 'base64'), Buffer.from(keyCheck, 'base64'))) {
    throw new SealcastError(
      'ERR_STORE_KEY',
      'the encryptionKey is not the one that the store was made with',
    );
  }
}

function newLayout(secret: KeyObject | undefined): Layout {
  const id = randomBytes(STORE_ID_BYTES);
  const keyCheck =
    secret === undefined ? null : Buffer.from(keyCheckOf(secret, id)).toString('base64');
  return { schema: SCHEMA_VERSION, id: id.toString('base64'), keyCheck };
}

export function putLayout(meta: Meta, layout: Layout): void {
  void meta.put(LAYOUT_KEY, layout, 0);
}

/** Reads the store's schema; undefined where nothing readable says so, as in a new store. */
export function readSchema(meta: Meta): number | undefined {
  const layout = meta.get(LAYOUT_KEY) as Partial<Layout> | undefined;
  return layout?.schema;
}

export function readWriter(meta: Meta): WriterRecord | undefined {
  return meta.get(WRITER_KEY) as WriterRecord | undefined;
}

/** Puts the writer record, in a transaction, or as one of the changes of one. */
export function putWriter(meta: Meta, record: WriterRecord): void {
  void meta.put(WRITER_KEY, record, record.epoch);
}

/** A new writer, or the present one, whose life is not known. */
export type Acquired =
  | { readonly layout: Layout; readonly epoch: number; readonly owner: WriterOwner }
  | { readonly unknown: SeenHolder };

/**
 * Makes this process the store's writer.
 *
 * It runs within one write transaction. LMDB has one of these at a time across processes: of two
 * processes that find a dead writer, one takes over, and the other finds the first.
 *
 * @param silent a writer whose heartbeat was observed to stand still for long enough.
 * @returns the present writer where its life is not known; nothing is written then.
 * @throws SealcastError ERR_STORE_VERSION, ERR_STORE_KEY, ERR_STORE_LOCKED; nothing is written
 *   then.
 */
export function acquire(
  meta: Meta,
  { secret, nowMs }: { readonly secret: KeyObject | undefined; readonly nowMs: number },
  silent?: SeenHolder,
): Acquired {
  let layout = meta.get(LAYOUT_KEY) as Layout | undefined;
  if (layout !== undefined) checkLayout(layout, secret);
  const last = readWriter(meta);
  if (last?.owner && (silent === undefined || !isSame(last.owner, silent))) {
    const life = lifeOf(last.owner);
    if (life === 'alive') throw storeLocked();
    if (life === 'unknown') return { unknown: last.owner };
  }
  if (layout === undefined) {
    layout = newLayout(secret);
    putLayout(meta, layout);
  }
  const epoch = (last?.epoch ?? 0) + 1;
  const owner: WriterOwner = {
    ...ownIdentity(),
    openId: randomUUID(),
    threadId,
    heartbeatMs: nowMs,
  };
  putWriter(meta, { epoch, owner });
  return { layout, epoch, owner };
}
