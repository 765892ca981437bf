import { EnumNames, RecordType } from '../codec.js';
import { scan, scanPages } from '../scan.js';
import type { Change, Store } from '../store.js';
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
  const profileKeyMark = wire['profileKeyMark'] as string;
  return {
    state,
    identityKey: wire['identityKey'] as Uint8Array,
    devices,
    ...(profileKeyMark !== '' && { profileKeyMark }),
  };
}

/** Key of a recipient's row. The id of a broadcast has no slash in it. */
export const outboxKey = (id: string, serviceId: string): string => `${id}/${serviceId}`;

/** Loads rows of a broadcast's recipients; undefined where there is none. */
export async function loadRows(
  store: Store,
  id: string,
  serviceIds: readonly string[],
): Promise<(OutboxRecord | undefined)[]> {
  const keys = serviceIds.map((serviceId) => outboxKey(id, serviceId));
  const values = await store.getMany('outbox', keys);
  return values.map((value) => (value === undefined ? undefined : decodeOutbox(value)));
}

/** Iterates over pages of a broadcast's rows, in the store's order. */
export async function* scanRows(
  store: Store,
  id: string,
): AsyncGenerator<
  readonly { readonly serviceId: string; readonly row: OutboxRecord }[],
  void,
  void
> {
  const prefix = outboxKey(id, '');
  for await (const page of scanPages(store, 'outbox', { prefix })) {
    yield page.map(({ key, value }) => ({
      serviceId: key.slice(prefix.length),
      row: decodeOutbox(value),
    }));
  }
}

/** Iterates over the rows of all broadcasts. */
export async function* scanAllRows(
  store: Store,
): AsyncGenerator<
  { readonly id: string; readonly serviceId: string; readonly row: OutboxRecord },
  void,
  void
> {
  for await (const { key, value } of scan(store, 'outbox')) {
    const [id = '', serviceId = ''] = key.split('/', 2);
    yield { id, serviceId, row: decodeOutbox(value) };
  }
}

/** @param row null removes the recipient's row */
export const rowChange = (id: string, serviceId: string, row: OutboxRecord | null): Change => ({
  table: 'outbox',
  key: outboxKey(id, serviceId),
  value: row && encodeOutbox(row),
});
