import { refuse } from '../sealer/options.js';
import type { ResendQueue } from '../runtime/resend-queue.js';

/** Broadcast in the store. */
export interface IndexedBroadcast {
  readonly id: string;
  readonly timestamp: number;
}

/** Indexes of the stores in use, by the queue of each. */
const indexes = new WeakMap<object, BroadcastIndex>();

/**
 * Broadcasts in the store, by timestamp; all Broadcasters on the store share one. Receivers take
 * two messages with one timestamp for the same, and show only the first.
 */
export class BroadcastIndex {
  readonly #resends: Pick<ResendQueue, 'pruned' | 'reopened'>;
  readonly #ids = new Map<number, string>();

  constructor(resends: Pick<ResendQueue, 'pruned' | 'reopened'>) {
    this.#resends = resends;
  }

  /** The index of the queue's store. */
  static of(resends: ResendQueue): BroadcastIndex {
    const index = indexes.get(resends) ?? new BroadcastIndex(resends);
    indexes.set(resends, index);
    return index;
  }

  idOf(timestamp: number): string | undefined {
    return this.#ids.get(timestamp);
  }

  add({ id, timestamp }: IndexedBroadcast): void {
    this.#ids.set(timestamp, id);
  }

  /**
   * Reserves the timestamp. A run is about to store the broadcast, or to add recipients to it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: the timestamp is that of another broadcast.
   */
  reserve(broadcast: IndexedBroadcast): void {
    this.assertFree(broadcast);
    this.add(broadcast);
    this.#resends.reopened(broadcast.id);
  }

  /** Removes a broadcast that was not stored. */
  remove({ id, timestamp }: IndexedBroadcast): void {
    if (this.#ids.get(timestamp) === id) this.#ids.delete(timestamp);
  }

  /** Removes a broadcast that has left the store. */
  pruned(broadcast: IndexedBroadcast): void {
    this.remove(broadcast);
    this.#resends.pruned(broadcast.id);
  }

  /** @throws SealcastError ERR_INVALID_ARGUMENT: the timestamp is that of another broadcast. */
  assertFree({ id, timestamp }: IndexedBroadcast): void {
    const other = this.#ids.get(timestamp);
    if (other !== undefined && other !== id)
      refuse('timestamp', 'that of no other broadcast in the store');
  }

  /**
   * Returns the first free timestamp from `nowMs` on: a clock that is set back shows a time twice.
   */
  freeTimestamp(nowMs: number): number {
    let timestamp = nowMs;
    while (this.#ids.has(timestamp)) timestamp += 1;
    return timestamp;
  }
}
