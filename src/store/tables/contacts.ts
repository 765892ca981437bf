import {
  accessKeyOf,
  NEW_ACCESS,
  type AccessMode,
  type StoredAccessKey,
} from '../../access/access-mode.js';
import { assertWhole, EnumNames, nonEmpty, RecordType } from '../codec.js';
import { damagedError, isDamaged } from '../damage.js';
import { readRecords, scanRecords } from '../scan.js';
import type { SealcastError } from '../../errors.js';
import type { Change, Store } from '../store.js';
import { senderKeyRemovals, sessionRemovals } from './sessions.js';

export interface Device {
  readonly deviceId: number;
  readonly registrationId: number;
}

/** Record of a contact. All of it may be absent. */
export interface ContactRecord {
  /** 32 bytes */
  readonly profileKey?: Uint8Array;
  readonly stored?: StoredAccessKey;
  readonly accessMode: AccessMode;
  /** 33 bytes */
  readonly identityKey?: Uint8Array;
  /** Devices with which there are sessions. */
  readonly devices: readonly Device[];
  readonly blocked: boolean;
  /** Seconds until messages disappear; 0: they stay. */
  readonly expireTimer: number;
  readonly expireTimerVersion: number;
  /** ms since the epoch; 0: never */
  readonly lastSeenMs: number;
  /** When the profile was fetched last, ms since the epoch; 0: never. */
  readonly profileFetchedMs: number;
  /** Whether a blocked contact lacks the profile key that we have now. */
  readonly lacksProfileKey: boolean;
  /** When the access mode became `disabled`, ms since the epoch; 0 in any other mode. */
  readonly accessDeniedMs: number;
  /** 33 bytes: a new identity key that waits to be accepted. */
  readonly pendingIdentityKey?: Uint8Array;
  /** Whether they wrote to our PNI, and not to our ACI since. */
  readonly needsPniSignature?: boolean;
  /** Whether the primary device's list blocks them, and no caller of ours. */
  readonly blockedByPrimary?: boolean;
  /** Whether the profile key is of the primary device's list, and came in no message. */
  readonly profileKeySynced?: boolean;
  /** Whether their own messages alone made them known; see `access/unanswered.ts`. */
  readonly unanswered?: boolean;
  /** Names of the lists that they left; absent: none. See `store/tables/lists.ts`. */
  readonly leftLists?: readonly string[];
}
export const NEW_CONTACT: ContactRecord = {
  ...NEW_ACCESS,
  devices: [],
  blocked: false,
  expireTimer: 0,
  expireTimerVersion: 0,
  lastSeenMs: 0,
  lacksProfileKey: false,
};

const PROFILE_KEY_BYTES = 32;
const IDENTITY_KEY_BYTES = 33;
const ACCESS_KEY_BYTES = 16;
const CONTACT = new RecordType('Contact');
const ACCESS_MODES = new EnumNames<AccessMode>('Contact.AccessMode', 'access mode');

export function encodeContact(contact: ContactRecord): Uint8Array<ArrayBuffer> {
  // Field by field: on Node 20 a copy of the contact takes as long as the rest of this.
  const fields: Record<keyof Omit<ContactRecord, 'stored'> | 'accessKey', unknown> = {
    profileKey: contact.profileKey,
    accessMode: ACCESS_MODES.numberOf(contact.accessMode),
    identityKey: contact.identityKey,
    devices: contact.devices,
    blocked: contact.blocked,
    expireTimer: contact.expireTimer,
    expireTimerVersion: contact.expireTimerVersion,
    lastSeenMs: contact.lastSeenMs,
    profileFetchedMs: contact.profileFetchedMs,
    lacksProfileKey: contact.lacksProfileKey,
    accessDeniedMs: contact.accessDeniedMs,
    pendingIdentityKey: contact.pendingIdentityKey,
    needsPniSignature: contact.needsPniSignature,
    blockedByPrimary: contact.blockedByPrimary,
    profileKeySynced: contact.profileKeySynced,
    unanswered: contact.unanswered,
    leftLists: contact.leftLists,
    accessKey: accessKeyOf(contact),
  };
  return CONTACT.encode(fields);
}
export function decodeContact(bytes: Uint8Array): ContactRecord {
  const wire = CONTACT.decode(bytes);
  const profileKey = nonEmpty(wire['profileKey']);
  const accessKey = nonEmpty(wire['accessKey']);
  const identityKey = nonEmpty(wire['identityKey']);
  const pendingIdentityKey = nonEmpty(wire['pendingIdentityKey']);
  const leftLists = wire['leftLists'] as string[];
  assertWhole(profileKey === undefined || profileKey.length === PROFILE_KEY_BYTES, 'Contact');
  assertWhole(accessKey === undefined || accessKey.length === ACCESS_KEY_BYTES, 'Contact');
  for (const key of [identityKey, pendingIdentityKey])
    assertWhole(key === undefined || key.length === IDENTITY_KEY_BYTES, 'Contact');
  return {
    accessMode: ACCESS_MODES.nameOf(wire['accessMode']),
    devices: (wire['devices'] as Device[]).map(({ deviceId, registrationId }) => ({
      deviceId,
      registrationId,
    })),
    blocked: wire['blocked'] as boolean,
    expireTimer: wire['expireTimer'] as number,
    expireTimerVersion: wire['expireTimerVersion'] as number,
    lastSeenMs: wire['lastSeenMs'] as number,
    profileFetchedMs: wire['profileFetchedMs'] as number,
    lacksProfileKey: wire['lacksProfileKey'] as boolean,
    accessDeniedMs: wire['accessDeniedMs'] as number,
    ...(profileKey !== undefined && { profileKey }),
    ...(profileKey !== undefined &&
      accessKey !== undefined && { stored: { profileKey, accessKey } }),
    ...(identityKey !== undefined && { identityKey }),
    ...(pendingIdentityKey !== undefined && { pendingIdentityKey }),
    ...(wire['needsPniSignature'] === true && { needsPniSignature: true }),
    ...(wire['blockedByPrimary'] === true && { blockedByPrimary: true }),
    ...(wire['profileKeySynced'] === true && { profileKeySynced: true }),
    ...(wire['unanswered'] === true && { unanswered: true }),
    ...(leftLists.length > 0 && { leftLists }),
  };
}

/** A contact, or why its record cannot be read. */
export type FoundContact = ContactRecord | SealcastError;

/** Whether a contact could be read. */
export const isReadable = (contact: FoundContact): contact is ContactRecord =>
  !(contact instanceof Error);

/**
 * Loads contacts by service id, as they are on the disk; {@link NEW_CONTACT} where there is none,
 * an error where the record is damaged.
 */
export async function findContacts(
  store: Store,
  serviceIds: readonly string[],
): Promise<FoundContact[]> {
  const found = await readRecords(store, 'contact', serviceIds, decodeContact);
  return found.map((contact = NEW_CONTACT, i) => {
    if (!isDamaged(contact)) return contact;
    const serviceId = serviceIds[i];
    const { cause } = contact;
    return damagedError('contact', { cause, ...(serviceId !== undefined && { serviceId }) });
  });
}

/**
 * Loads contacts as {@link findContacts} does.
 *
 * @throws SealcastError ERR_STORE_FAILED: one of them is damaged.
 */
export async function loadContacts(
  store: Store,
  serviceIds: readonly string[],
): Promise<ContactRecord[]> {
  const found = await findContacts(store, serviceIds);
  return found.map((contact) => {
    if (!isReadable(contact)) throw contact;
    return contact;
  });
}

/** Makes the changes that remove a contact, with their sessions and sender keys. */
export async function contactRemovals(store: Store, serviceId: string): Promise<Change[]> {
  const rows = await Promise.all([
    sessionRemovals(store, serviceId),
    senderKeyRemovals(store, serviceId),
  ]);
  return [...rows.flat(), { table: 'contact', key: serviceId, value: null }];
}

/** Iterates over all contacts that can be read, in the store's order. */
export async function* scanContacts(
  store: Store,
): AsyncGenerator<{ readonly serviceId: string; readonly contact: ContactRecord }, void, void> {
  for await (const { records } of scanRecords(store, 'contact', decodeContact))
    for (const { key, value } of records) yield { serviceId: key, contact: value };
}

/** Finds the service ids of contacts among changes. */
export const contactsIn = (changes: readonly Change[]): string[] =>
  changes.filter(({ table }) => table === 'contact').map(({ key }) => key);

/**
 * Key by which the store sorts contacts, and the rows of a broadcast's recipients alike.
 *
 * Undefined: the store sorts them by their service ids.
 */
export const contactOrder = (store: Store): ((serviceId: string) => string) | undefined =>
  store.orderOf && ((serviceId) => store.orderOf?.('contact', serviceId) ?? '');

export const contactChange = (serviceId: string, contact: ContactRecord): Change => ({
  table: 'contact',
  key: serviceId,
  value: encodeContact(contact),
});
