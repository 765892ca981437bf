import { broadcastChange, outboxKey } from '../runtime/outbox-rows.js';
import { Records } from '../runtime/records.js';
import { SealcastError, type SealcastErrorCode } from '../errors.js';
import { decodeBroadcast, decodeOutbox, type BroadcastRecord, type OutboxRecord } from '../store/records.js';
import { prunedChange, type Delivery } from './delivery.js';

export { broadcastChange };

/** Rows that are read together. */
const PAGE_ROWS = 1024;

/** What broadcasts keep in a store, in records of their own. */
export class Outbox extends Records {
  /** Where in the store a recipient's rows lie; undefined: in the order of the service ids. */
  get placeOf(): ((serviceId: string) => string) | undefined {
    const { store } = this;
    return store.orderOf && ((serviceId) => store.orderOf?.('contact', serviceId) ?? '');
  }

  async broadcast(id: string): Promise<BroadcastRecord | undefined> {
    const [bytes] = await this.store.getMany('broadcast', [id]);
    return bytes === undefined ? undefined : decodeBroadcast(bytes);
  }

  saveBroadcast(id: string, record: BroadcastRecord): Promise<void> {
    return this.commit([broadcastChange(id, record)]);
  }

  async *broadcasts(): AsyncGenerator<{ readonly id: string; readonly record: BroadcastRecord }> {
    for (let after: string | undefined; ;) {
      const page = await this.store.list('broadcast', {
        limit: PAGE_ROWS,
        ...(after !== undefined && { after }),
      });
      for (const { key, value } of page) yield { id: key, record: decodeBroadcast(value) };
      if (page.length < PAGE_ROWS) return;
      after = page.at(-1)?.key;
    }
  }

  /** Pages of a broadcast's recipients, in the store's order. */
  async *pages(id: string): AsyncGenerator<readonly { readonly serviceId: string; readonly row: OutboxRecord }[]> {
    const prefix = outboxKey(id, '');
    for (let after: string | undefined; ;) {
      const page = await this.store.list('outbox', {
        prefix,
        limit: PAGE_ROWS,
        ...(after !== undefined && { after }),
      });
      yield page.map(({ key, value }) => ({ serviceId: key.slice(prefix.length), row: decodeOutbox(value) }));
      if (page.length < PAGE_ROWS) return;
      after = page.at(-1)?.key;
    }
  }

  /** Recipients whose part has ended, in the store's order; of an error the outbox has the code. */
  async *deliveries(id: string): AsyncGenerator<Delivery> {
    for await (const page of this.pages(id)) {
      for (const { serviceId, row } of page) {
        if (row.state !== 'done') continue;
        const { status, errorCode } = row;
        const message = 'the part of the recipient failed; the outbox has the code alone';
        const error = errorCode && new SealcastError(errorCode as SealcastErrorCode, message, { serviceId });
        yield { recipient: serviceId, status, ...(error instanceof SealcastError && { error }) };
      }
    }
  }

  async rows(id: string, serviceIds: readonly string[]): Promise<(OutboxRecord | undefined)[]> {
    const keys = serviceIds.map((serviceId) => outboxKey(id, serviceId));
    const values = await this.store.getMany('outbox', keys);
    return values.map((value) => (value === undefined ? undefined : decodeOutbox(value)));
  }

  /**
   * Takes a broadcast out, its rows first. What a crash leaves of it is marked, and taken out the next time: with some of its
   * rows gone it would send to those once more.
   */
  async prune(id: string, record: BroadcastRecord): Promise<void> {
    await this.saveBroadcast(id, { ...record, state: 'pruned' });
    for await (const page of this.pages(id)) {
      await this.commit(page.map(({ serviceId, row }) => prunedChange(id, serviceId, row)));
    }
    await this.commit([{ table: 'broadcast', key: id, value: null }]);
  }
}
