import { SealcastError } from '../errors.js';
import { Emitter } from '../util/event-relay.js';
import { RecentSet } from '../util/lru-map.js';
import type { Store, TableName } from './store.js';

/** Damaged records that are told apart: one that is read again counts once. */
const MAX_REMEMBERED = 16_384;

/** Number of a table's records that were found damaged. */
export interface Damage {
  readonly table: TableName;
  readonly records: number;
}

/** Error about a record that the store has and cannot read. */
export function damagedError(
  table: TableName,
  facts: { readonly serviceId?: string; readonly cause?: unknown } = {},
): SealcastError {
  const message = `read a record of table ${table}: it is damaged (changed, cut short or moved)`;
  return new SealcastError('ERR_STORE_FAILED', message, { table, ...facts });
}

/**
 * Whether the error is about one damaged record. Any other failure of a store is about all of it.
 *
 * @param tables only records of these tables; default: of all.
 */
export function isDamaged(
  error: unknown,
  tables?: readonly TableName[],
): error is SealcastError & { readonly table: string } {
  if (!(error instanceof SealcastError) || error.code !== 'ERR_STORE_FAILED') return false;
  const { table } = error;
  return table !== undefined && (tables === undefined || (tables as string[]).includes(table));
}

const logs = new WeakMap<Store, DamageLog>();

/** Damaged records that were found in a store since it was opened, without keys and values. */
export class DamageLog {
  readonly #known = new RecentSet(MAX_REMEMBERED);
  readonly #counts = new Map<TableName, number>();
  readonly #found = new Emitter<Damage>();

  /** The log of a store: one for all that read it. */
  static of(store: Store): DamageLog {
    let log = logs.get(store);
    if (log === undefined) logs.set(store, (log = new DamageLog()));
    return log;
  }

  /**
   * Counts a record.
   *
   * @param name tells the record from the others of its table.
   */
  note(table: TableName, name: string): void {
    if (!this.#known.add(`${table} ${name}`)) return;
    const records = (this.#counts.get(table) ?? 0) + 1;
    this.#counts.set(table, records);
    this.#found.emit({ table, records });
  }

  /** Records of a table that were found so far. */
  countOf(table: TableName): number {
    return this.#counts.get(table) ?? 0;
  }

  /**
   * Tells what is known, and each record that is found from now on.
   *
   * @returns a call that ends it.
   */
  subscribe(listener: (damage: Damage) => void): () => void {
    for (const [table, records] of this.#counts) listener({ table, records });
    return this.#found.subscribe(listener);
  }
}
