import { newState, withNew, withUploaded } from '../account/prekeys/plan.js';
import { requestedChange } from '../broadcast/delivery.js';
import { accountWith } from '../runtime/account-record.js';
import {
  accountChange,
  deviceStateRemovals,
  preKeyStateChange,
  type IdentityKind,
  type PreKeysRecord,
} from '../store/tables/account.js';
import { contactChange, scanContacts } from '../store/tables/contacts.js';
import {
  credentialsChange,
  pendingLinkRemoval,
  type LinkPreKeys,
  type PendingLinkRecord,
} from '../store/tables/credentials.js';
import { scanAllRows } from '../store/tables/outbox.js';
import { allPreKeyRemovals, preKeyChange } from '../store/tables/prekeys.js';
import { allSessionRemovals } from '../store/tables/sessions.js';
import type { Change, Store } from '../store/store.js';
import { preKeyIdsOf } from './pending-link.js';

/**
 * Makes the changes with which a link becomes the store's account, for one commit.
 *
 * The remains of an earlier link go with them: its prekeys and sessions, which contacts have with
 * another registration id; certificates of another device id; ciphertexts of those sessions, whose
 * recipients are queued once more. Contacts stay, with their profile keys and access modes.
 *
 * Values have secrets in them: the caller wipes them once they are committed.
 */
export async function linkedAccountChanges(
  store: Store,
  link: PendingLinkRecord,
  { deviceId, nowMs }: { readonly deviceId: number; readonly nowMs: number },
): Promise<Change[]> {
  const account = await accountWith(store, {
    aci: link.aci,
    deviceId,
    registrationId: link.registrationId,
    identityPublicKey: link.identityPublicKey,
    identityPrivateKey: link.identityPrivateKey,
    profileKey: link.profileKey,
  });
  return [
    ...(await earlierLinkRemovals(store)),
    accountChange(account),
    credentialsChange(link.credentials),
    ...preKeyChanges('aci', link.aciPreKeys, nowMs),
    ...preKeyChanges('pni', link.pniPreKeys, nowMs),
    pendingLinkRemoval(),
  ];
}

async function earlierLinkRemovals(store: Store): Promise<Change[]> {
  const changes = [
    ...deviceStateRemovals(),
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

/** The two prekeys that the service got with the link, and the state that names them. */
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
