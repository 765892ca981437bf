import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { DeliveryStatus, OutboxRecord } from '../store/tables/outbox.js';
import type { Store } from '../store/store.js';
import { checkObject, checkOptions, refuse } from '../sealer/options.js';
import { isBroadcastId } from './options.js';
import type { NamesOf } from '../util/known-names.js';
import type { Counts } from './delivery.js';

/** Broadcast as the store has it. */
export interface BroadcastStatus extends Readonly<Counts> {
  readonly id: string;
  /**
   * `ingesting`: not all recipients are in the store, `broadcast()` needs them again. `sending`:
   * they are, `resume()` finishes it. `finished`: every delivery has ended.
   */
  readonly state: 'ingesting' | 'sending' | 'finished';
  /** ms since the epoch; receivers know the message by it. */
  readonly timestamp: number;
  readonly createdAtMs: number;
  /** ms since the epoch; absent until every delivery has ended once. */
  readonly finishedAtMs?: number;
  /** Recipients known so far: of all deliveries, and of `invalid` entries. */
  readonly recipients: number;
  /** Deliveries that have not ended. */
  readonly waiting: number;
  /** Entries that were no service ids. `failed` counts them; no delivery in the store is theirs. */
  readonly invalid: number;
  /**
   * Deliveries whose records are damaged. `recipients` counts them, and no count of a status.
   * Absent: none.
   */
  readonly damaged?: number;
  readonly urgent: boolean;
  /** Recipients a second at most; absent: no limit. */
  readonly maxPerSecond?: number;
}

/** Status of a delivery in the store; `waiting`: it has not ended. */
export type StoredDeliveryStatus = DeliveryStatus | 'waiting';

/** Delivery as the store has it. */
export interface StoredDelivery {
  /** Service id. */
  readonly recipient: string;
  readonly status: StoredDeliveryStatus;
  /** Code of the error with which it ended; see docs/errors.md. */
  readonly errorCode?: string;
}

/** Options of {@link BroadcastReader.deliveries}. */
export interface DeliveriesOptions {
  /** Only deliveries with this status. Default: all. */
  readonly status?: StoredDeliveryStatus;
}

// Reading loads the store's tables lazily, so that seal-only users never load their codec.
const OPTION_NAMES = { status: true } satisfies NamesOf<DeliveriesOptions>;
const STATUSES: readonly unknown[] = [
  'sealed',
  'unsealed',
  'unregistered',
  'failed',
  'waiting',
] satisfies StoredDeliveryStatus[];

/**
 * Reads broadcasts and their deliveries from a store.
 *
 * It needs neither the service nor workers, and changes nothing. It reads pages of 1,024 rows, so
 * that a broadcast to millions takes as much memory as one to thousands. A broadcast that is
 * under way meanwhile shows each delivery as it was when its page was read.
 *
 * @example
 * import { BroadcastReader, openStore } from 'sealcast';
 *
 * const store = await openStore({ path: './announcements' });
 * for await (const { id, sealed, waiting } of new BroadcastReader(store).broadcasts())
 *   console.log(id, sealed, waiting);
 * await store.close();
 */
export class BroadcastReader {
  readonly #store: Store;

  /** @throws SealcastError ERR_INVALID_ARGUMENT */
  constructor(store: Store) {
    const given = checkObject(store, 'store');
    if (typeof given['list'] !== 'function') refuse('store', 'a Store, as openStore() returns it');
    this.#store = store;
  }

  /**
   * Iterates the broadcasts in the store, in the store's order, each with its counts. Reads all
   * deliveries of each. Leaves out those whose records are damaged: `status()` and `resume()` tell
   * of them.
   *
   * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
   * @example
   * for await (const { id, state, waiting } of reader.broadcasts())
   *   if (state !== 'finished') console.log(id, waiting);
   */
  async *broadcasts(): AsyncGenerator<BroadcastStatus, void, void> {
    const { scanBroadcasts } = await import('../store/tables/broadcasts.js');
    for await (const { id, record } of scanBroadcasts(this.#store)) {
      const status = await this.#statusOf(id, record);
      if (status !== undefined) yield status;
    }
  }

  /**
   * Returns a broadcast with its counts, from all of its deliveries; undefined where the store has
   * none of this id.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
   *   ERR_STORE_FAILED with `table: 'broadcast'`: the record of this broadcast is damaged.
   * @example
   * const status = await reader.status('ferry-2026-11-22');
   * console.log(status?.sealed, status?.waiting);
   */
  async status(id: string): Promise<BroadcastStatus | undefined> {
    const checked = checkId(id);
    const { loadBroadcast } = await import('../store/tables/broadcasts.js');
    const record = await loadBroadcast(this.#store, checked);
    return record && this.#statusOf(checked, record);
  }

  /**
   * Iterates the deliveries of a broadcast, in the store's order. Leaves out those whose records
   * are damaged; `status()` counts them.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: wrong arguments, at once; an id of no broadcast in
   *   the store, when it is iterated. ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
   * @example
   * for await (const { recipient, errorCode } of reader.deliveries(id, { status: 'failed' }))
   *   console.log(recipient, errorCode);
   */
  deliveries(
    id: string,
    options: DeliveriesOptions = {},
  ): AsyncGenerator<StoredDelivery, void, void> {
    const { status } = checkOptions(options, OPTION_NAMES);
    if (status !== undefined && !STATUSES.includes(status))
      refuse('status', `one of ${STATUSES.join(', ')}`);
    return this.#deliveries(checkId(id), status as StoredDeliveryStatus | undefined);
  }

  async *#deliveries(
    id: string,
    only: StoredDeliveryStatus | undefined,
  ): AsyncGenerator<StoredDelivery, void, void> {
    const { loadBroadcast } = await import('../store/tables/broadcasts.js');
    const record = await loadBroadcast(this.#store, id);
    if (record === undefined || record.state === 'pruned')
      refuse('id', 'that of a broadcast in the store');
    const { scanRows } = await import('../store/tables/outbox.js');
    for await (const { rows } of scanRows(this.#store, id)) {
      for (const { serviceId, row } of rows) {
        const delivery = deliveryOf(serviceId, row);
        if (only === undefined || delivery.status === only) yield delivery;
      }
    }
  }

  async #statusOf(id: string, record: BroadcastRecord): Promise<BroadcastStatus | undefined> {
    const { state, timestamp, createdAtMs, finishedAtMs, urgent, maxPerSecond } = record;
    // Its rows are being removed: the counts would be of those that are left.
    if (state === 'pruned') return undefined;
    const invalid = record.invalidRecipients;
    const counts = { sealed: 0, unsealed: 0, unregistered: 0, failed: invalid, waiting: 0 };
    let recipients = invalid;
    const { scanRows } = await import('../store/tables/outbox.js');
    let damagedCount = 0;
    for await (const { rows, damaged } of scanRows(this.#store, id)) {
      recipients += rows.length + damaged.length;
      damagedCount += damaged.length;
      for (const { row } of rows) counts[statusOf(row)] += 1;
    }
    return {
      id,
      state,
      timestamp,
      createdAtMs,
      ...(finishedAtMs > 0 && { finishedAtMs }),
      recipients,
      ...counts,
      invalid,
      ...(damagedCount > 0 && { damaged: damagedCount }),
      urgent,
      ...(maxPerSecond !== undefined && maxPerSecond !== Infinity && { maxPerSecond }),
    };
  }
}

const statusOf = (row: OutboxRecord): StoredDeliveryStatus =>
  row.state === 'done' ? row.status : 'waiting';

function deliveryOf(recipient: string, row: OutboxRecord): StoredDelivery {
  const status = statusOf(row);
  const errorCode = row.state === 'done' ? row.errorCode : undefined;
  return { recipient, status, ...(errorCode !== undefined && { errorCode }) };
}

/** @throws SealcastError ERR_INVALID_ARGUMENT */
export function checkId(id: unknown): string {
  if (!isBroadcastId(id)) refuse('id', '1 to 128 letters, digits and _.:-');
  return id;
}
