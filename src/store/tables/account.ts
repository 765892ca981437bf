import { nonEmpty, RecordType, type Wire } from '../codec.js';
import { readValuesOrNone } from '../scan.js';
import type { Change, Store } from '../store.js';

/** The two identities of an account: each has its own identity key, prekeys and sessions. */
export type IdentityKind = 'aci' | 'pni';

/** Record of the account, on one device. */
export interface AccountRecord {
  /** Service id: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 bytes; the private key has 32. */
  readonly identityPublicKey: Uint8Array;
  readonly identityPrivateKey: Uint8Array;
  /** 32 bytes; goes out with every message, so that its recipient may answer sealed. */
  readonly profileKey?: Uint8Array;
  /**
   * SHA-256 of each profile key that was rotated away.
   *
   * A caller that still gives one of them has it from before the rotation.
   */
  readonly retiredProfileKeys?: readonly Uint8Array[];
}

/**
 * Attributes of the account and this device that the service is told.
 *
 * Attributes in the account's own record are left out.
 */
export interface AttributesRecord {
  readonly fetchesMessages: boolean;
  readonly pniRegistrationId: number;
  /** Hex */
  readonly registrationLock?: string;
  /** 32 bytes */
  readonly recoveryPassword?: Uint8Array;
  readonly encryptedDeviceName?: Uint8Array;
  readonly discoverableByPhoneNumber: boolean;
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** Whether any account may send sealed. */
  readonly unrestricted: boolean;
  /** Whether their registration began, and it is not known that the service has them. */
  readonly isPending: boolean;
}

/** The account's profile in plain text. */
export interface ProfileRecord {
  readonly given: string;
  readonly family?: string;
  readonly about?: string;
  readonly aboutEmoji?: string;
  /** A serialized PaymentAddress. */
  readonly paymentAddress?: Uint8Array;
  /** Whether contacts may see the phone number. */
  readonly phoneNumberSharing?: boolean;
  readonly badgeIds: readonly string[];
  /** Whether its upload began, and it is not known that the service has it. */
  readonly isPending: boolean;
}

/** Profile key that is to become the account's, and is not yet; 32 bytes. */
export interface RotationRecord {
  readonly profileKey: Uint8Array;
}

/**
 * Prekeys that were made together. Their ids follow one another, and 1 follows the highest possible
 * id.
 */
export interface PreKeyRange {
  readonly firstId: number;
  readonly count: number;
  /** When the service took them, ms since the epoch; 0: it is not known to have taken them. */
  readonly uploadedMs: number;
  /** When the service took others in their place, ms since the epoch; 0: it has not. */
  readonly replacedMs: number;
}
/** Ranges of each kind, the oldest first. The service has, or is to have, the last one. */
export interface PreKeysRecord {
  readonly nextPreKeyId: number;
  readonly nextSignedPreKeyId: number;
  /** One-time and last-resort Kyber prekeys share a table. */
  readonly nextKyberPreKeyId: number;
  readonly preKeys: readonly PreKeyRange[];
  readonly signedPreKeys: readonly PreKeyRange[];
  readonly kyberPreKeys: readonly PreKeyRange[];
  readonly lastResortKyberPreKeys: readonly PreKeyRange[];
}

/** Keys of the table; a store has one account. */
const KEYS = {
  self: 'self',
  attributes: 'attributes',
  profile: 'profile',
  rotation: 'rotation',
  preKeys: 'prekeys',
  pniPreKeys: 'pniPrekeys',
  publicIds: 'publicIds',
  lastReceived: 'lastReceived',
} as const;

const ACCOUNT = new RecordType('Account');
const ATTRIBUTES = new RecordType('Attributes');
const PROFILE = new RecordType('Profile');
const ROTATION = new RecordType('Rotation');
const PREKEYS = new RecordType('PreKeys');
const LAST_RECEIVED = new RecordType('LastReceived');

/** Values by their number in storage.proto. */
const PHONE_NUMBER_SHARING = [undefined, false, true];

export function encodeAccount(account: AccountRecord): Uint8Array<ArrayBuffer> {
  return ACCOUNT.encode(account);
}
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  const wire = ACCOUNT.decode(bytes);
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

export function encodeAttributes(attributes: AttributesRecord): Uint8Array<ArrayBuffer> {
  const named = (wanted: boolean): string[] =>
    Object.entries(attributes.capabilities).flatMap(([name, has]) =>
      has === wanted ? [name] : [],
    );
  return ATTRIBUTES.encode({ ...attributes, capable: named(true), incapable: named(false) });
}
export function decodeAttributes(bytes: Uint8Array): AttributesRecord {
  const wire = ATTRIBUTES.decode(bytes);
  const registrationLock = wire['registrationLock'] as string;
  const recoveryPassword = nonEmpty(wire['recoveryPassword']);
  const encryptedDeviceName = nonEmpty(wire['encryptedDeviceName']);
  const all = (names: unknown, has: boolean): [string, boolean][] =>
    (names as string[]).map((name) => [name, has]);
  return {
    fetchesMessages: wire['fetchesMessages'] as boolean,
    pniRegistrationId: wire['pniRegistrationId'] as number,
    discoverableByPhoneNumber: wire['discoverableByPhoneNumber'] as boolean,
    capabilities: Object.fromEntries([
      ...all(wire['capable'], true),
      ...all(wire['incapable'], false),
    ]),
    unrestricted: wire['unrestricted'] as boolean,
    isPending: wire['isPending'] as boolean,
    ...(registrationLock !== '' && { registrationLock }),
    ...(recoveryPassword !== undefined && { recoveryPassword }),
    ...(encryptedDeviceName !== undefined && { encryptedDeviceName }),
  };
}

export function encodeProfile(profile: ProfileRecord): Uint8Array<ArrayBuffer> {
  const phoneNumberSharing = PHONE_NUMBER_SHARING.indexOf(profile.phoneNumberSharing);
  return PROFILE.encode({ ...profile, phoneNumberSharing });
}
export function decodeProfile(bytes: Uint8Array): ProfileRecord {
  const wire = PROFILE.decode(bytes);
  const text = (name: string): object => (wire[name] === '' ? {} : { [name]: wire[name] });
  const paymentAddress = nonEmpty(wire['paymentAddress']);
  const phoneNumberSharing = PHONE_NUMBER_SHARING[wire['phoneNumberSharing'] as number];
  return {
    given: wire['given'] as string,
    badgeIds: wire['badgeIds'] as string[],
    isPending: wire['isPending'] as boolean,
    ...text('family'),
    ...text('about'),
    ...text('aboutEmoji'),
    ...(paymentAddress !== undefined && { paymentAddress }),
    ...(phoneNumberSharing !== undefined && { phoneNumberSharing }),
  };
}

export function encodeRotation(rotation: RotationRecord): Uint8Array<ArrayBuffer> {
  return ROTATION.encode(rotation);
}
export function decodeRotation(bytes: Uint8Array): RotationRecord {
  return { profileKey: ROTATION.decode(bytes)['profileKey'] as Uint8Array };
}

export function encodePreKeys(preKeys: PreKeysRecord): Uint8Array<ArrayBuffer> {
  return PREKEYS.encode(preKeys);
}
export function decodePreKeys(bytes: Uint8Array): PreKeysRecord {
  const wire = PREKEYS.decode(bytes);
  const ranges = (name: keyof PreKeysRecord): PreKeyRange[] =>
    (wire[name] as Wire[]).map((range) => ({
      firstId: range['firstId'] as number,
      count: range['count'] as number,
      uploadedMs: range['uploadedMs'] as number,
      replacedMs: range['replacedMs'] as number,
    }));
  return {
    nextPreKeyId: wire['nextPreKeyId'] as number,
    nextSignedPreKeyId: wire['nextSignedPreKeyId'] as number,
    nextKyberPreKeyId: wire['nextKyberPreKeyId'] as number,
    preKeys: ranges('preKeys'),
    signedPreKeys: ranges('signedPreKeys'),
    kyberPreKeys: ranges('kyberPreKeys'),
    lastResortKyberPreKeys: ranges('lastResortKyberPreKeys'),
  };
}

const changeOf = (key: keyof typeof KEYS, value: Uint8Array | null): Change => ({
  table: 'account',
  key: KEYS[key],
  value,
});

/**
 * Loads the account's record, serialized, with the private key in it.
 *
 * @returns undefined where the store has none.
 */
export async function loadAccount(store: Store): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [value] = await store.getMany('account', [KEYS.self]);
  return value;
}
/** @param value the serialized record, which the caller wipes once it is committed */
export const accountChange = (value: Uint8Array): Change => changeOf('self', value);

/** Records of the account itself, without its keys. */
export interface OwnRecords {
  readonly attributes: AttributesRecord | undefined;
  readonly profile: ProfileRecord | undefined;
  /** Present while a rotation of the profile key is under way. */
  readonly rotation: RotationRecord | undefined;
}

export async function loadOwnRecords(store: Store): Promise<OwnRecords> {
  const keys = [KEYS.attributes, KEYS.profile, KEYS.rotation];
  const [attributes, profile, rotation] = await store.getMany('account', keys);
  return {
    attributes: attributes && decodeAttributes(attributes),
    profile: profile && decodeProfile(profile),
    rotation: rotation && decodeRotation(rotation),
  };
}

export const attributesChange = (attributes: AttributesRecord): Change =>
  changeOf('attributes', encodeAttributes(attributes));
/** @param profile undefined removes it */
export const profileChange = (profile: ProfileRecord | undefined): Change =>
  changeOf('profile', profile === undefined ? null : encodeProfile(profile));
/** @param rotation undefined removes it */
export const rotationChange = (rotation: RotationRecord | undefined): Change =>
  changeOf('rotation', rotation === undefined ? null : encodeRotation(rotation));

const PREKEY_STATES = { aci: 'preKeys', pni: 'pniPreKeys' } as const satisfies Record<
  IdentityKind,
  keyof typeof KEYS
>;

/** Loads the state of an identity's prekeys; undefined where it never had any. */
export async function loadPreKeyState(
  store: Store,
  identity: IdentityKind = 'aci',
): Promise<PreKeysRecord | undefined> {
  const [value] = await store.getMany('account', [KEYS[PREKEY_STATES[identity]]]);
  return value === undefined ? undefined : decodePreKeys(value);
}
/** @param state undefined removes it */
export const preKeyStateChange = (
  state: PreKeysRecord | undefined,
  identity: IdentityKind = 'aci',
): Change => changeOf(PREKEY_STATES[identity], state === undefined ? null : encodePreKeys(state));

/**
 * Loads the key with which public ids of broadcasts are made; undefined where there is none yet.
 */
export async function loadPublicIdsKey(store: Store): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [value] = await store.getMany('account', [KEYS.publicIds]);
  return value;
}
export const publicIdsKeyChange = (key: Uint8Array): Change => changeOf('publicIds', key);

/**
 * Loads the time at which this device last read the service's queue to its end.
 *
 * @returns ms since the epoch, up to an hour early; undefined where it never did.
 */
export async function loadLastReceivedMs(store: Store): Promise<number | undefined> {
  const [value] = await store.getMany('account', [KEYS.lastReceived]);
  return value === undefined ? undefined : (LAST_RECEIVED.decode(value)['atMs'] as number);
}
export const lastReceivedChange = (atMs: number): Change =>
  changeOf('lastReceived', LAST_RECEIVED.encode({ atMs }));

const keyOf = (includesPhoneNumber: boolean): string =>
  includesPhoneNumber ? 'with-phone-number' : 'without-phone-number';

/**
 * Loads the sender certificate of one kind, serialized; undefined where there is none that can be
 * read.
 */
export async function loadCertificate(
  store: Store,
  includesPhoneNumber: boolean,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const keys = [keyOf(includesPhoneNumber)];
  const [certificate] = await readValuesOrNone(store, 'certificate', keys);
  return certificate;
}

export const certificateChange = (
  includesPhoneNumber: boolean,
  certificate: Uint8Array,
): Change => ({
  table: 'certificate',
  key: keyOf(includesPhoneNumber),
  value: certificate,
});

/**
 * Makes the changes that remove state of one device: its certificates, and changes of the account
 * that it had begun.
 */
export const deviceStateRemovals = (): Change[] => [
  changeOf('attributes', null),
  changeOf('profile', null),
  changeOf('rotation', null),
  changeOf('lastReceived', null),
  ...[true, false].map((includesPhoneNumber): Change => ({
    table: 'certificate',
    key: keyOf(includesPhoneNumber),
    value: null,
  })),
];
