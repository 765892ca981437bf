import {
  broadcastChange,
  loadBroadcast,
  scanBroadcasts,
  type BroadcastRecord,
  type BroadcastState,
} from '../store/tables/broadcasts.js';
import { isDamaged } from '../store/damage.js';
import { loadRows } from '../store/tables/outbox.js';
import type { Change, Store } from '../store/store.js';
import { mayHaveArrived, requestedChange, type ResendRequests } from '../broadcast/delivery.js';

/**
 * Changes that put a message back into the outbox, and the start of its send.
 *
 * The caller calls `begin` once the changes are on disk.
 */
export interface Requeued {
  readonly changes: readonly Change[];
  readonly begin: () => void;
}

/** Part of a Broadcaster that the queue needs. */
export interface ResendSender {
  /** Id of the broadcast that was sent with this timestamp. */
  idOf(timestamp: number): string | undefined;
  /**
   * Sends to the recipients that wait, once the broadcast is not under way.
   *
   * {@link ResendQueue.take} returns these recipients.
   */
  beginResend(id: string): void;
}

const NOTHING: Requeued = { changes: [], begin: () => undefined };

/**
 * Retry requests of recipients that could not decrypt a message of a broadcast.
 *
 * A retry request is a change to the recipient's row, in the same commit as the rest of its
 * envelope: `done` and `encrypted` become `queued`, `queued` stays, and the broadcast becomes one
 * that still sends. So it survives a crash or a close at any moment, also with no Broadcaster on
 * the store: `Broadcaster.resume()` answers the retry requests that are still open.
 *
 * A run whose send to the recipient was under way meanwhile must not overwrite the row. It asks
 * {@link isRequested} right before it commits, and commits run in the order of their calls.
 */
export class ResendQueue implements ResendRequests {
  readonly #store: Store;
  readonly #senders = new Set<ResendSender>();
  /** Ids by timestamp as the store has them; read once while no Broadcaster knows them. */
  #storedIds: Promise<ReadonlyMap<number, string>> | undefined;
  /** Recipients whose rows are queued again, by broadcast. */
  readonly #requested = new Map<string, Set<string>>();
  /** Broadcasts in which every other delivery has ended. */
  readonly #complete = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * @returns a call that detaches the Broadcaster: from then on `resume()` answers retry requests.
   */
  attach(sender: ResendSender): () => void {
    this.#senders.add(sender);
    this.#storedIds = undefined;
    return () => {
      this.#senders.delete(sender);
      this.#storedIds = undefined;
    };
  }

  /**
   * Queues a message again.
   *
   * The caller holds the recipient's lock and the one of broadcasts' records, commits the changes,
   * and then calls `begin`.
   *
   * @returns undefined where no message with this timestamp went to the recipient, the store no
   *   longer keeps it, or the record of the broadcast or of the delivery is damaged.
   * @throws SealcastError ERR_STORE_FAILED: the store cannot be read.
   */
  async requeue(serviceId: string, timestamp: number): Promise<Requeued | undefined> {
    const found = await this.#find(timestamp);
    if (found === undefined) return undefined;
    const { id, sender } = found;
    const [record, [row]] = await Promise.all([
      loadBroadcast(this.#store, id).catch((error: unknown) => {
        if (isDamaged(error)) return undefined;
        throw error;
      }),
      loadRows(this.#store, id, [serviceId]),
    ]);
    if (record === undefined || row === undefined || row instanceof Error) return undefined;
    if (record.state === 'pruned' || !mayHaveArrived(row)) return undefined;
    // It goes out anyway, with the session as this request leaves it.
    if (row.state === 'queued') return NOTHING;
    this.#request(id, serviceId);
    const changes: Change[] = [requestedChange(id, serviceId, row)];
    if (record.state === 'finished') {
      this.#complete.add(id);
      changes.push(broadcastChange(id, { ...record, state: 'sending' }));
    }
    return { changes, begin: () => sender?.beginResend(id) };
  }

  async #find(
    timestamp: number,
  ): Promise<{ readonly id: string; readonly sender: ResendSender | undefined } | undefined> {
    for (const sender of this.#senders) {
      const id = sender.idOf(timestamp);
      if (id !== undefined) return { id, sender };
    }
    if (this.#senders.size > 0) return undefined;
    this.#storedIds ??= this.#readIds().catch((error: unknown) => {
      this.#storedIds = undefined;
      throw error;
    });
    const id = (await this.#storedIds).get(timestamp);
    return id === undefined ? undefined : { id, sender: undefined };
  }

  async #readIds(): Promise<ReadonlyMap<number, string>> {
    const ids = new Map<number, string>();
    for await (const { id, record } of scanBroadcasts(this.#store)) ids.set(record.timestamp, id);
    return ids;
  }

  #request(id: string, serviceId: string): void {
    const requested = this.#requested.get(id) ?? new Set();
    this.#requested.set(id, requested.add(serviceId));
  }

  isRequested(id: string, serviceId: string): boolean {
    return this.#requested.get(id)?.has(serviceId) === true;
  }

  answering(id: string, serviceId: string): void {
    const requested = this.#requested.get(id);
    if (requested?.delete(serviceId) === true && requested.size === 0) this.#requested.delete(id);
  }

  /** Hands the recipients of a broadcast that wait for a resend over to the caller. */
  take(id: string): readonly string[] {
    const requested = this.#requested.get(id);
    this.#requested.delete(id);
    return [...(requested ?? [])];
  }

  /** Notes that deliveries may be open: further recipients come, or a run has failed. */
  reopened(id: string): void {
    this.#complete.delete(id);
  }

  /**
   * Returns the state of a broadcast after a run. The caller holds the lock of broadcasts' records.
   *
   * It is not finished while a recipient waits. After a run for recipients that waited, it is
   * finished again if every other delivery had ended before.
   *
   * @param scope whether the run was for all recipients.
   */
  stateAfter(id: string, { state }: BroadcastRecord, scope: 'all' | 'some'): BroadcastState {
    if (scope === 'all') this.#complete.add(id);
    else if (!this.#complete.has(id)) return state;
    return this.#requested.has(id) ? 'sending' : 'finished';
  }

  /** Forgets a broadcast that is no longer in the store. */
  pruned(id: string): void {
    this.#complete.delete(id);
    this.#requested.delete(id);
  }
}
