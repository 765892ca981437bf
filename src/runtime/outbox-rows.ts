import { encodeBroadcast, encodeOutbox, type BroadcastRecord, type OutboxRecord } from '../store/records.js';
import type { Change } from '../store/store.js';

/** Key of a recipient's row in the `outbox` table. */
export const outboxKey = (id: string, serviceId: string): string => `${id}/${serviceId}`;

export const broadcastChange = (id: string, record: BroadcastRecord): Change => ({
  table: 'broadcast',
  key: id,
  value: encodeBroadcast(record),
});

export const rowChange = (id: string, serviceId: string, row: OutboxRecord): Change => ({
  table: 'outbox',
  key: outboxKey(id, serviceId),
  value: encodeOutbox(row),
});
