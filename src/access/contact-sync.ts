import type { ContactRecord } from '../store/tables/contacts.js';
import { onProfileKey } from './access-mode.js';
import { onAddressed } from './unanswered.js';

/**
 * Contact after they told us their profile key, in a message or by a caller of ours: the primary
 * device's list of contacts, which may be older, does not replace it.
 *
 * @returns the same contact where nothing is new.
 */
export function onToldProfileKey(contact: ContactRecord, profileKey: Uint8Array): ContactRecord {
  const told = onProfileKey(contact, profileKey);
  return told.profileKeySynced === true ? { ...told, profileKeySynced: false } : told;
}

/**
 * Contact with the profile key that the primary device's list has. It replaces none but one of that
 * list.
 *
 * @returns the same contact where nothing is new.
 */
export function onSyncedProfileKey(contact: ContactRecord, profileKey: Uint8Array): ContactRecord {
  const { profileKey: known, profileKeySynced = false } = contact;
  if (known !== undefined && !profileKeySynced) return contact;
  // The same key again is no news: it must not undo what sends have found out.
  if (known !== undefined && Buffer.compare(known, profileKey) === 0) return contact;
  return { ...onProfileKey(contact, profileKey), profileKeySynced: true };
}

/** Contact as the primary device blocks it; the same one where nothing changes. */
export function withPrimaryBlock(contact: ContactRecord, isBlocked: boolean): ContactRecord {
  if (isBlocked)
    return contact.blocked
      ? contact
      : onAddressed({ ...contact, blocked: true, blockedByPrimary: true });
  return contact.blockedByPrimary === true
    ? { ...contact, blocked: false, blockedByPrimary: false, lacksProfileKey: false }
    : contact;
}
