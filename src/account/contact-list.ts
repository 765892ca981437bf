import type { AccessMode } from '../access/access-mode.js';
import type { Store } from '../store/store.js';

/** Contact as the store has it, without its keys. */
export interface ContactSummary {
  /** Service id. */
  readonly serviceId: string;
  /** As the service and the contact's profile last showed. */
  readonly accessMode: AccessMode;
  readonly hasProfileKey: boolean;
  /** Whether we have the right to send sealed: its profile key, or leave for any account. */
  readonly canSeal: boolean;
  readonly blocked: boolean;
  /** Devices with which there are sessions. */
  readonly devices: number;
  /** Whether a new identity key waits to be accepted. */
  readonly hasPendingIdentity: boolean;
  /** When the contact last wrote, ms since the epoch; absent: never. */
  readonly lastSeenMs?: number;
}

/**
 * Iterates the contacts of a store, in the store's order, page by page.
 *
 * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
 * @example
 * for await (const { serviceId, canSeal } of listContacts(store)) console.log(serviceId, canSeal);
 */
export async function* listContacts(store: Store): AsyncGenerator<ContactSummary, void, void> {
  // Loaded lazily, so that seal-only users never load the store's codec.
  const { scanContacts } = await import('../store/tables/contacts.js');
  const { modeOf, takesSealed } = await import('../access/access-mode.js');
  for await (const { serviceId, contact } of scanContacts(store)) {
    const { profileKey, blocked, devices, pendingIdentityKey, lastSeenMs } = contact;
    const mode = modeOf(contact);
    const hasKey = profileKey !== undefined || mode.accessMode === 'unrestricted';
    yield {
      serviceId,
      ...mode,
      hasProfileKey: profileKey !== undefined,
      canSeal: hasKey && takesSealed(serviceId, contact),
      blocked,
      devices: devices.length,
      hasPendingIdentity: pendingIdentityKey !== undefined,
      ...(lastSeenMs > 0 && { lastSeenMs }),
    };
  }
}
