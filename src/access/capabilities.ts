import { SealcastError } from '../errors.js';
import { isPrimary } from '../util/addresses.js';

/** Functions that a device has, by the service's names. */
export type Capabilities = Readonly<Record<string, boolean>>;

/*
 * Signal-Server: DeviceCapability, 2026-08. The service refuses (409) a device without `spqr`, and
 * one that lacks a capability that all devices of the account have: `usernameChangeSyncMessage` is
 * one of those. `attachmentBackfill` counts for the primary only. Left out of both sets:
 *
 *   storage       claims that the device maintains the storage service's records; a linked device
 *                 without it takes nothing away
 *   transfer      a registration on a new phone would wait for this device's history
 */

/** Capabilities of a linked device, unless the caller gives others. */
export const LINKED_CAPABILITIES: Capabilities = {
  spqr: true,
  usernameChangeSyncMessage: true,
  attachmentBackfill: true,
};

/**
 * Capabilities of a primary device, unless the caller gives others.
 *
 * With `attachmentBackfill`, linked devices would ask it for attachments that sealcast does not
 * keep.
 */
export const PRIMARY_CAPABILITIES: Capabilities = {
  spqr: true,
  usernameChangeSyncMessage: true,
  attachmentBackfill: false,
};

/**
 * Capability that no device of sealcast may claim: once all devices of an account have it, the
 * service refuses `PUT /v1/profile` (412), the way in which sealcast sets profiles.
 */
export const REFUSED_CAPABILITY = 'profiles_v2';

/** Form of a capability's name: the store's records keep names, and no empty ones. */
export const CAPABILITY_NAME = /^\w{1,64}$/;

export const defaultCapabilities = (device: { readonly deviceId: number }): Capabilities =>
  isPrimary(device) ? PRIMARY_CAPABILITIES : LINKED_CAPABILITIES;

/** Default up to version 0.1, which stores kept; the service refuses it today. */
const FORMER_DEFAULT: Capabilities = { storage: true, attachmentBackfill: true, spqr: true };

/**
 * Checks a whole set of capabilities.
 *
 * @returns a copy; undefined where none is given.
 * @throws SealcastError ERR_INVALID_ARGUMENT
 */
export function checkCapabilities(given: unknown, field: string): Capabilities | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    refuse(field, 'an object');
  const capabilities = Object.entries(given);
  for (const [name, has] of capabilities) {
    if (!CAPABILITY_NAME.test(name))
      refuse(field, 'an object whose names are letters, digits and _');
    if (typeof has !== 'boolean') refuse(`${field}.${name}`, 'true or false');
    if (name === REFUSED_CAPABILITY && has)
      refuse(`${field}.${name}`, 'false: with it the service takes no profile of this client');
  }
  return Object.fromEntries(capabilities);
}

/** Sets that the store keeps. */
export interface StoredCapabilities {
  /**
   * Of the credentials: the set with which the device was linked or registered. Capabilities that
   * it does not name are as in the default, which may have become larger since.
   */
  readonly linked?: Capabilities | undefined;
  /** Of the attributes; an empty set and the default of a former version count as none. */
  readonly attributes?: Capabilities | undefined;
}

/** Returns the set of this device: the given one, else the one in the store, else the default. */
export function effectiveCapabilities(
  device: { readonly deviceId: number },
  given: Capabilities | undefined,
  { linked, attributes }: StoredCapabilities,
): Capabilities {
  if (given !== undefined) return given;
  if (attributes !== undefined && !isUnset(attributes)) return attributes;
  return { ...defaultCapabilities(device), ...linked };
}

function isUnset(stored: Capabilities): boolean {
  const names = Object.keys(stored);
  if (names.length === 0) return true;
  const former = Object.keys(FORMER_DEFAULT);
  return names.length === former.length && former.every((name) => stored[name] === true);
}

function refuse(field: string, expected: string): never {
  throw new SealcastError('ERR_INVALID_ARGUMENT', `${field} must be ${expected}`, { field });
}
