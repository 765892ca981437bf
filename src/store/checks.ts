import { types } from 'node:util';
import { SealcastError } from '../errors.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import {
  MAX_STORE_KEY_BYTES,
  TABLES,
  type Change,
  type ListOptions,
  type TableName,
} from './store.js';

/** Change with its key in UTF-8, and its value as a view of the caller's bytes. */
export interface CheckedChange {
  readonly table: TableName;
  readonly keyBytes: Buffer;
  readonly value: Uint8Array | null;
}

export interface CheckedListOptions {
  readonly prefix: Buffer;
  /** Empty: from the first key on. */
  readonly after: Buffer;
  readonly limit: number;
  readonly onDamaged: ListOptions['onDamaged'];
}

const LIST_NAMES = {
  prefix: true,
  after: true,
  limit: true,
  onDamaged: true,
} satisfies NamesOf<ListOptions>;

/** @throws SealcastError ERR_INVALID_ARGUMENT, always. `index` names the change or key at fault. */
export function refuse(field: string, expected: string, index?: number): never {
  const place = index === undefined ? field : `entry ${index}: ${field}`;
  throw new SealcastError(
    'ERR_INVALID_ARGUMENT',
    `${place} must be ${expected}`,
    index === undefined ? { field } : { field, index },
  );
}

export function checkObject(
  value: unknown,
  field: string,
  index?: number,
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) refuse(field, 'an object', index);
  return value as Readonly<Record<string, unknown>>;
}

export function checkTable(table: unknown, index?: number): TableName {
  if (!TABLES.includes(table as TableName)) refuse('table', `one of ${TABLES.join(', ')}`, index);
  return table as TableName;
}

/**
 * Encodes a text in UTF-8. A lone surrogate has no encoding: two different keys would become one.
 */
function utf8(value: unknown, field: string, index?: number): Buffer {
  if (typeof value !== 'string') refuse(field, 'a string', index);
  // The length in UTF-16 bounds the work for a text that is far too long.
  if (value.length > MAX_STORE_KEY_BYTES)
    refuse(field, `at most ${MAX_STORE_KEY_BYTES} bytes of UTF-8`, index);
  if (!value.isWellFormed()) refuse(field, 'well-formed Unicode', index);
  const bytes = Buffer.from(value);
  if (bytes.length > MAX_STORE_KEY_BYTES) {
    refuse(field, `at most ${MAX_STORE_KEY_BYTES} bytes of UTF-8, not ${bytes.length}`, index);
  }
  return bytes;
}

function checkKey(key: unknown, index: number): Buffer {
  const bytes = utf8(key, 'key', index);
  if (bytes.length === 0)
    refuse('key', `1 to ${MAX_STORE_KEY_BYTES} bytes of UTF-8, not empty`, index);
  return bytes;
}

/** @returns the keys in UTF-8. */
export function checkKeys(keys: unknown): Buffer[] {
  if (!Array.isArray(keys)) refuse('keys', 'an array');
  return Array.from(keys as readonly unknown[], checkKey);
}

function checkValue(value: unknown, index: number): Uint8Array | null {
  if (value === null) return null;
  try {
    // Our own view: an object's own claim of its length is not trusted.
    if (types.isUint8Array(value))
      return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  } catch {
    // Its buffer was detached.
  }
  return refuse('value', 'a Uint8Array or null', index);
}

export function checkChanges(changes: unknown): CheckedChange[] {
  if (!Array.isArray(changes)) refuse('changes', 'an array');
  return Array.from(changes as readonly unknown[], (given, index) => {
    const change = checkObject(given, 'change', index) as {
      readonly [field in keyof Change]: unknown;
    };
    const { table, key, value } = change;
    return {
      table: checkTable(table, index),
      keyBytes: checkKey(key, index),
      value: checkValue(value, index),
    };
  });
}

export function checkListOptions(options: unknown): CheckedListOptions {
  const given = checkObject(options, 'options');
  checkNames(given, LIST_NAMES);
  const { prefix: givenPrefix, after: givenAfter, limit, onDamaged } = given;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1)
    refuse('limit', 'a positive integer');
  if (onDamaged !== undefined && typeof onDamaged !== 'function') refuse('onDamaged', 'a function');
  const prefix = utf8(givenPrefix ?? '', 'prefix');
  return {
    prefix,
    after: utf8(givenAfter ?? '', 'after'),
    limit,
    onDamaged: onDamaged as ListOptions['onDamaged'],
  };
}

export function beginsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return (
    key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0
  );
}

export function storeClosed(): SealcastError {
  return new SealcastError('ERR_CLOSED', 'the store is closed');
}

export function storeTakenOver(): SealcastError {
  return new SealcastError('ERR_STORE_LOCKED', 'another writer has taken the store over');
}

export function storeLocked(): SealcastError {
  return new SealcastError(
    'ERR_STORE_LOCKED',
    'the store is open elsewhere: it takes one writer at a time',
  );
}

/** Wraps a failure as an error of the store. A SealcastError stays unchanged. */
export function storeFailed(what: string, cause: unknown): SealcastError {
  if (cause instanceof SealcastError) return cause;
  return new SealcastError('ERR_STORE_FAILED', what, { cause });
}
