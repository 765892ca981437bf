import { DamageLog, damagedError, isDamaged } from './damage.js';
import type { SealcastError } from '../errors.js';
import type { DamagedEntry, Store, StoreEntry, TableName } from './store.js';

/** Rows that are read together. */
const PAGE_ROWS = 1024;

export interface ScanOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string;
  /** Default: 1,024. */
  readonly pageRows?: number;
  /** Hears of each damaged entry, once. */
  readonly onDamaged?: (damaged: DamagedEntry) => void;
}

/**
 * Iterates over pages of a table's entries, in the store's order; the last one may be empty.
 *
 * Entries may be put in and removed meanwhile: an entry that is there all along comes exactly once.
 * Damaged entries are counted (see {@link DamageLog}) and left out.
 */
export async function* scanPages(
  store: Store,
  table: TableName,
  { prefix = '', pageRows = PAGE_ROWS, onDamaged }: ScanOptions = {},
): AsyncGenerator<readonly StoreEntry[], void, void> {
  const log = DamageLog.of(store);
  const told = new Set<string>();
  for (let after: string | undefined; ;) {
    const page = await store.list(table, {
      prefix,
      limit: pageRows,
      ...(after !== undefined && { after }),
      onDamaged: (damaged) => {
        if (told.has(damaged.name)) return;
        told.add(damaged.name);
        log.note(table, damaged.key ?? damaged.name);
        onDamaged?.(damaged);
      },
    });
    yield page;
    if (page.length < pageRows) return;
    after = page.at(-1)?.key;
  }
}

/** Iterates over the entries of a table one by one, as {@link scanPages} gives them. */
export async function* scan(
  store: Store,
  table: TableName,
  options?: ScanOptions,
): AsyncGenerator<StoreEntry, void, void> {
  for await (const page of scanPages(store, table, options)) yield* page;
}

/** Page of decoded records, and the damaged ones that were found with it. */
export interface RecordPage<Value> {
  readonly records: readonly { readonly key: string; readonly value: Value }[];
  readonly damaged: readonly DamagedEntry[];
}

/**
 * Iterates over pages of a table's records, as {@link scanPages} does. A record that cannot be
 * decoded is damaged like one whose bytes the store cannot read.
 */
export async function* scanRecords<Value>(
  store: Store,
  table: TableName,
  decode: (bytes: Uint8Array<ArrayBuffer>) => Value,
  options: Omit<ScanOptions, 'onDamaged'> = {},
): AsyncGenerator<RecordPage<Value>, void, void> {
  const log = DamageLog.of(store);
  let damaged: DamagedEntry[] = [];
  const onDamaged = (entry: DamagedEntry): void => void damaged.push(entry);
  for await (const page of scanPages(store, table, { ...options, onDamaged })) {
    const records: { key: string; value: Value }[] = [];
    for (const { key, value } of page) {
      const decoded = decodeRecord(table, value, decode);
      if ('record' in decoded) records.push({ key, value: decoded.record });
      else {
        log.note(table, key);
        damaged.push({ key, name: key });
      }
    }
    yield { records, damaged };
    damaged = [];
  }
}

function decodeRecord<Value>(
  table: TableName,
  bytes: Uint8Array<ArrayBuffer>,
  decode: (bytes: Uint8Array<ArrayBuffer>) => Value,
): { readonly record: Value } | { readonly error: SealcastError } {
  try {
    return { record: decode(bytes) };
  } catch (cause) {
    return { error: damagedError(table, { cause }) };
  }
}

/** Value of a record: undefined where there is none, an error where it is damaged. */
export type Found<Value> = Value | undefined | SealcastError;

/**
 * Reads records by key, each with an outcome of its own.
 *
 * @returns in the order of the keys.
 * @throws SealcastError the errors of the store that are not about one record.
 */
export async function readRecords<Value>(
  store: Store,
  table: TableName,
  keys: readonly string[],
  decode: (bytes: Uint8Array<ArrayBuffer>) => Value,
): Promise<Found<Value>[]> {
  const log = DamageLog.of(store);
  const values = await readValues(store, table, keys);
  return values.map((value, i) => {
    if (value === undefined) return undefined;
    const decoded = 'bytes' in value ? decodeRecord(table, value.bytes, decode) : value;
    if ('record' in decoded) return decoded.record;
    log.note(table, keys[i] ?? '');
    return decoded.error;
  });
}

type Value =
  { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly error: SealcastError } | undefined;

async function readValues(
  store: Store,
  table: TableName,
  keys: readonly string[],
): Promise<Value[]> {
  try {
    const values = await store.getMany(table, keys);
    return values.map((bytes) => bytes && { bytes });
  } catch (cause) {
    if (!isDamaged(cause, [table])) throw cause;
    if (keys.length === 1) return [{ error: damagedError(table, { cause }) }];
    // One by one: damage is rare, and a store may say no more than that one of the values has it.
    const values: Value[] = [];
    for (const key of keys) values.push(...(await readValues(store, table, [key])));
    return values;
  }
}

/**
 * Reads values by key; undefined where there is none, and where it is damaged: for records that can
 * be made again, such as sessions.
 */
export async function readValuesOrNone(
  store: Store,
  table: TableName,
  keys: readonly string[],
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  const found = await readRecords(store, table, keys, (bytes) => bytes);
  return found.map((value) => (value instanceof Error ? undefined : value));
}
