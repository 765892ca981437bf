import type { Store } from '../store/store.js';
import { decodeAccount, loadAccount } from '../store/tables/account.js';
import { loadCredentials, wipeCredentials } from '../store/tables/credentials.js';
import { isPrimary } from '../util/addresses.js';

/** Account of a store, without its secrets. */
export interface OwnFacts {
  readonly aci: string;
  readonly deviceId: number;
  readonly isPrimary: boolean;
  readonly hasProfileKey: boolean;
  readonly number?: string;
  readonly pni?: string;
  readonly deviceName?: string;
}

/** @returns undefined where the store has no account */
export async function readOwnFacts(store: Store): Promise<OwnFacts | undefined> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) return undefined;
  const { aci, deviceId, identityPrivateKey, profileKey } = decodeAccount(bytes);
  for (const secret of [bytes, identityPrivateKey, profileKey]) secret?.fill(0);
  const credentials = await loadCredentials(store);
  wipeCredentials(credentials);
  const { number, deviceName, pniIdentity } = credentials ?? {};
  return {
    aci,
    deviceId,
    isPrimary: isPrimary({ deviceId }),
    hasProfileKey: profileKey !== undefined,
    ...(number !== undefined && { number }),
    ...(pniIdentity !== undefined && { pni: pniIdentity.pni }),
    ...(deviceName !== undefined && { deviceName }),
  };
}
