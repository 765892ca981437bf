/*
 * Access mode of a contact: whether, and with which access key, the contact accepts sealed
 * messages. This file is the only one that assigns a mode. Each event is a pure function from a
 * contact to the contact afterwards; it returns the same object where nothing changes, so that the
 * caller writes nothing then.
 *
 * | state        | meaning                                   | access key that is sent       |
 * | ------------ | ----------------------------------------- | ----------------------------- |
 * | unknown      | not tried yet, or to be tried again       | derived; zeros without a      |
 * |              |                                           | profile key                   |
 * | enabled      | the service accepted the derived key      | derived from the profile key  |
 * | unrestricted | the contact accepts messages with any key | zeros                         |
 * | disabled     | denied at `accessDeniedMs`                | none: unsealed, if the policy |
 * |              |                                           | allows it                     |
 *
 * | event            | case                  | from               | to                            |
 * | ---------------- | --------------------- | ------------------ | ----------------------------- |
 * | NEW_ACCESS       | first sight           | (none)             | unknown                       |
 * | onSealed         | sealed send accepted  | unknown, disabled  | enabled with a profile key,   |
 * |                  |                       |                    | else unrestricted             |
 * | onUnauthorized   | 401 or 403            | unrestricted + key | unknown: next, derived key    |
 * |                  | profile: verifier     | any other          | enabled: another try, at most |
 * |                  |                       |                    | MAX_DENIALS times             |
 * |                  | profile: unrestricted | any other          | unrestricted                  |
 * |                  | profile: neither      | any other          | disabled                      |
 * |                  | no profile available  | any other          | disabled, if the account      |
 * |                  |                       |                    | exists                        |
 * | onProfile        | profile fetched       | any                | the mode that it proves       |
 * | onProfileKey     | the same key again    | disabled           | unknown                       |
 * |                  | another key           | any                | unknown                       |
 * | onSealedReceived | sealed message came   | disabled           | unknown                       |
 * | onTimePassed     | after DENIAL_LIFE_MS  | disabled           | unknown: one more try         |
 * | onImported       | another client's mode | unknown            | that mode; `enabled` only     |
 * |                  |                       |                    | with a profile key            |
 *
 * A transition whose evidence is about another profile key or mode than the contact has by now
 * changes nothing. Any event or state that the table does not list changes nothing either.
 *
 * State that one answer of the service writes about a contact, and the ways out of it:
 *
 * | state                                   | way out                                             |
 * | --------------------------------------- | --------------------------------------------------- |
 * | disabled (401)                          | any row above; after a wrong denial, DENIAL_LIFE_MS |
 * |                                         | at the latest                                       |
 * | unrestricted (zeros accepted)           | a 401                                               |
 * | devices: [] (404, another identity key) | the next broadcast asks for prekeys                 |
 * | pending identity key                    | acceptIdentity(); an answer or message with the     |
 * |                                         | known key; policy `accept`                          |
 * | row `unregistered`, `failed`            | none in this broadcast; the next one asks again     |
 * | blocked, lacksProfileKey                | no answer writes them: setBlocked(false), unblock() |
 */
import {
  ACCESS_KEY_BYTES,
  deriveAccessKey,
  isVerifierOf,
  type ProfileAccess,
} from './access-key.js';
import { isSameBytes } from '../util/bytes.js';

/**
 * Whether and with which key a contact lets us send sealed, as Signal's clients keep it: `unknown`
 * until tried; `enabled` with the key derived from its profile key; `unrestricted`, with any key;
 * `disabled`, not at all.
 */
export type AccessMode = 'unknown' | 'enabled' | 'unrestricted' | 'disabled';

/** Facts that access depends on. */
export interface Access {
  readonly accessMode: AccessMode;
  /** 32 bytes */
  readonly profileKey?: Uint8Array;
  /** Access key as it was stored with the profile key. */
  readonly stored?: StoredAccessKey;
}

/** An access key, and the array of the profile key that it belongs to. */
export interface StoredAccessKey {
  readonly profileKey: Uint8Array;
  /** 16 bytes */
  readonly accessKey: Uint8Array;
}

/** Part of a contact that the transitions read and write. */
export interface AccessState extends Access {
  /** When `disabled` was concluded, ms since the epoch; 0 in any other mode. */
  readonly accessDeniedMs: number;
  /**
   * When the profile was fetched last, ms since the epoch; 0: never, or not since the profile key
   * changed.
   */
  readonly profileFetchedMs: number;
}

/**
 * Access as a worker read it in the store.
 *
 * @param profileKey 32 bytes
 * @param accessKey of the profile key, 16 bytes
 */
export function accessAsRead(
  accessMode: AccessMode,
  profileKey: Uint8Array | undefined,
  accessKey: Uint8Array | undefined,
): Access {
  if (profileKey === undefined) return { accessMode };
  if (accessKey === undefined) return { accessMode, profileKey };
  return { accessMode, profileKey, stored: { profileKey, accessKey } };
}

/** Access of a contact that is new to us. */
export const NEW_ACCESS: AccessState = {
  accessMode: 'unknown',
  accessDeniedMs: 0,
  profileFetchedMs: 0,
};

/**
 * How long a denial is believed without another look: a contact is tried sealed again once a day at
 * most.
 */
export const DENIAL_LIFE_MS = 24 * 3_600_000;

/** A phone-number identity: the service answers 401 to any access key for it. */
export const isPni = (serviceId: string): boolean => serviceId.startsWith('PNI:');

/** Whether anything is sent sealed at all. */
export function takesSealed(serviceId: string, { accessMode }: Access): boolean {
  return accessMode !== 'disabled' && !isPni(serviceId);
}

/** The user's decision about contacts that accept no sealed messages. */
export interface UnsealedPolicy {
  readonly unsealedFallback: 'never' | 'when-denied';
}

/**
 * Whether a message or request may leave at all: sealed always, unsealed if the policy allows it.
 * "Never unsealed" is decided here and in no other place.
 *
 * @param isSealed whether it would leave sealed: {@link takesSealed}, or an access key that is not
 *   null.
 */
export function maySend(isSealed: boolean, { unsealedFallback }: UnsealedPolicy): boolean {
  return isSealed || unsealedFallback !== 'never';
}

/** The mode alone, as the public API reports it. */
export const modeOf = ({ accessMode }: Access): Pick<Access, 'accessMode'> => ({ accessMode });

/**
 * The access key to send with, 16 bytes; null where nothing is sent sealed.
 *
 * unknown: the derived key, or zeros where there is no profile key; enabled: the derived key;
 * unrestricted: zeros.
 */
export function accessKeyFor(serviceId: string, access: Access): Uint8Array<ArrayBuffer> | null {
  if (!takesSealed(serviceId, access)) return null;
  const accessKey = access.accessMode === 'unrestricted' ? undefined : accessKeyOf(access);
  // The caller's own: it may be wiped.
  return accessKey === undefined ? new Uint8Array(ACCESS_KEY_BYTES) : Uint8Array.from(accessKey);
}

/**
 * The access key of a contact's profile key, 16 bytes; undefined without a profile key.
 *
 * Where it was stored with the same profile key, that spares its derivation, for which OpenSSL
 * makes a key object: 21 to 40 µs of the main thread for each message on Node 24, 3 to 6 on 20, 22
 * and 26 (Intel Xeon, 2026-11).
 */
export function accessKeyOf({ profileKey, stored }: Access): Uint8Array | undefined {
  if (profileKey === undefined) return undefined;
  return stored?.profileKey === profileKey ? stored.accessKey : deriveAccessKey(profileKey);
}

/** Whether two states ask for the same access key, and would get the same verdict. */
export function isSameAccess(a: Access, b: Access): boolean {
  return a.accessMode === b.accessMode && isSameBytes(a.profileKey, b.profileKey);
}

/** Whether an accepted message sent with this access proves something new about the contact. */
export const isUnproven = ({ accessMode }: Access): boolean => accessMode === 'unknown';

/** The service accepted a sealed message that was sent with this access. */
export function onSealed<Contact extends AccessState>(contact: Contact, sentWith: Access): Contact {
  // A profile key that came meanwhile is not the one that was accepted; a mode that is known has
  // nothing to learn.
  if (!isSameBytes(contact.profileKey, sentWith.profileKey)) return contact;
  if (contact.accessMode === 'enabled' || contact.accessMode === 'unrestricted') return contact;
  return withMode(contact, contact.profileKey === undefined ? 'unrestricted' : 'enabled', 0);
}

/** Facts about an account that answered 401: its profile, or only that the account exists. */
export type AccessEvidence = ProfileAccess | 'exists';

/**
 * The service answered 401 or 403 to this access.
 *
 * @param evidence undefined before the service was asked for it.
 * @returns 'ask' where the verdict needs evidence.
 */
export function onUnauthorized<Contact extends AccessState>(
  contact: Contact,
  deniedWith: Access,
  evidence: AccessEvidence | undefined,
  nowMs: number,
): Contact | 'ask' {
  // Of access that was learned meanwhile the denial says nothing.
  if (!isSameAccess(contact, deniedWith)) return contact;
  if (contact.accessMode === 'unrestricted' && contact.profileKey !== undefined)
    return withMode(contact, 'unknown', 0);
  if (evidence === undefined) return 'ask';
  const mode = evidence === 'exists' ? 'disabled' : accessModeOf(contact.profileKey, evidence);
  return withMode(contact, mode, nowMs);
}

/**
 * A profile was fetched.
 *
 * @param askedWith the contact's profile key when it was asked for. A profile may prove the access
 *   of a key that came meanwhile; it disproves nothing, as it may be older than the key.
 */
export function onProfile<Contact extends AccessState>(
  contact: Contact,
  profile: ProfileAccess,
  askedWith: Uint8Array | undefined,
  nowMs: number,
): Contact {
  const proven = accessModeOf(contact.profileKey, profile);
  const isCurrent = isSameBytes(contact.profileKey, askedWith);
  const known = isCurrent || proven !== 'disabled' ? withMode(contact, proven, nowMs) : contact;
  return { ...known, profileFetchedMs: isCurrent ? nowMs : 0 };
}

/**
 * The contact's profile key, as the contact or the user gives it. Another one than before may come
 * with other access, and with another profile: the one that was fetched is out of date. The same
 * one is a reason to try it again.
 */
export function onProfileKey<Contact extends AccessState>(
  contact: Contact,
  profileKey: Uint8Array,
): Contact {
  if (isSameBytes(contact.profileKey, profileKey)) return tryAgain(contact);
  return withMode(
    { ...contact, profileKey: Uint8Array.from(profileKey), profileFetchedMs: 0 },
    'unknown',
    0,
  );
}

/**
 * A sealed message of the contact was decrypted: a client that seals for us may let us seal for it.
 */
export function onSealedReceived<Contact extends AccessState>(contact: Contact): Contact {
  return tryAgain(contact);
}

/**
 * Time went by. A clock that was set back shortens the wait: a denial from the future ends at once.
 */
export function onTimePassed<Contact extends AccessState>(
  contact: Contact,
  nowMs: number,
): Contact {
  const ageMs = nowMs - contact.accessDeniedMs;
  return ageMs >= 0 && ageMs < DENIAL_LIFE_MS ? contact : tryAgain(contact);
}

/** Another client of the account, whose place this one takes, has concluded a mode. */
export function onImported<Contact extends AccessState>(
  contact: Contact,
  accessMode: AccessMode,
  nowMs: number,
): Contact {
  if (contact.accessMode !== 'unknown') return contact;
  if (accessMode === 'enabled' && contact.profileKey === undefined) return contact;
  return withMode(contact, accessMode, nowMs);
}

/**
 * The access mode that a profile proves; never `unknown`. See Signal-Android,
 * `deriveUnidentifiedAccessMode`.
 *
 * (Android wants a verifier of an unrestricted account too. The service does not: it delivers to
 * one whatever the key, and is about to have none registered of such accounts,
 * `AccountAttributes.isUnrestrictedUakValid`.)
 */
export function accessModeOf(
  profileKey: Uint8Array | undefined,
  { verifier, unrestricted }: ProfileAccess,
): AccessMode {
  if (unrestricted) return 'unrestricted';
  if (profileKey === undefined || verifier === undefined) return 'disabled';
  return isVerifierOf(profileKey, verifier) ? 'enabled' : 'disabled';
}

function tryAgain<Contact extends AccessState>(contact: Contact): Contact {
  return contact.accessMode === 'disabled' ? withMode(contact, 'unknown', 0) : contact;
}

function withMode<Contact extends AccessState>(
  contact: Contact,
  accessMode: AccessMode,
  deniedMs: number,
): Contact {
  const accessDeniedMs = accessMode === 'disabled' ? deniedMs : 0;
  if (contact.accessMode === accessMode && contact.accessDeniedMs === accessDeniedMs)
    return contact;
  return { ...contact, accessMode, accessDeniedMs };
}
