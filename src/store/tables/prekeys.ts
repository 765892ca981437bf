import { scan } from '../scan.js';
import type { Change, Store, TableName } from '../store.js';

/**
 * Tables of prekeys, which are libsignal's records under their ids.
 *
 * Last-resort Kyber prekeys are among the one-time ones.
 */
export type PreKeyTable = Extract<TableName, 'preKey' | 'signedPreKey' | 'kyberPreKey'>;

/** Value of a row that marks a use. */
const USED = Uint8Array.of(1);

/** Loads prekeys by id; undefined where there is none. */
export function loadPreKeys(
  store: Store,
  table: PreKeyTable,
  ids: readonly number[],
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return store.getMany(table, ids.map(String));
}

/** @param record null removes the prekey */
export const preKeyChange = (
  table: PreKeyTable,
  id: number,
  record: Uint8Array | null,
): Change => ({
  table,
  key: String(id),
  value: record,
});

/** Use of a Kyber prekey, with the other keys of both sides in it. */
export interface KyberUse {
  readonly kyberPreKeyId: number;
  readonly signedPreKeyId: number;
  /** The sender's base key, 33 bytes, in hex. */
  readonly baseKey: string;
}
/** Key of a use in table `kyberPreKey`. */
export const kyberUseKey = ({ kyberPreKeyId, signedPreKeyId, baseKey }: KyberUse): string =>
  `${kyberPreKeyId}/${signedPreKeyId}/${baseKey}`;

/** Finds which of these uses the store has. */
export async function knownKyberUses(store: Store, keys: readonly string[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set();
  const values = await store.getMany('kyberPreKey', keys);
  return new Set(keys.filter((_key, i) => values[i] !== undefined));
}

export const kyberUseChange = (use: KyberUse): Change => ({
  table: 'kyberPreKey',
  key: kyberUseKey(use),
  value: USED,
});

/** Makes the changes that remove the uses of a last-resort prekey. */
export async function kyberUseRemovals(store: Store, kyberPreKeyId: number): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const { key } of scan(store, 'kyberPreKey', { prefix: `${kyberPreKeyId}/` })) {
    changes.push({ table: 'kyberPreKey', key, value: null });
  }
  return changes;
}
