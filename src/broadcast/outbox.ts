import {
  broadcastChange,
  loadBroadcast,
  scanAllBroadcasts,
  type BroadcastRecord,
  type DamagedBroadcast,
} from '../store/tables/broadcasts.js';
import { contactOrder } from '../store/tables/contacts.js';
import { loadRows, scanRows, type FoundRow, type RowPage } from '../store/tables/outbox.js';
import { uploadRemovals } from '../store/tables/uploads.js';
import type { Store } from '../store/store.js';
import { Records } from '../runtime/records.js';
import { SealcastError, type SealcastErrorCode } from '../errors.js';
import { prunedChange, type Delivery } from './delivery.js';

/** Broadcasts and deliveries in a store, as records. */
export class Outbox extends Records {
  /** Place of a recipient's rows in the store; undefined: in the order of the service ids. */
  get placeOf(): ((serviceId: string) => string) | undefined {
    return contactOrder(this.store);
  }

  /** The store that the outbox is in. */
  get source(): Store {
    return this.store;
  }

  broadcast(id: string): Promise<BroadcastRecord | undefined> {
    return loadBroadcast(this.store, id);
  }

  saveBroadcast(id: string, record: BroadcastRecord): Promise<void> {
    return this.commit([broadcastChange(id, record)]);
  }

  /** Iterates broadcasts, in the store's order; damaged ones come with an error. */
  broadcasts(): AsyncGenerator<
    { readonly id: string; readonly record: BroadcastRecord } | DamagedBroadcast,
    void,
    void
  > {
    return scanAllBroadcasts(this.store);
  }

  /** Iterates pages of a broadcast's recipients, in the store's order. */
  pages(id: string): AsyncGenerator<RowPage, void, void> {
    return scanRows(this.store, id);
  }

  /**
   * Iterates deliveries that have ended, in the store's order; the outbox has only the code of an
   * error.
   */
  async *deliveries(id: string): AsyncGenerator<Delivery> {
    for await (const { rows } of this.pages(id)) {
      for (const { serviceId, row } of rows) {
        if (row.state !== 'done') continue;
        const { status, errorCode } = row;
        const message = 'the part of the recipient failed; the outbox has the code alone';
        const error =
          errorCode && new SealcastError(errorCode as SealcastErrorCode, message, { serviceId });
        yield { recipient: serviceId, status, ...(error instanceof SealcastError && { error }) };
      }
    }
  }

  rows(id: string, serviceIds: readonly string[]): Promise<FoundRow[]> {
    return loadRows(this.store, id, serviceIds);
  }

  /**
   * Removes a broadcast that is marked as pruned, its rows first. The mark lets the next look
   * remove the rest that a crash leaves: with some of its rows gone, the broadcast would be sent to
   * those recipients once more. The keys of its attachments go with the mark.
   */
  async removePruned(id: string): Promise<void> {
    for await (const { rows, damaged } of this.pages(id)) {
      await this.commit([
        ...rows.map(({ serviceId, row }) => prunedChange(id, serviceId, row)),
        ...damaged.flatMap(({ serviceId, error }) =>
          serviceId === undefined ? [] : [prunedChange(id, serviceId, error)],
        ),
      ]);
    }
    await this.commit([broadcastChange(id, null), ...(await uploadRemovals(this.store, id))]);
  }
}
