import type { Change, Store } from '../store.js';

/** The address of a device, under which its session is kept: libsignal's record, as it is. */
export const sessionKey = (serviceId: string, deviceId: number): string => `${serviceId}.${deviceId}`;

/** Service id of an address. */
export const serviceIdIn = (address: string): string => address.split('.', 1)[0] ?? address;

/** Sessions by address; undefined where there is none. */
export function loadSessions(
  store: Store,
  addresses: readonly string[],
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return store.getMany('session', addresses);
}

/** @param record null removes the session */
export const sessionChangeAt = (address: string, record: Uint8Array | null): Change => ({
  table: 'session',
  key: address,
  value: record,
});

export const sessionChange = (serviceId: string, deviceId: number, record: Uint8Array): Change =>
  sessionChangeAt(sessionKey(serviceId, deviceId), record);
