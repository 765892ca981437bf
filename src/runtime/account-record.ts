import { createHash } from 'node:crypto';
import { SealcastError } from '../errors.js';
import { refuse } from '../sealer/options.js';
import {
  accountChange,
  decodeAccount,
  encodeAccount,
  loadAccount,
  type AccountRecord,
} from '../store/tables/account.js';
import { loadPendingImport } from '../store/tables/imports.js';
import type { Change, Store } from '../store/store.js';

const hashOf = (profileKey: Uint8Array): Buffer => createHash('sha256').update(profileKey).digest();
const isRetired = (retired: readonly Uint8Array[], profileKey: Uint8Array): boolean =>
  retired.some((hash) => Buffer.compare(hash, hashOf(profileKey)) === 0);

/**
 * Refuses a store with an import under way: another program may still act for its account.
 *
 * @param operation that is refused: `open the account`
 * @throws SealcastError ERR_IMPORT_UNFINISHED
 */
export async function refuseUnfinishedImport(store: Store, operation: string): Promise<void> {
  if ((await loadPendingImport(store)) === undefined) return;
  const message = `${operation}: an import into the store has not finished; repeat it, and it finishes`;
  throw new SealcastError('ERR_IMPORT_UNFINISHED', message);
}

/**
 * Returns the store's account.
 *
 * A store that has none gets the given one; in a store that has one, both must be the same. A
 * profile key that was retired since does not come back: a caller that gives it has it from before.
 *
 * @throws SealcastError ERR_ACCOUNT_MISMATCH, ERR_INVALID_ARGUMENT: there is none anywhere;
 *   ERR_IMPORT_UNFINISHED: another program may still act for the account.
 */
export async function openAccountRecord(
  store: Store,
  given: AccountRecord | undefined,
): Promise<AccountRecord> {
  await refuseUnfinishedImport(store, 'open the account');
  const bytes = await loadAccount(store);
  const known = bytes === undefined ? undefined : decodeAccount(bytes);
  if (given === undefined) return known ?? refuse('account', 'given, as the store has none yet');
  if (known !== undefined) {
    const isSame =
      known.aci === given.aci &&
      known.deviceId === given.deviceId &&
      Buffer.compare(known.identityPublicKey, given.identityPublicKey) === 0;
    if (!isSame) {
      known.identityPrivateKey.fill(0);
      const message =
        'the store belongs to another account, device or identity key than the one given';
      throw new SealcastError('ERR_ACCOUNT_MISMATCH', message, { field: 'account' });
    }
  }
  const retiredProfileKeys = known?.retiredProfileKeys ?? [];
  const isOld = given.profileKey !== undefined && isRetired(retiredProfileKeys, given.profileKey);
  const profileKey = isOld ? known?.profileKey : (given.profileKey ?? known?.profileKey);
  const { aci, deviceId, registrationId, identityPublicKey, identityPrivateKey } = given;
  const account: AccountRecord = {
    ...{ aci, deviceId, registrationId, identityPublicKey, identityPrivateKey },
    ...(profileKey !== undefined && { profileKey }),
    ...(retiredProfileKeys.length > 0 && { retiredProfileKeys }),
  };
  const value = encodeAccount(account);
  const isNew = bytes === undefined || Buffer.compare(bytes, value) !== 0;
  // A view of the bytes: the store's answer is no longer needed.
  known?.identityPrivateKey.fill(0);
  if (isNew) {
    await store.commit([accountChange(value)]);
  }
  value.fill(0);
  return account;
}

/**
 * Returns the serialized record of an account that takes the place of the store's.
 *
 * The store's former profile key counts as retired, unless it is the new one as well.
 */
export async function accountWith(
  store: Store,
  account: AccountRecord,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) return encodeAccount(account);
  const { retiredProfileKeys = [], profileKey } = decodeAccount(bytes);
  const hashes =
    profileKey === undefined || isRetired(retiredProfileKeys, profileKey)
      ? retiredProfileKeys
      : [...retiredProfileKeys, hashOf(profileKey)];
  bytes.fill(0);
  const own = account.profileKey === undefined ? undefined : hashOf(account.profileKey);
  const retired = hashes.filter((hash) => own === undefined || Buffer.compare(hash, own) !== 0);
  return encodeAccount({
    ...account,
    ...(retired.length > 0 && { retiredProfileKeys: retired }),
  });
}

/**
 * Returns the change that gives the account another profile key and retires the old one.
 *
 * Without another one, the account has none from then on.
 *
 * The value contains the private key: the caller wipes it once it is committed.
 */
export async function profileKeyChange(
  store: Store,
  profileKey: Uint8Array | undefined,
): Promise<Change & { value: Uint8Array }> {
  const bytes = await loadAccount(store);
  if (bytes === undefined)
    throw new SealcastError('ERR_STORE_FAILED', 'the store has no account any more');
  const known = decodeAccount(bytes);
  const retired = known.retiredProfileKeys ?? [];
  const old = known.profileKey;
  const retiredProfileKeys =
    old === undefined || isRetired(retired, old) ? retired : [...retired, hashOf(old)];
  const { aci, deviceId, registrationId, identityPublicKey, identityPrivateKey } = known;
  const value = encodeAccount({
    ...{ aci, deviceId, registrationId, identityPublicKey, identityPrivateKey },
    ...(profileKey !== undefined && { profileKey }),
    retiredProfileKeys,
  });
  bytes.fill(0);
  return { ...accountChange(value), value };
}
