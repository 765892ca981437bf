import protobuf from 'protobufjs/light.js';
import { NEW_ACCESS, type AccessMode } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';

/** Who sends: one device of one account. */
export interface AccountRecord {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 bytes, and 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
  /** 32 bytes; goes out with every message, so that who gets it may answer sealed. */
  readonly profileKey?: Uint8Array;
  /** SHA-256 of each profile key that was rotated away: whoever still gives one of them has it from before. */
  readonly retiredProfileKeys?: readonly Uint8Array[];
}

export interface Device {
  readonly deviceId: number;
  readonly registrationId: number;
}

/** What we know of somebody we write to. All of it may be absent. */
export interface ContactRecord {
  /** 32 bytes */
  readonly profileKey?: Uint8Array;
  readonly accessMode: AccessMode;
  /** 33 bytes */
  readonly identityKey?: Uint8Array;
  /** Those with which there are sessions. */
  readonly devices: readonly Device[];
  readonly blocked: boolean;
  /** Seconds until messages disappear; 0: they stay. */
  readonly expireTimer: number;
  readonly expireTimerVersion: number;
  /** ms since the epoch; 0: never */
  readonly lastSeenMs: number;
  /** When the profile was fetched last, ms since the epoch; 0: never. */
  readonly profileFetchedMs: number;
  /** Of who is blocked: whether he does not have the profile key that we have now. */
  readonly lacksProfileKey: boolean;
  /** When the access mode became `disabled`, ms since the epoch; 0 in any other mode. */
  readonly accessDeniedMs: number;
  /** 33 bytes: a new identity key that waits to be accepted. */
  readonly pendingIdentityKey?: Uint8Array;
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

/** `ingesting`: not all recipients are in the outbox yet. `sending`: they are. `pruned`: its rows are being taken out. */
export type BroadcastState = 'ingesting' | 'sending' | 'finished' | 'pruned';

/** What is sent, once for all recipients. */
export interface BroadcastRecord {
  readonly state: BroadcastState;
  readonly body: string;
  /** ms since the epoch; with the sender, what receivers recognise a message by */
  readonly timestamp: number;
  readonly urgent: boolean;
  readonly createdAtMs: number;
  readonly finishedAtMs: number;
  /** Entries among the recipients that were no service ids: they have no rows. */
  readonly invalidRecipients: number;
  /** Recipients a second at most; absent: as fast as it goes. */
  readonly maxPerSecond?: number;
  /** Rows that its recipients have in the outbox; absent until all are there. */
  readonly recipients?: number;
}

/** What a device is sent, once the ratchet is through with it. */
export interface EncryptedDevice extends Device {
  readonly type: 'prekey' | 'whisper';
  readonly ciphertext: Uint8Array;
}

/** How a recipient's part of a broadcast ended. */
export type DeliveryStatus = 'sealed' | 'unsealed' | 'unregistered' | 'failed';

/** One recipient of one broadcast. */
export type OutboxRecord =
  | { readonly state: 'queued' }
  | {
      readonly state: 'encrypted';
      /** Whom the ciphertexts are for, 33 bytes: they are sealed to this key. */
      readonly identityKey: Uint8Array;
      readonly devices: readonly EncryptedDevice[];
    }
  | { readonly state: 'done'; readonly status: DeliveryStatus; readonly errorCode?: string };

const SCHEMA = {
  nested: {
    Account: message({
      aci: 'string',
      deviceId: 'uint32',
      registrationId: 'uint32',
      identityPublicKey: 'bytes',
      identityPrivateKey: 'bytes',
      profileKey: 'bytes',
      retiredProfileKeys: 'bytes*',
    }),
    Device: message({ deviceId: 'uint32', registrationId: 'uint32', type: 'uint32', ciphertext: 'bytes' }),
    Contact: message({
      profileKey: 'bytes',
      accessMode: 'uint32',
      identityKey: 'bytes',
      devices: 'Device*',
      blocked: 'bool',
      expireTimer: 'uint32',
      expireTimerVersion: 'uint32',
      // Doubles hold all integers up to 2^53: times in ms.
      lastSeenMs: 'double',
      profileFetchedMs: 'double',
      lacksProfileKey: 'bool',
      accessDeniedMs: 'double',
      pendingIdentityKey: 'bytes',
    }),
    Broadcast: message({
      state: 'uint32',
      body: 'string',
      timestamp: 'double',
      urgent: 'bool',
      createdAtMs: 'double',
      finishedAtMs: 'double',
      invalidRecipients: 'uint32',
      maxPerSecond: 'double',
      recipients: 'double',
    }),
    Outbox: message({
      state: 'uint32',
      identityKey: 'bytes',
      devices: 'Device*',
      status: 'uint32',
      errorCode: 'string',
    }),
  },
};

/** Fields are numbered in their order: new ones go to the end. */
export function message(fields: Readonly<Record<string, string>>): object {
  const numbered = Object.entries(fields).map(([name, type], i) => [
    name,
    { id: i + 1, type: type.replace('*', ''), ...(type.endsWith('*') && { rule: 'repeated' }) },
  ]);
  return { fields: Object.fromEntries(numbered) as object };
}

const root = protobuf.Root.fromJSON(SCHEMA);
const ACCOUNT = root.lookupType('Account');
const CONTACT = root.lookupType('Contact');
const BROADCAST = root.lookupType('Broadcast');
const OUTBOX = root.lookupType('Outbox');

// Numbered in their order: new ones go to the end.
const ACCESS_MODES: readonly AccessMode[] = ['unknown', 'enabled', 'unrestricted', 'disabled'];
const BROADCAST_STATES: readonly BroadcastState[] = ['ingesting', 'sending', 'finished', 'pruned'];
const OUTBOX_STATES = ['queued', 'encrypted', 'done'] as const;
const DELIVERY_STATUSES: readonly DeliveryStatus[] = ['sealed', 'unsealed', 'unregistered', 'failed'];
const CIPHERTEXT_TYPES = ['prekey', 'whisper'] as const;

export type Wire = Readonly<Record<string, unknown>>;

export function encode(type: protobuf.Type, fields: object): Uint8Array<ArrayBuffer> {
  // Copied: protobufjs writes into a slab that it shares among messages.
  return new Uint8Array(type.encode(fields).finish());
}

export function decode(type: protobuf.Type, bytes: Uint8Array): Wire {
  try {
    return type.decode(bytes);
  } catch (cause) {
    throw new SealcastError('ERR_STORE_FAILED', `the store holds no well-formed ${type.name} record`, { cause });
  }
}

/** A name by its number. A number that this version does not know comes of a newer one, or of a broken record. */
export function nameOf<Name>(names: readonly Name[], number: unknown, what: string): Name {
  const name = names[number as number];
  if (name === undefined) throw new SealcastError('ERR_STORE_FAILED', `the store holds an unknown ${what}`);
  return name;
}

/** protobufjs answers an absent field with an empty one. */
export const nonEmpty = (value: unknown): Uint8Array | undefined =>
  (value as Uint8Array).length === 0 ? undefined : (value as Uint8Array);

export function encodeAccount(account: AccountRecord): Uint8Array<ArrayBuffer> {
  return encode(ACCOUNT, account);
}
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  const wire = decode(ACCOUNT, bytes);
  const profileKey = nonEmpty(wire['profileKey']);
  const retiredProfileKeys = wire['retiredProfileKeys'] as readonly Uint8Array[];
  return {
    aci: wire['aci'] as string,
    deviceId: wire['deviceId'] as number,
    registrationId: wire['registrationId'] as number,
    identityPublicKey: wire['identityPublicKey'] as Uint8Array,
    identityPrivateKey: wire['identityPrivateKey'] as Uint8Array,
    ...(profileKey !== undefined && { profileKey }),
    ...(retiredProfileKeys.length > 0 && { retiredProfileKeys }),
  };
}

export function encodeContact(contact: ContactRecord): Uint8Array<ArrayBuffer> {
  return encode(CONTACT, { ...contact, accessMode: ACCESS_MODES.indexOf(contact.accessMode) });
}
export function decodeContact(bytes: Uint8Array): ContactRecord {
  const wire = decode(CONTACT, bytes);
  const profileKey = nonEmpty(wire['profileKey']);
  const identityKey = nonEmpty(wire['identityKey']);
  const pendingIdentityKey = nonEmpty(wire['pendingIdentityKey']);
  return {
    accessMode: nameOf(ACCESS_MODES, wire['accessMode'], 'access mode'),
    devices: (wire['devices'] as Device[]).map(({ deviceId, registrationId }) => ({ deviceId, registrationId })),
    blocked: wire['blocked'] as boolean,
    expireTimer: wire['expireTimer'] as number,
    expireTimerVersion: wire['expireTimerVersion'] as number,
    lastSeenMs: wire['lastSeenMs'] as number,
    profileFetchedMs: wire['profileFetchedMs'] as number,
    lacksProfileKey: wire['lacksProfileKey'] as boolean,
    accessDeniedMs: wire['accessDeniedMs'] as number,
    ...(profileKey !== undefined && { profileKey }),
    ...(identityKey !== undefined && { identityKey }),
    ...(pendingIdentityKey !== undefined && { pendingIdentityKey }),
  };
}

export function encodeBroadcast(broadcast: BroadcastRecord): Uint8Array<ArrayBuffer> {
  return encode(BROADCAST, { ...broadcast, state: BROADCAST_STATES.indexOf(broadcast.state) });
}
export function decodeBroadcast(bytes: Uint8Array): BroadcastRecord {
  const wire = decode(BROADCAST, bytes);
  const maxPerSecond = wire['maxPerSecond'] as number;
  const recipients = wire['recipients'] as number;
  return {
    state: nameOf(BROADCAST_STATES, wire['state'], 'state of a broadcast'),
    body: wire['body'] as string,
    timestamp: wire['timestamp'] as number,
    urgent: wire['urgent'] as boolean,
    createdAtMs: wire['createdAtMs'] as number,
    finishedAtMs: wire['finishedAtMs'] as number,
    invalidRecipients: wire['invalidRecipients'] as number,
    ...(maxPerSecond > 0 && { maxPerSecond }),
    ...(recipients > 0 && { recipients }),
  };
}

export function encodeOutbox(row: OutboxRecord): Uint8Array<ArrayBuffer> {
  const state = OUTBOX_STATES.indexOf(row.state);
  if (row.state === 'queued') return encode(OUTBOX, { state });
  if (row.state === 'done') {
    return encode(OUTBOX, { state, status: DELIVERY_STATUSES.indexOf(row.status), errorCode: row.errorCode });
  }
  const devices = row.devices.map((device) => ({ ...device, type: CIPHERTEXT_TYPES.indexOf(device.type) }));
  return encode(OUTBOX, { state, identityKey: row.identityKey, devices });
}
export function decodeOutbox(bytes: Uint8Array): OutboxRecord {
  const wire = decode(OUTBOX, bytes);
  const state = nameOf(OUTBOX_STATES, wire['state'], 'state of a recipient');
  if (state === 'queued') return { state };
  if (state === 'done') {
    const errorCode = wire['errorCode'] as string;
    const status = nameOf(DELIVERY_STATUSES, wire['status'], 'status of a delivery');
    return { state, status, ...(errorCode !== '' && { errorCode }) };
  }
  const devices = (wire['devices'] as (Device & { type: number; ciphertext: Uint8Array })[]).map(
    ({ deviceId, registrationId, type, ciphertext }): EncryptedDevice => ({
      deviceId,
      registrationId,
      type: nameOf(CIPHERTEXT_TYPES, type, 'kind of ciphertext'),
      ciphertext,
    }),
  );
  return { state, identityKey: wire['identityKey'] as Uint8Array, devices };
}
