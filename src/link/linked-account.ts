import { newState, withNew, withUploaded } from '../account/prekeys/plan.js';
import { requestedChange } from '../broadcast/delivery.js';
import { accountWith } from '../runtime/account-record.js';
import {
  accountChange,
  deviceStateRemovals,
  preKeyStateChange,
  type AccountRecord,
  type IdentityKind,
  type PreKeysRecord,
} from '../store/tables/account.js';
import { contactChange, scanContacts } from '../store/tables/contacts.js';
import {
  credentialsChange,
  pendingLinkRemoval,
  type CredentialsRecord,
  type LinkPreKeys,
  type PendingLinkRecord,
} from '../store/tables/credentials.js';
import { blockedSyncChange, ownSyncChange } from '../store/tables/own-sync.js';
import { scanAllRows } from '../store/tables/outbox.js';
import { allPreKeyRemovals, preKeyChange } from '../store/tables/prekeys.js';
import { allSessionRemovals } from '../store/tables/sessions.js';
import type { Change, Store } from '../store/store.js';
import { preKeyIdsOf } from './pending-link.js';

/** A device that the service has taken. */
export interface NewDevice {
  readonly account: AccountRecord;
  readonly credentials: CredentialsRecord;
  readonly aciPreKeys: LinkPreKeys;
  readonly pniPreKeys?: LinkPreKeys;
}

/**
 * Makes the changes with which a link becomes the store's account, for one commit.
 *
 * Values have secrets in them: the caller wipes them once they are committed.
 */
export async function linkedAccountChanges(
  store: Store,
  link: PendingLinkRecord,
  { deviceId, nowMs }: { readonly deviceId: number; readonly nowMs: number },
): Promise<Change[]> {
  const { aci, registrationId, identityPublicKey, identityPrivateKey, profileKey } = link;
  const account = {
    aci,
    deviceId,
    registrationId,
    identityPublicKey,
    identityPrivateKey,
    profileKey,
  };
  return [...(await newDeviceChanges(store, { ...link, account }, nowMs)), pendingLinkRemoval()];
}

/**
 * Makes the changes with which a device becomes the store's account.
 *
 * The remains of an earlier device go with them: its prekeys and sessions, which contacts have with
 * another registration id; certificates of another device id; ciphertexts of those sessions, whose
 * recipients are queued once more. Contacts stay, with their profile keys and access modes.
 *
 * Values have secrets in them: the caller wipes them once they are committed.
 */
export async function newDeviceChanges(
  store: Store,
  { account, credentials, aciPreKeys, pniPreKeys }: NewDevice,
  nowMs: number,
): Promise<Change[]> {
  return [
    ...(await earlierDeviceRemovals(store)),
    accountChange(await accountWith(store, account)),
    credentialsChange(credentials),
    ...preKeyChanges('aci', aciPreKeys, nowMs),
    ...preKeyChanges('pni', pniPreKeys, nowMs),
  ];
}

async function earlierDeviceRemovals(store: Store): Promise<Change[]> {
  const changes = [
    ...deviceStateRemovals(),
    blockedSyncChange(undefined),
    ownSyncChange(undefined),
    ...(await allPreKeyRemovals(store)),
    ...(await allSessionRemovals(store)),
  ];
  for await (const { serviceId, contact } of scanContacts(store)) {
    if (contact.devices.length > 0)
      changes.push(contactChange(serviceId, { ...contact, devices: [] }));
  }
  for await (const { id, serviceId, row } of scanAllRows(store)) {
    if (row.state === 'encrypted') changes.push(requestedChange(id, serviceId, row));
  }
  return changes;
}

/** The two prekeys that the service got with the device, and the state that names them. */
function preKeyChanges(
  identity: IdentityKind,
  preKeys: LinkPreKeys | undefined,
  nowMs: number,
): Change[] {
  if (preKeys === undefined) return [preKeyStateChange(undefined, identity)];
  const { signedPreKeyId, kyberPreKeyId } = preKeyIdsOf(preKeys);
  let state: PreKeysRecord = {
    ...newState(),
    nextSignedPreKeyId: signedPreKeyId,
    nextKyberPreKeyId: kyberPreKeyId,
  };
  for (const kind of ['signedPreKeys', 'lastResortKyberPreKeys'] as const)
    state = withUploaded(withNew(state, kind).state, kind, nowMs);
  return [
    preKeyChange('signedPreKey', signedPreKeyId, preKeys.signedPreKey, identity),
    preKeyChange('kyberPreKey', kyberPreKeyId, preKeys.lastResortKyberPreKey, identity),
    preKeyStateChange(state, identity),
  ];
}
