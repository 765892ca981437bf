import { timingSafeEqual } from 'node:crypto';
import { ACCESS_KEY_BYTES, deriveAccessKey } from './access-key.js';

/**
 * Whether and with which key a contact lets us send sealed, as Signal's clients keep it: `unknown` until tried; `enabled` with
 * the key derived from its profile key; `unrestricted`, with any key; `disabled`, not at all.
 */
export type AccessMode = 'unknown' | 'enabled' | 'unrestricted' | 'disabled';

/** What access depends on. */
export interface Access {
  readonly accessMode: AccessMode;
  /** 32 bytes */
  readonly profileKey?: Uint8Array;
}

/** A phone-number identity: the service answers 401 to any access key for it. */
export const isPni = (serviceId: string): boolean => serviceId.startsWith('PNI:');

/** Whether anything is sent sealed at all. */
export function takesSealed(serviceId: string, { accessMode }: Access): boolean {
  return accessMode !== 'disabled' && !isPni(serviceId);
}

/**
 * The access key to send with, 16 bytes; null where nothing is sent sealed.
 *
 * unknown: the derived key, or zeros where there is no profile key; enabled: the derived key; unrestricted: zeros.
 */
export function accessKeyFor(serviceId: string, access: Access): Uint8Array<ArrayBuffer> | null {
  if (!takesSealed(serviceId, access)) return null;
  const { accessMode, profileKey } = access;
  if (accessMode === 'unrestricted' || profileKey === undefined) return new Uint8Array(ACCESS_KEY_BYTES);
  return deriveAccessKey(profileKey);
}

/** The mode after the service took something sealed. It says nothing new once the mode is known. */
export function modeAfterSealed({ accessMode, profileKey }: Access): AccessMode {
  if (accessMode !== 'unknown') return accessMode;
  return profileKey === undefined ? 'unrestricted' : 'enabled';
}

/** When what an account's profile says was last looked up, ms since the epoch; 0: never. */
interface Fetched {
  readonly profileFetchedMs?: number;
}

/**
 * A contact's profile key as it told us; another one than before may come with other access, and with another profile: the
 * one that was fetched is out of date.
 */
export function withProfileKey<Contact extends Access & Fetched>(contact: Contact, profileKey: Uint8Array): Contact {
  const known = contact.profileKey;
  if (known?.length === profileKey.length && timingSafeEqual(known, profileKey)) return contact;
  return { ...contact, profileKey: Uint8Array.from(profileKey), accessMode: 'unknown', profileFetchedMs: 0 };
}
