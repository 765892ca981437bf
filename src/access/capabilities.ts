/**
 * Capabilities of a linked device, by the service's names (Signal-Server `DeviceCapability`,
 * 2026-08).
 *
 * The service refuses a device without `spqr`, and one that lacks a capability that all devices of
 * the account have: `usernameChangeSyncMessage` is one of those. `attachmentBackfill` counts for
 * the primary only. `storage` is left out: a linked device without it takes nothing away.
 */
export const LINKED_CAPABILITIES: Readonly<Record<string, boolean>> = {
  spqr: true,
  usernameChangeSyncMessage: true,
  attachmentBackfill: true,
};

/**
 * Capability that no device of sealcast may claim: once all devices of an account have it, the
 * service refuses `PUT /v1/profile` (412), the way in which sealcast sets profiles.
 */
export const REFUSED_CAPABILITY = 'profiles_v2';

/** Names of capabilities: the store's records keep names, and no empty ones. */
export const CAPABILITY_NAME = /^\w{1,64}$/;
