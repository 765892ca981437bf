import { readRecords, readValuesOrNone, scan } from '../scan.js';
import type { Change, Store, TableName } from '../store.js';
import type { IdentityKind } from './account.js';

/**
 * Tables of prekeys, which are libsignal's records under their ids.
 *
 * Last-resort Kyber prekeys are among the one-time ones.
 */
export type PreKeyTable = Extract<TableName, 'preKey' | 'signedPreKey' | 'kyberPreKey'>;

/** Begin of the keys of an identity's rows, in each of the tables. */
const PREFIXES: Readonly<Record<IdentityKind, string>> = { aci: '', pni: 'pni/' };

/** Value of a row that marks a use. */
const USED = Uint8Array.of(1);

/** Loads an identity's prekeys by id; undefined where there is none that can be read. */
export function loadPreKeys(
  store: Store,
  table: PreKeyTable,
  ids: readonly number[],
  identity: IdentityKind = 'aci',
): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
  return readValuesOrNone(
    store,
    table,
    ids.map((id) => `${PREFIXES[identity]}${id}`),
  );
}

/** @param record null removes the prekey */
export const preKeyChange = (
  table: PreKeyTable,
  id: number,
  record: Uint8Array | null,
  identity: IdentityKind = 'aci',
): Change => ({
  table,
  key: `${PREFIXES[identity]}${id}`,
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
export const kyberUseKey = (
  { kyberPreKeyId, signedPreKeyId, baseKey }: KyberUse,
  identity: IdentityKind = 'aci',
): string => `${PREFIXES[identity]}${kyberPreKeyId}/${signedPreKeyId}/${baseKey}`;

/**
 * Finds which of an identity's uses the store has.
 *
 * @param names keys as {@link kyberUseKey} makes them for the ACI
 */
export async function knownKyberUses(
  store: Store,
  names: readonly string[],
  identity: IdentityKind = 'aci',
): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  const keys = names.map((name) => `${PREFIXES[identity]}${name}`);
  // A mark that is damaged is a mark: the use was made.
  const values = await readRecords(store, 'kyberPreKey', keys, (mark) => mark);
  return new Set(names.filter((_name, i) => values[i] !== undefined));
}

export const kyberUseChange = (use: KyberUse, identity: IdentityKind = 'aci'): Change => ({
  table: 'kyberPreKey',
  key: kyberUseKey(use, identity),
  value: USED,
});

/** Makes the changes that remove the uses of a last-resort prekey. */
export async function kyberUseRemovals(
  store: Store,
  kyberPreKeyId: number,
  identity: IdentityKind = 'aci',
): Promise<Change[]> {
  const changes: Change[] = [];
  const prefix = `${PREFIXES[identity]}${kyberPreKeyId}/`;
  for await (const { key } of scan(store, 'kyberPreKey', { prefix })) {
    changes.push({ table: 'kyberPreKey', key, value: null });
  }
  return changes;
}

/** Makes the changes that remove every prekey of both identities, and their uses. */
export async function allPreKeyRemovals(store: Store): Promise<Change[]> {
  const changes: Change[] = [];
  for (const table of ['preKey', 'signedPreKey', 'kyberPreKey'] as const) {
    for await (const { key } of scan(store, table)) changes.push({ table, key, value: null });
  }
  return changes;
}
