/*
 * Identity key of a contact. This file is the only one that changes it, but for first sessions,
 * where there was none.
 *
 *   onIdentityKey   a key was seen: the known one                   nothing waits any more
 *                   another one, policy `accept`                    it takes the old one's place; no device is known
 *                   another one, policy `fail`                      it waits: nothing is sent until acceptIdentity()
 *   onAccepted      acceptIdentity()                                the one that waits takes the old one's place
 *   onImported...   another client trusted it                       the contact is known by it
 *                   another client left the decision open           it waits, and the contact is known by no other
 */
import type { ContactRecord } from '../store/tables/contacts.js';

export type IdentityPolicy = 'accept' | 'fail';

/**
 * Whether the key is another one than the contact is known by.
 *
 * A contact that is known by none while a key waits has been known by another one, which an import
 * did not tell.
 */
export function isOtherIdentity(
  { identityKey, pendingIdentityKey }: ContactRecord,
  seen: Uint8Array,
): boolean {
  if (identityKey === undefined) return pendingIdentityKey !== undefined;
  return Buffer.compare(identityKey, seen) !== 0;
}

/** Whether the contact has a new identity key that must be accepted before anything is sent. */
export function awaitsAcceptance(
  { pendingIdentityKey }: ContactRecord,
  policy: IdentityPolicy,
): boolean {
  return policy === 'fail' && pendingIdentityKey !== undefined;
}

/** The service, or a message of the contact, showed this identity key, 33 bytes. */
export function onIdentityKey(
  contact: ContactRecord,
  seen: Uint8Array,
  policy: IdentityPolicy,
): ContactRecord {
  const { pendingIdentityKey, ...settled } = contact;
  if (!isOtherIdentity(contact, seen)) {
    const isNews = contact.identityKey === undefined || pendingIdentityKey !== undefined;
    return isNews ? { ...settled, identityKey: seen } : contact;
  }
  if (policy === 'accept') return { ...settled, identityKey: seen, devices: [] };
  const isKnown =
    pendingIdentityKey !== undefined && Buffer.compare(pendingIdentityKey, seen) === 0;
  return isKnown ? contact : { ...contact, pendingIdentityKey: seen };
}

/** The caller accepted the key that waits. */
export function onAccepted(contact: ContactRecord): ContactRecord {
  const { pendingIdentityKey, ...settled } = contact;
  return pendingIdentityKey === undefined
    ? contact
    : { ...settled, identityKey: pendingIdentityKey, devices: [] };
}

/** Another client of the account, whose place this one takes, knows the contact by this key. */
export function onImportedIdentity(
  { identityKey: _old, pendingIdentityKey: _pending, ...contact }: ContactRecord,
  identityKey: Uint8Array,
  isTrusted: boolean,
): ContactRecord {
  return isTrusted ? { ...contact, identityKey } : { ...contact, pendingIdentityKey: identityKey };
}
