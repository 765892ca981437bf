import type { Resends as ResendsOfHub } from '../account/hub.js';
import type { BroadcastRecord, BroadcastState } from '../store/records.js';
import type { Change } from '../store/store.js';
import { broadcastChange, rowChange, type Outbox } from './outbox.js';

/**
 * Puts what somebody could not decrypt back into the outbox: his row of the broadcast is queued again, and the broadcast is one that
 * still sends, so that a crash leaves it to `resume()`.
 */
export class Resends implements ResendsOfHub {
  readonly #outbox: Outbox;
  readonly #idOf: (timestamp: number) => string | undefined;
  readonly #begin: (id: string) => void;
  /** Recipients that wait to be sent to again, by broadcast. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Broadcasts in which nobody is wanting but those. */
  readonly #complete = new Set<string>();

  /**
   * @param idOf the broadcast that was sent with this timestamp.
   * @param begin has those of a broadcast who wait sent to, as soon as it is not under way; see {@link take}.
   */
  constructor(outbox: Outbox, idOf: (timestamp: number) => string | undefined, begin: (id: string) => void) {
    this.#outbox = outbox;
    this.#idOf = idOf;
    this.#begin = begin;
  }

  async requeue(
    serviceId: string,
    timestamp: number,
  ): Promise<{ readonly changes: readonly Change[]; readonly begin: () => void } | undefined> {
    const id = this.#idOf(timestamp);
    if (id === undefined) return undefined;
    // Before anything is read: a run that ends meanwhile leaves the broadcast open.
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(serviceId));
    const [record, [row]] = await Promise.all([this.#outbox.broadcast(id), this.#outbox.rows(id, [serviceId])]);
    const wasSent = row?.state === 'done' && (row.status === 'sealed' || row.status === 'unsealed');
    if (record === undefined || record.state === 'pruned' || !wasSent) {
      waiting.delete(serviceId);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      return undefined;
    }
    const changes: Change[] = [rowChange(id, serviceId, { state: 'queued' })];
    if (record.state === 'finished') {
      this.#complete.add(id);
      changes.push(broadcastChange(id, { ...record, state: 'sending' }));
    }
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

  /** The state of a broadcast after all its recipients were sent to: it is not finished while somebody waits. */
  stateAfterAll(id: string): BroadcastState {
    if (!this.isOpen(id)) return 'finished';
    this.#complete.add(id);
    return 'sending';
  }

  /** The same after those who waited were sent to: if nobody else was wanting before, it is finished again. */
  stateAfterResend(id: string, { state }: BroadcastRecord): BroadcastState {
    if (!this.#complete.has(id) || this.isOpen(id)) return state;
    this.#complete.delete(id);
    return 'finished';
  }
}
