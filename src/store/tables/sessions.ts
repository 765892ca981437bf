import { readValuesOrNone, scan } from '../scan.js';
import type { Change, DamagedEntry, Store } from '../store.js';
import type { IdentityKind } from './account.js';

/** Address of a device, under which its session is stored: libsignal's record, unchanged. */
export const sessionKey = (serviceId: string, deviceId: number): string =>
  `${serviceId}.${deviceId}`;

/**
 * Begin of the keys of sessions with an identity of ours. A device that wrote to our PNI has two:
 * only messages to the PNI come in that one.
 */
const PREFIXES: Readonly<Record<IdentityKind, string>> = { aci: '', pni: 'pni/' };

/** Extracts the service id of an address, or of a session's key. */
export const serviceIdIn = (address: string): string =>
  (address.startsWith(PREFIXES.pni) ? address.slice(PREFIXES.pni.length) : address).split(
    '.',
    1,
  )[0] ?? address;

/**
 * Loads sessions by address; undefined where there is none. A damaged session is none: the ratchet
 * in it is lost, and the next session takes its place.
 */
export function loadSessions(
  store: Store,
  addresses: readonly string[],
  identity: IdentityKind = 'aci',
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return readValuesOrNone(
    store,
    'session',
    identity === 'aci' ? addresses : addresses.map((address) => PREFIXES[identity] + address),
  );
}

/** @param record null removes the session */
export const sessionChangeAt = (
  address: string,
  record: Uint8Array | null,
  identity: IdentityKind = 'aci',
): Change => ({
  table: 'session',
  key: PREFIXES[identity] + address,
  value: record,
});

export const sessionChange = (serviceId: string, deviceId: number, record: Uint8Array): Change =>
  sessionChangeAt(sessionKey(serviceId, deviceId), record);

/** Service ids of the contacts whose sessions are among the changes, once for each session. */
export const contactsWithSessionsIn = (changes: readonly Change[]): string[] =>
  changes.filter(({ table }) => table === 'session').map(({ key }) => serviceIdIn(key));

/**
 * Key of a sender key, which is libsignal's record.
 *
 * It is the address of the device, and the distribution id.
 */
export const senderKeyKey = (address: string, distributionId: string): string =>
  `${address}.${distributionId}`;

/** Loads sender keys by their keys; undefined where there is none that can be read. */
export function loadSenderKeys(
  store: Store,
  keys: readonly string[],
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return readValuesOrNone(store, 'senderKey', keys);
}

/** Finds the keys of at most `limit` sender keys of a device. */
export async function senderKeysOf(
  store: Store,
  address: string,
  limit: number,
): Promise<string[]> {
  const entries = await store.list('senderKey', { prefix: senderKeyKey(address, ''), limit });
  return entries.map(({ key }) => key);
}

/** @param record null removes the sender key */
export const senderKeyChange = (key: string, record: Uint8Array | null): Change => ({
  table: 'senderKey',
  key,
  value: record,
});

/** Makes the changes that remove a contact's sessions with each identity of ours. */
export async function sessionRemovals(store: Store, serviceId: string): Promise<Change[]> {
  const [aci, pni] = await Promise.all([
    removalsOf(store, 'session', sessionPrefix(serviceId, 'aci')),
    removalsOf(store, 'session', sessionPrefix(serviceId, 'pni')),
  ]);
  return [...aci, ...pni];
}

const sessionPrefix = (serviceId: string, identity: IdentityKind): string =>
  `${PREFIXES[identity]}${serviceId}.`;

/** Makes the changes that remove the sender keys of all devices of a contact. */
export const senderKeyRemovals = (store: Store, serviceId: string): Promise<Change[]> =>
  removalsOf(store, 'senderKey', `${serviceId}.`);

async function removalsOf(
  store: Store,
  table: 'session' | 'senderKey',
  prefix: string,
): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const { key } of scan(store, table, { prefix }))
    changes.push({ table, key, value: null });
  return changes;
}

/** Makes the changes that remove every session. */
export async function allSessionRemovals(store: Store): Promise<Change[]> {
  const changes: Change[] = [];
  const remove = (key: string | undefined): void => {
    if (key !== undefined) changes.push({ table: 'session', key, value: null });
  };
  const onDamaged = ({ key }: DamagedEntry): void => remove(key);
  for await (const { key } of scan(store, 'session', { onDamaged })) remove(key);
  return changes;
}
