import type { KeyObject } from 'node:crypto';
import { beginsWith, type CheckedListOptions } from '../checks.js';
import { deriveKey, ENCRYPTION_OVERHEAD_BYTES, ValueCipher } from './value-cipher.js';
import { KeyHasher } from './key-hasher.js';
import type { StoreEntry, TableName } from '../store.js';

/** Range of stored rows: all from `start` on that begin with `prefix`. */
export interface KeptRange {
  readonly start: Uint8Array;
  readonly prefix: Uint8Array;
  /** Tells the requested rows from others; undefined where the range has no others. */
  readonly isMeant: ((key: string) => boolean) | undefined;
}

/** Stored form of a store's entries in LMDB. */
export interface Entries {
  /** Converts a key to its stored form. */
  keptKey(table: TableName, key: Buffer): Buffer;
  /** Computes the length of a value's stored form, in bytes. */
  keptBytes(table: TableName, key: Buffer, value: Uint8Array): number;
  /** Writes a value's stored form into `target`, which has that length. */
  seal(
    table: TableName,
    key: Buffer,
    keptKey: Uint8Array,
    value: Uint8Array,
    target: Uint8Array,
  ): void;
  /**
   * Reads a stored entry: its key, and a copy of its value, alone in its buffer.
   *
   * @throws SealcastError ERR_STORE_FAILED: it was tampered with.
   */
  open(table: TableName, keptKey: Uint8Array, kept: Uint8Array): StoreEntry;
  /**
   * Reads a stored entry's value alone, which may be a view of `kept`.
   *
   * @throws SealcastError ERR_STORE_FAILED: it was tampered with.
   */
  peek(table: TableName, keptKey: Uint8Array, kept: Uint8Array): Uint8Array;
  rangeOf(table: TableName, options: CheckedListOptions): KeptRange;
  /** See `Store.orderOf`; undefined: the order of the keys' UTF-8 bytes. */
  readonly orderOf: ((table: TableName, key: string) => string) | undefined;
}

/** Computes the first key behind another one. */
const behind = (key: Uint8Array): Buffer => Buffer.concat([key, Buffer.alloc(1)]);

const later = (a: Uint8Array, b: Uint8Array): Uint8Array => (Buffer.compare(a, b) > 0 ? a : b);

function plainRange({ prefix, after }: CheckedListOptions): KeptRange {
  return {
    prefix,
    start: after.length === 0 ? prefix : later(behind(after), prefix),
    isMeant: undefined,
  };
}

const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString();

/** Entries of a store without encryption, stored unchanged. */
export const PLAIN_ENTRIES: Entries = {
  keptKey: (_table, key) => key,
  keptBytes: (_table, _key, value) => value.length,
  seal: (_table, _key, _keptKey, value, target) => target.set(value),
  open: (_table, keptKey, kept) => ({ key: textOf(keptKey), value: new Uint8Array(kept) }),
  peek: (_table, _keptKey, kept) => kept,
  rangeOf: (_table, options) => plainRange(options),
  orderOf: undefined,
};

/** Facts of a store and its writer from which the form of the entries follows. */
export interface EntriesSource {
  /** undefined: the store is not encrypted. */
  readonly secret: KeyObject | undefined;
  readonly storeId: Uint8Array;
  readonly epoch: number;
}

/** The form of a store's entries, as its writer and the writer's threads use it. */
export const entriesOf = ({ secret, storeId, epoch }: EntriesSource): Entries =>
  secret === undefined ? PLAIN_ENTRIES : new EncryptedEntries(secret, storeId, epoch);

/** Bytes of the key's length, big-endian, in front of the key and the value. */
const LENGTH_BYTES = 2;

/** Whether a table is read in the order of its keys, which are numbers and say nothing. */
const isOrdered = (table: TableName): boolean => table === 'inbox';

/**
 * Entries of an encrypted store (schema 2).
 *
 * Under the hash of its key (see {@link KeyHasher}) an entry has the key's length (2 bytes), the
 * key and the value, encrypted as one. Keys and values of `inbox` stay apart: its keys are stored
 * unchanged.
 */
export class EncryptedEntries implements Entries {
  readonly #values: ValueCipher;
  readonly #keys: KeyHasher;
  readonly orderOf = (table: TableName, key: string): string =>
    this.keptKey(table, Buffer.from(key)).toString('hex');

  constructor(secret: KeyObject, storeId: Uint8Array, epoch: number) {
    this.#values = new ValueCipher(secret, storeId, epoch);
    this.#keys = new KeyHasher(deriveKey(secret, storeId, 'sealcast store keys'));
  }

  keptKey(table: TableName, key: Buffer): Buffer {
    return isOrdered(table) ? key : this.#keys.hash(key);
  }

  keptBytes(table: TableName, key: Buffer, value: Uint8Array): number {
    const keyBytes = isOrdered(table) ? 0 : LENGTH_BYTES + key.length;
    return keyBytes + value.length + ENCRYPTION_OVERHEAD_BYTES;
  }

  seal(
    table: TableName,
    key: Buffer,
    keptKey: Uint8Array,
    value: Uint8Array,
    target: Uint8Array,
  ): void {
    if (isOrdered(table)) {
      this.#values.seal(table, keptKey, [value], target);
      return;
    }
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt16BE(key.length);
    this.#values.seal(table, keptKey, [length, key, value], target);
  }

  open(table: TableName, keptKey: Uint8Array, kept: Uint8Array): StoreEntry {
    const opened = this.#values.open(table, keptKey, kept);
    if (isOrdered(table)) return { key: textOf(keptKey), value: opened };
    const valueStart = LENGTH_BYTES + new DataView(opened.buffer).getUint16(0);
    const entry = {
      key: textOf(opened.subarray(LENGTH_BYTES, valueStart)),
      value: opened.slice(valueStart),
    };
    opened.fill(0);
    return entry;
  }

  peek(table: TableName, keptKey: Uint8Array, kept: Uint8Array): Uint8Array {
    return this.open(table, keptKey, kept).value;
  }

  rangeOf(table: TableName, options: CheckedListOptions): KeptRange {
    if (isOrdered(table)) return plainRange(options);
    const { prefix, after } = options;
    const { start, isExact } = this.#keys.hashPrefix(prefix);
    const from = after.length === 0 ? start : later(behind(this.#keys.hash(after)), start);
    const isMeant = isExact ? undefined : (key: string) => beginsWith(Buffer.from(key), prefix);
    return { start: from, prefix: start, isMeant };
  }

  /**
   * @returns the value of an entry of schema 1, which stored keys unchanged, in its form of today.
   * @throws SealcastError ERR_STORE_FAILED: it is damaged.
   */
  moved(table: TableName, key: Buffer, kept: Uint8Array): Buffer {
    const value = this.#values.open(table, key, kept);
    const keptKey = this.keptKey(table, key);
    const target = Buffer.alloc(this.keptBytes(table, key, value));
    this.seal(table, key, keptKey, value, target);
    value.fill(0);
    return target;
  }
}
