import type { Change, Store } from '../store.js';

/** Key of a sender key, which is libsignal's record: the address of the device, and the distribution id. */
export const senderKeyKey = (address: string, distributionId: string): string => `${address}.${distributionId}`;

/** Sender keys by their keys; undefined where there is none. */
export function loadSenderKeys(
  store: Store,
  keys: readonly string[],
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return store.getMany('senderKey', keys);
}

/** Keys of at most so many sender keys of a device. */
export async function senderKeysOf(store: Store, address: string, limit: number): Promise<string[]> {
  const entries = await store.list('senderKey', { prefix: senderKeyKey(address, ''), limit });
  return entries.map(({ key }) => key);
}

/** @param record null removes the sender key */
export const senderKeyChange = (key: string, record: Uint8Array | null): Change => ({
  table: 'senderKey',
  key,
  value: record,
});
