import { onToldProfileKey } from '../access/contact-sync.js';
import { expireTimerOf, profileKeyOf, type Content } from '../content/index.js';
import type { IdentityKind } from '../store/tables/account.js';
import { NEW_CONTACT, type ContactRecord } from '../store/tables/contacts.js';

/** Precision of `lastSeenMs`: a row is not written again for every message. */
const SEEN_STEP_MS = 3_600_000;

/**
 * Contact after a message: profile key, timer (see {@link expireTimerOf}) and time. The profile key
 * lets us send sealed; the timer is that of the conversation. A contact that is not known stays
 * unknown: a receipt or a request of a stranger teaches nothing, and a row for each would let
 * strangers fill the store.
 *
 * @returns the same contact where nothing is new.
 */
export function learnFrom(
  contact: ContactRecord,
  content: Content,
  serverTimestamp: number,
): ContactRecord {
  let learned = contact;
  const profileKey = profileKeyOf(content);
  if (profileKey !== undefined) learned = onToldProfileKey(learned, profileKey);
  const timer = expireTimerOf(content);
  if (timer !== undefined) learned = withTimer(learned, timer);
  if (learned === NEW_CONTACT) return contact;
  if (serverTimestamp - learned.lastSeenMs >= SEEN_STEP_MS)
    learned = { ...learned, lastSeenMs: serverTimestamp };
  return learned;
}

/**
 * Contact after a message to one identity of ours. One who wrote to our PNI gets its signature with
 * each message, until they write to our ACI: then they know that both are the same account.
 */
export function withDestination(contact: ContactRecord, destination: IdentityKind): ContactRecord {
  const needsPniSignature = destination === 'pni';
  return needsPniSignature === (contact.needsPniSignature ?? false)
    ? contact
    : { ...contact, needsPniSignature };
}

function withTimer(
  contact: ContactRecord,
  { expireTimer, expireTimerVersion }: NonNullable<ReturnType<typeof expireTimerOf>>,
): ContactRecord {
  const isOld = expireTimerVersion !== 0 && expireTimerVersion < contact.expireTimerVersion;
  const version = Math.max(expireTimerVersion, contact.expireTimerVersion);
  if (isOld || (expireTimer === contact.expireTimer && version === contact.expireTimerVersion))
    return contact;
  return { ...contact, expireTimer, expireTimerVersion: version };
}
