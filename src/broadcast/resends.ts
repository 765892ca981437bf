import type { AddressLocks } from '../account/address-locks.js';
import type { Resends as ResendsOfHub } from '../account/hub.js';
import type { BroadcastRecord, BroadcastState } from '../store/records.js';
import type { Change } from '../store/store.js';
import { broadcastChange, rowChange, type Outbox } from './outbox.js';

/** What puts a message back, and what begins once that is on the disk. */
interface Requeued {
  readonly changes: readonly Change[];
  readonly begin: () => void;
}

/**
 * Puts what somebody could not decrypt back into the outbox: his row of the broadcast is queued again, and the broadcast is one that
 * still sends, so that a crash leaves it to `resume()`.
 */
export class Resends implements ResendsOfHub {
  readonly #outbox: Outbox;
  readonly #locks: AddressLocks;
  readonly #idOf: (timestamp: number) => string | undefined;
  readonly #whenIdle: (id: string, then: () => void) => void;
  readonly #begin: (id: string) => void;
  /** Recipients that wait to be sent to again, by broadcast. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Broadcasts in which nobody is wanting but those. */
  readonly #complete = new Set<string>();

  /**
   * @param idOf the broadcast that was sent with this timestamp.
   * @param whenIdle calls back once the broadcast is not under way.
   * @param begin has those of a broadcast who wait sent to, once it is not under way; see {@link take}.
   */
  constructor(
    outbox: Outbox,
    locks: AddressLocks,
    idOf: (timestamp: number) => string | undefined,
    whenIdle: (id: string, then: () => void) => void,
    begin: (id: string) => void,
  ) {
    this.#outbox = outbox;
    this.#locks = locks;
    this.#idOf = idOf;
    this.#whenIdle = whenIdle;
    this.#begin = begin;
  }

  async requeue(serviceId: string, timestamp: number): Promise<Requeued | undefined> {
    const id = this.#idOf(timestamp);
    if (id === undefined) return undefined;
    const requeued = await this.#requeue(id, serviceId);
    if (requeued !== 'on its way') return requeued;
    // He was faster than the service's answer. A crash now leaves him to `resume()`, of which he gets the same, and asks again.
    return { changes: [], begin: () => this.#whenIdle(id, () => void this.#requeueLate(id, serviceId)) };
  }

  /** After the run: if his part of it has ended well, it begins anew. */
  async #requeueLate(id: string, serviceId: string): Promise<void> {
    try {
      await this.#locks.with([serviceId], async () => {
        const requeued = await this.#requeue(id, serviceId);
        if (requeued === undefined || requeued === 'on its way') return;
        await this.#outbox.commit(requeued.changes);
        requeued.begin();
      });
    } catch {
      // The store fails, which whoever uses it next is told.
    }
  }

  async #requeue(id: string, serviceId: string): Promise<Requeued | 'on its way' | undefined> {
    // Before anything is read: a run that ends meanwhile leaves the broadcast open.
    const waiting = this.#waiting.get(id) ?? new Set();
    const isFirst = !waiting.has(serviceId);
    this.#waiting.set(id, waiting.add(serviceId));
    const [record, [row]] = await Promise.all([this.#outbox.broadcast(id), this.#outbox.rows(id, [serviceId])]);
    const wasSent = row?.state === 'done' && (row.status === 'sealed' || row.status === 'unsealed');
    if (record === undefined || record.state === 'pruned' || !wasSent) {
      if (isFirst) waiting.delete(serviceId);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      return row?.state === 'encrypted' ? 'on its way' : undefined;
    }
    const changes: Change[] = [rowChange(id, serviceId, { state: 'queued' })];
    // Also where it is so already: a run that has just ended may be about to call it finished, in a commit before this one.
    if (record.state !== 'ingesting') changes.push(broadcastChange(id, { ...record, state: 'sending' }));
    if (record.state === 'finished') this.#complete.add(id);
    return { changes, begin: () => this.#begin(id) };
  }

  /** Whether somebody still waits. */
  isOpen(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** Those of a broadcast who wait; from now on they are the caller's. */
  take(id: string): readonly string[] {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return [...(waiting ?? [])];
  }

  /** More recipients come. */
  reopened(id: string): void {
    this.#complete.delete(id);
  }

  /** The state of a broadcast after all its recipients were sent to: it is not finished while somebody waits. */
  stateAfterAll(id: string): BroadcastState {
    this.#complete.add(id);
    return this.isOpen(id) ? 'sending' : 'finished';
  }

  /** The same after those who waited were sent to: if nobody else was wanting before, it is finished again. */
  stateAfterResend(id: string, { state }: BroadcastRecord): BroadcastState {
    if (!this.#complete.has(id)) return state;
    return this.isOpen(id) ? 'sending' : 'finished';
  }
}
