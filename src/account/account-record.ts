import { SealcastError } from '../errors.js';
import { refuse } from '../options.js';
import { decodeAccount, encodeAccount, type AccountRecord } from '../store/records.js';
import type { Store } from '../store/store.js';

/** There is one account in a store. */
const ACCOUNT_KEY = 'self';

/**
 * The store's account; the one given is put into a store that has none, and must be the same in one that has.
 *
 * @throws SealcastError ERR_ACCOUNT_MISMATCH, ERR_INVALID_ARGUMENT: there is none anywhere.
 */
export async function openAccountRecord(store: Store, given: AccountRecord | undefined): Promise<AccountRecord> {
  const [bytes] = await store.getMany('account', [ACCOUNT_KEY]);
  const known = bytes === undefined ? undefined : decodeAccount(bytes);
  if (given === undefined) return known ?? refuse('account', 'given, as the store has none yet');
  if (known !== undefined) {
    const isSame =
      known.aci === given.aci &&
      known.deviceId === given.deviceId &&
      Buffer.compare(known.identityPublicKey, given.identityPublicKey) === 0;
    if (!isSame) {
      const message = 'the store belongs to another account, device or identity key than the one given';
      throw new SealcastError('ERR_ACCOUNT_MISMATCH', message, { field: 'account' });
    }
  }
  const profileKey = given.profileKey ?? known?.profileKey;
  const account: AccountRecord = { ...given, ...(profileKey !== undefined && { profileKey }) };
  const value = encodeAccount(account);
  const isNew = bytes === undefined || Buffer.compare(bytes, value) !== 0;
  // A view of the bytes: what the store gave is not needed any more.
  known?.identityPrivateKey.fill(0);
  if (isNew) {
    await store.commit([{ table: 'account', key: ACCOUNT_KEY, value }]);
  }
  value.fill(0);
  return account;
}
