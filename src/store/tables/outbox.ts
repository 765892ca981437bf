import { assertWhole, EnumNames, RecordType } from '../codec.js';
import { damagedError } from '../damage.js';
import { readRecords, scanRecords, type Found } from '../scan.js';
import type { Change, Store } from '../store.js';
import type { SealcastError } from '../../errors.js';
import type { Device } from './contacts.js';

/** Ciphertext for one device, from a step on its session. */
export interface EncryptedDevice extends Device {
  readonly type: 'prekey' | 'whisper';
  readonly ciphertext: Uint8Array;
}

/** How a delivery ended. */
export type DeliveryStatus = 'sealed' | 'unsealed' | 'unregistered' | 'failed';

/** Record of a delivery: one recipient of one broadcast. */
export type OutboxRecord =
  | { readonly state: 'queued' }
  | {
      readonly state: 'encrypted';
      /** 33 bytes: the recipient's identity key, to which the ciphertexts are sealed. */
      readonly identityKey: Uint8Array;
      readonly devices: readonly EncryptedDevice[];
      /** Of the profile key that the ciphertexts carry; absent: none, as far as is known. */
      readonly profileKeyMark?: string;
    }
  | { readonly state: 'done'; readonly status: DeliveryStatus; readonly errorCode?: string };

const IDENTITY_KEY_BYTES = 33;
const OUTBOX = new RecordType('Outbox');
const STATES = new EnumNames<OutboxRecord['state']>('Outbox.State', 'state of a recipient');
const STATUSES = new EnumNames<DeliveryStatus>('Outbox.DeliveryStatus', 'status of a delivery');
const CIPHERTEXT_TYPES = new EnumNames<EncryptedDevice['type']>(
  'Device.CiphertextType',
  'kind of ciphertext',
);

export function encodeOutbox(row: OutboxRecord): Uint8Array<ArrayBuffer> {
  const state = STATES.numberOf(row.state);
  if (row.state === 'queued') return OUTBOX.encode({ state });
  if (row.state === 'done') {
    return OUTBOX.encode({
      state,
      status: STATUSES.numberOf(row.status),
      errorCode: row.errorCode,
    });
  }
  const devices = row.devices.map((device) => ({
    ...device,
    type: CIPHERTEXT_TYPES.numberOf(device.type),
  }));
  const { identityKey, profileKeyMark } = row;
  return OUTBOX.encode({ state, identityKey, devices, profileKeyMark });
}
export function decodeOutbox(bytes: Uint8Array): OutboxRecord {
  const wire = OUTBOX.decode(bytes);
  const state = STATES.nameOf(wire['state']);
  if (state === 'queued') return { state };
  if (state === 'done') {
    const errorCode = wire['errorCode'] as string;
    const status = STATUSES.nameOf(wire['status']);
    return { state, status, ...(errorCode !== '' && { errorCode }) };
  }
  const devices = (wire['devices'] as (Device & { type: number; ciphertext: Uint8Array })[]).map(
    ({ deviceId, registrationId, type, ciphertext }): EncryptedDevice => ({
      deviceId,
      registrationId,
      type: CIPHERTEXT_TYPES.nameOf(type),
      ciphertext,
    }),
  );
  const identityKey = wire['identityKey'] as Uint8Array;
  assertWhole(identityKey.length === IDENTITY_KEY_BYTES && devices.length > 0, 'Outbox');
  const profileKeyMark = wire['profileKeyMark'] as string;
  return { state, identityKey, devices, ...(profileKeyMark !== '' && { profileKeyMark }) };
}

/** Key of a recipient's row. The id of a broadcast has no slash in it. */
export const outboxKey = (id: string, serviceId: string): string => `${id}/${serviceId}`;

/** Row of a recipient, or why it cannot be read. */
export type FoundRow = Found<OutboxRecord>;

/**
 * Loads rows of a broadcast's recipients; undefined where there is none, an error where the row is
 * damaged.
 */
export function loadRows(
  store: Store,
  id: string,
  serviceIds: readonly string[],
): Promise<FoundRow[]> {
  const keys = serviceIds.map((serviceId) => outboxKey(id, serviceId));
  return readRecords(store, 'outbox', keys, decodeOutbox);
}

/** Row that is damaged. */
export interface DamagedRow {
  /** Undefined where the row does not say whose it is. */
  readonly serviceId: string | undefined;
  readonly error: SealcastError;
}

/** Rows of a broadcast, and damaged ones that were found with them. */
export interface RowPage {
  readonly rows: readonly { readonly serviceId: string; readonly row: OutboxRecord }[];
  readonly damaged: readonly DamagedRow[];
}

/** Iterates over pages of a broadcast's rows, in the store's order. */
export async function* scanRows(store: Store, id: string): AsyncGenerator<RowPage, void, void> {
  const prefix = outboxKey(id, '');
  for await (const page of scanRecords(store, 'outbox', decodeOutbox, { prefix })) {
    yield {
      rows: page.records.map(({ key, value }) => ({
        serviceId: key.slice(prefix.length),
        row: value,
      })),
      damaged: page.damaged.map(({ key }) => damagedRow(key?.slice(prefix.length))),
    };
  }
}

const damagedRow = (serviceId: string | undefined): DamagedRow => ({
  serviceId,
  error: damagedError('outbox', serviceId === undefined ? {} : { serviceId }),
});

/** Iterates over the rows of all broadcasts that can be read. */
export async function* scanAllRows(
  store: Store,
): AsyncGenerator<
  { readonly id: string; readonly serviceId: string; readonly row: OutboxRecord },
  void,
  void
> {
  for await (const { records } of scanRecords(store, 'outbox', decodeOutbox)) {
    for (const { key, value } of records) {
      const [id = '', serviceId = ''] = key.split('/', 2);
      yield { id, serviceId, row: value };
    }
  }
}

/** @param row null removes the recipient's row */
export const rowChange = (id: string, serviceId: string, row: OutboxRecord | null): Change => ({
  table: 'outbox',
  key: outboxKey(id, serviceId),
  value: row && encodeOutbox(row),
});
