import { SealcastError } from '../../errors.js';
import { nonEmpty, RecordType, type Wire } from '../codec.js';
import type { Change, Store } from '../store.js';

// Rows of table `account` that hold the secrets with which this device speaks to the service. The
// account's own record (account.ts) has its ACI, device id, ACI identity and profile key.

/** The phone-number identity of an account, on one device. */
export interface PniIdentity {
  /** Service id: `PNI:` and a UUID. */
  readonly pni: string;
  readonly registrationId: number;
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
}

/**
 * Access of this device to the service, and secrets of the account that it was given.
 *
 * A store whose caller keeps them elsewhere, and gives `account` and `transport`, has none.
 */
export interface CredentialsRecord {
  /**
   * Of the device. The user name is the ACI, a point, and the device id. Empty where the caller
   * keeps it, and the store has secrets of the account alone.
   */
  readonly password: string;
  readonly deviceName?: string;
  /** Phone number, E.164; absent: the account has none, or it is not known. */
  readonly number?: string;
  /** Absent: the account has no phone number. */
  readonly pniIdentity?: PniIdentity;
  /** 64 characters. The master key is derived from it. */
  readonly accountEntropyPool?: string;
  /** 32 bytes; only of an account without an entropy pool. */
  readonly masterKey?: Uint8Array;
  /** 32 bytes */
  readonly mediaRootBackupKey?: Uint8Array;
  /** Only of an account without a phone number. */
  readonly authCredentialSalt?: Uint8Array;
  /** Whether the account sends read receipts; absent: not known. */
  readonly readReceipts?: boolean;
  /** Capabilities of this device, which the service is told at every start. */
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** ms since the epoch */
  readonly createdAtMs: number;
}

/** The two prekeys of a new device's first request: libsignal's records, with their ids in them. */
export interface LinkPreKeys {
  readonly signedPreKey: Uint8Array;
  readonly lastResortKyberPreKey: Uint8Array;
}

/**
 * A link under way: everything that was made before the service was asked.
 *
 * As long as the record is in the store, the service may or may not have the device.
 */
export interface PendingLinkRecord {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly registrationId: number;
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
  /** 32 bytes */
  readonly profileKey: Uint8Array;
  readonly credentials: CredentialsRecord;
  readonly aciPreKeys: LinkPreKeys;
  /** Present where the account has a PNI. */
  readonly pniPreKeys?: LinkPreKeys;
}

/**
 * A registration under way: everything that was made before the service was asked.
 *
 * As long as `isRequested`, the service may or may not have registered the account.
 */
export interface PendingRegistrationRecord {
  /** Phone number, E.164. */
  readonly number: string;
  readonly sessionId: string;
  /** Whether the account was asked for, and it is not known that the service refused. */
  readonly isRequested: boolean;
  readonly registrationId: number;
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
  /** 32 bytes */
  readonly profileKey: Uint8Array;
  /** With a master key in place of the entropy pool: a PIN has restored it. */
  readonly credentials: CredentialsRecord & {
    /** Its `pni` is empty: the service names it in its answer. */
    readonly pniIdentity: PniIdentity;
  };
  readonly aciPreKeys: LinkPreKeys;
  readonly pniPreKeys: LinkPreKeys;
  readonly discoverableByPhoneNumber: boolean;
}

const KEYS = {
  credentials: 'credentials',
  pendingLink: 'pendingLink',
  pendingRegistration: 'pendingRegistration',
} as const;

const CREDENTIALS = new RecordType('Credentials');
const PENDING_LINK = new RecordType('PendingLink');
const PENDING_REGISTRATION = new RecordType('PendingRegistration');

/** Values by their number in storage.proto. */
const READ_RECEIPTS = [undefined, false, true];

/** protobufjs decodes an absent message as null. */
const isWire = (value: unknown): value is Wire => typeof value === 'object' && value !== null;

/** @throws SealcastError ERR_STORE_FAILED: the record lacks a part that all of its kind have. */
function partOf(wire: Wire, name: string, kind = 'PendingLink'): Wire {
  const part = wire[name];
  if (!isWire(part))
    throw new SealcastError('ERR_STORE_FAILED', `the store holds no well-formed ${kind} record`);
  return part;
}

function preKeysOf(wire: Wire): LinkPreKeys {
  return {
    signedPreKey: wire['signedPreKey'] as Uint8Array,
    lastResortKyberPreKey: wire['lastResortKyberPreKey'] as Uint8Array,
  };
}

function credentialsFields(credentials: CredentialsRecord): object {
  const named = (wanted: boolean): string[] =>
    Object.entries(credentials.capabilities).flatMap(([name, has]) =>
      has === wanted ? [name] : [],
    );
  return {
    ...credentials,
    readReceipts: READ_RECEIPTS.indexOf(credentials.readReceipts),
    capable: named(true),
    incapable: named(false),
  };
}

function pniIdentityOf(wire: Wire): PniIdentity {
  return {
    pni: wire['pni'] as string,
    registrationId: wire['registrationId'] as number,
    identityPublicKey: wire['identityPublicKey'] as Uint8Array,
    identityPrivateKey: wire['identityPrivateKey'] as Uint8Array,
  };
}

function credentialsOf(wire: Wire): CredentialsRecord {
  const text = (name: string): object => (wire[name] === '' ? {} : { [name]: wire[name] });
  const bytes = (name: string): object => {
    const value = nonEmpty(wire[name]);
    return value === undefined ? {} : { [name]: value };
  };
  const all = (names: unknown, has: boolean): [string, boolean][] =>
    (names as string[]).map((name) => [name, has]);
  const readReceipts = READ_RECEIPTS[wire['readReceipts'] as number];
  const pniIdentity = wire['pniIdentity'];
  return {
    password: wire['password'] as string,
    ...text('deviceName'),
    ...text('number'),
    ...(isWire(pniIdentity) && { pniIdentity: pniIdentityOf(pniIdentity) }),
    ...text('accountEntropyPool'),
    ...bytes('masterKey'),
    ...bytes('mediaRootBackupKey'),
    ...bytes('authCredentialSalt'),
    ...(readReceipts !== undefined && { readReceipts }),
    capabilities: Object.fromEntries([
      ...all(wire['capable'], true),
      ...all(wire['incapable'], false),
    ]),
    createdAtMs: wire['createdAtMs'] as number,
  };
}

export function encodeCredentials(credentials: CredentialsRecord): Uint8Array<ArrayBuffer> {
  return CREDENTIALS.encode(credentialsFields(credentials));
}
export function decodeCredentials(bytes: Uint8Array): CredentialsRecord {
  return credentialsOf(CREDENTIALS.decode(bytes));
}

export function encodePendingLink(link: PendingLinkRecord): Uint8Array<ArrayBuffer> {
  return PENDING_LINK.encode({ ...link, credentials: credentialsFields(link.credentials) });
}
export function decodePendingLink(bytes: Uint8Array): PendingLinkRecord {
  const wire = PENDING_LINK.decode(bytes);
  const pniPreKeys = wire['pniPreKeys'];
  return {
    aci: wire['aci'] as string,
    registrationId: wire['registrationId'] as number,
    identityPublicKey: wire['identityPublicKey'] as Uint8Array,
    identityPrivateKey: wire['identityPrivateKey'] as Uint8Array,
    profileKey: wire['profileKey'] as Uint8Array,
    credentials: credentialsOf(partOf(wire, 'credentials')),
    aciPreKeys: preKeysOf(partOf(wire, 'aciPreKeys')),
    ...(isWire(pniPreKeys) && { pniPreKeys: preKeysOf(pniPreKeys) }),
  };
}

export function encodePendingRegistration(
  registration: PendingRegistrationRecord,
): Uint8Array<ArrayBuffer> {
  const credentials = credentialsFields(registration.credentials);
  return PENDING_REGISTRATION.encode({ ...registration, credentials });
}
export function decodePendingRegistration(bytes: Uint8Array): PendingRegistrationRecord {
  const wire = PENDING_REGISTRATION.decode(bytes);
  const part = (of: Wire, name: string): Wire => partOf(of, name, 'PendingRegistration');
  const credentials = part(wire, 'credentials');
  return {
    number: wire['number'] as string,
    sessionId: wire['sessionId'] as string,
    isRequested: wire['isRequested'] as boolean,
    registrationId: wire['registrationId'] as number,
    identityPublicKey: wire['identityPublicKey'] as Uint8Array,
    identityPrivateKey: wire['identityPrivateKey'] as Uint8Array,
    profileKey: wire['profileKey'] as Uint8Array,
    credentials: {
      ...credentialsOf(credentials),
      pniIdentity: pniIdentityOf(part(credentials, 'pniIdentity')),
    },
    aciPreKeys: preKeysOf(part(wire, 'aciPreKeys')),
    pniPreKeys: preKeysOf(part(wire, 'pniPreKeys')),
    discoverableByPhoneNumber: wire['discoverableByPhoneNumber'] as boolean,
  };
}

async function load<T>(
  store: Store,
  key: keyof typeof KEYS,
  decode: (bytes: Uint8Array) => T,
): Promise<T | undefined> {
  const [value] = await store.getMany('account', [KEYS[key]]);
  return value === undefined ? undefined : decode(value);
}

/** Loads the account's credentials, private keys included; undefined where there are none. */
export function loadCredentials(store: Store): Promise<CredentialsRecord | undefined> {
  return load(store, 'credentials', decodeCredentials);
}

/** Loads the set of capabilities that the credentials name; undefined where there are none. */
export async function loadCapabilities(
  store: Store,
): Promise<CredentialsRecord['capabilities'] | undefined> {
  const [value] = await store.getMany('account', [KEYS.credentials]);
  if (value === undefined) return undefined;
  const { capabilities } = decodeCredentials(value);
  value.fill(0);
  return capabilities;
}

/** Removes the credentials: the service has removed this device. */
export const credentialsRemoval = (): Change => ({
  table: 'account',
  key: KEYS.credentials,
  value: null,
});

/** Wipes the secrets of credentials that are bytes; texts stay until they are collected. */
export function wipeCredentials(credentials: CredentialsRecord | undefined): void {
  credentials?.pniIdentity?.identityPrivateKey.fill(0);
  credentials?.masterKey?.fill(0);
  credentials?.mediaRootBackupKey?.fill(0);
  credentials?.authCredentialSalt?.fill(0);
}

/** The change whose value has secrets in it: the caller wipes the value once it is committed. */
export const credentialsChange = (
  credentials: CredentialsRecord,
): Change & { readonly value: Uint8Array } => ({
  table: 'account',
  key: KEYS.credentials,
  value: encodeCredentials(credentials),
});

/** Loads the link under way, private keys included; undefined where there is none. */
export function loadPendingLink(store: Store): Promise<PendingLinkRecord | undefined> {
  return load(store, 'pendingLink', decodePendingLink);
}

/** As {@link credentialsChange}. */
export const pendingLinkChange = (
  link: PendingLinkRecord,
): Change & { readonly value: Uint8Array } => ({
  table: 'account',
  key: KEYS.pendingLink,
  value: encodePendingLink(link),
});

export const pendingLinkRemoval = (): Change => ({
  table: 'account',
  key: KEYS.pendingLink,
  value: null,
});

/** Loads the registration under way, private keys included; undefined where there is none. */
export function loadPendingRegistration(
  store: Store,
): Promise<PendingRegistrationRecord | undefined> {
  return load(store, 'pendingRegistration', decodePendingRegistration);
}

/** As {@link credentialsChange}. */
export const pendingRegistrationChange = (
  registration: PendingRegistrationRecord,
): Change & { readonly value: Uint8Array } => ({
  table: 'account',
  key: KEYS.pendingRegistration,
  value: encodePendingRegistration(registration),
});

export const pendingRegistrationRemoval = (): Change => ({
  table: 'account',
  key: KEYS.pendingRegistration,
  value: null,
});
