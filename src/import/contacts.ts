import { onImported, onProfileKey } from '../access/access-mode.js';
import { onImportedIdentity } from '../access/contact-identity.js';
import { onAddressed } from '../access/unanswered.js';
import { isSameBytes } from '../util/bytes.js';
import { NEW_CONTACT, type ContactRecord, type Device } from '../store/tables/contacts.js';
import type { Tally } from './counts.js';
import type { SourceContactIdentity, SourceRecipient, SourceTimer } from './recipients.js';

/** All that the source has of a contact. */
export interface SourceContact {
  readonly recipient: SourceRecipient | undefined;
  readonly identity: SourceContactIdentity | undefined;
  readonly devices: readonly Device[];
}

/**
 * Contact of a moved account: this device takes the place of the one that it was, so its sessions
 * and identity keys are the source's.
 *
 * @param known the store's contact, from before the account sent or received anything
 * @returns undefined where the source has nothing of the contact.
 */
export function movedContact(
  known: ContactRecord,
  { recipient, identity, devices }: SourceContact,
  nowMs: number,
  tally: Tally,
): ContactRecord | undefined {
  let contact: ContactRecord = { ...onAddressed(known), devices };
  if (identity !== undefined) {
    contact = onImportedIdentity(contact, identity.identityKey, identity.isTrusted);
    tally.add('identities');
    if (!identity.isTrusted) tally.add('pendingIdentities');
  }
  if (recipient !== undefined) {
    const { profileKey, timer, isBlocked, needsPniSignature, concludedMode } = recipient;
    if (profileKey !== undefined) {
      contact = onProfileKey(contact, profileKey);
      tally.add('profileKeys');
    }
    if (timer !== undefined) {
      contact = { ...contact, ...timer };
      tally.add('timers');
    }
    if (isBlocked) {
      contact = { ...contact, blocked: true };
      tally.add('blocked');
    }
    if (needsPniSignature) contact = { ...contact, needsPniSignature };
    contact = onImported(contact, concludedMode, nowMs);
  }
  if (!isNews(contact)) return undefined;
  tally.add('contacts');
  return contact;
}

const isNews = (contact: ContactRecord): boolean =>
  contact.devices.length > 0 ||
  contact.identityKey !== undefined ||
  contact.pendingIdentityKey !== undefined ||
  contact.profileKey !== undefined ||
  contact.blocked ||
  contact.needsPniSignature === true ||
  contact.expireTimer !== 0 ||
  contact.expireTimerVersion !== 0 ||
  contact.accessMode !== NEW_CONTACT.accessMode;

/**
 * Contact of a store with the facts of a recipient that the store lacks.
 *
 * A profile key that the store has stays: a rotated one cannot be told from a newer one. A timer
 * counts by its version. A block of either side holds.
 *
 * @returns undefined where nothing is new.
 */
export function mergedContact(
  known: ContactRecord,
  recipient: SourceRecipient,
  tally: Tally,
): ContactRecord | undefined {
  const { profileKey, timer, isBlocked } = recipient;
  let contact = onAddressed(known);
  if (profileKey !== undefined) {
    if (known.profileKey === undefined) {
      contact = onProfileKey(contact, profileKey);
      tally.add('profileKeys');
    } else if (!isSameBytes(known.profileKey, profileKey)) tally.skip('known');
  }
  if (timer !== undefined && !isSameTimer(known, timer)) {
    if (isNewerTimer(known, timer)) {
      contact = { ...contact, ...timer };
      tally.add('timers');
    } else tally.skip('known');
  }
  if (isBlocked && !known.blocked) {
    contact = { ...contact, blocked: true };
    tally.add('blocked');
  }
  if (contact === known) return undefined;
  tally.add('contacts');
  return contact;
}

const isSameTimer = (known: SourceTimer, timer: SourceTimer): boolean =>
  timer.expireTimer === known.expireTimer && timer.expireTimerVersion === known.expireTimerVersion;

/** Without a version, a timer is taken only where the store has none. */
const isNewerTimer = (known: SourceTimer, { expireTimerVersion }: SourceTimer): boolean =>
  expireTimerVersion > known.expireTimerVersion ||
  (known.expireTimerVersion === 0 && known.expireTimer === 0);
