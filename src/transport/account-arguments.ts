import { checkBytes, isIntegerIn, refuse } from './arguments.js';
import { isRecord } from './mapping/http.js';
import type {
  AccountAttributes,
  PreKeyUpload,
  ProfileUpload,
  PublicPreKey,
  SignedPublicPreKey,
} from './account-transport.js';

/** Signal-Server: ECPreKey, "not zero, less than 2^24". */
const MAX_PREKEY_ID = 2 ** 24 - 1;
/** Signal-Server: SetKeysRequest. */
const MAX_PREKEYS = 100;
const SIGNATURE_BYTES = 64;
/** Signal-Server: Device.MAX_REGISTRATION_ID. */
const MAX_REGISTRATION_ID = 0x3fff;
/** Signal-Server: DeviceAttributes. */
const MAX_DEVICE_NAME_BYTES = 225;
const RECOVERY_PASSWORD_BYTES = 32;
/** libsignal: ProfileKeyCommitment. */
const COMMITMENT_BYTES = 97;
/**
 * Sizes of profile fields that the service accepts: padded to these, and encrypted (Signal-Server:
 * CreateProfileRequest).
 */
const PROFILE_BYTES = {
  name: [81, 285],
  about: [0, 156, 282, 540],
  aboutEmoji: [0, 60],
  paymentAddress: [0, 582],
  phoneNumberSharing: [0, 29],
} as const;

interface KeyForm {
  readonly bytes: number;
  /** The first byte, which says of what kind the key is (libsignal: PublicKey, kem::KeyType). */
  readonly type: number;
}
const CURVE25519: KeyForm = { bytes: 33, type: 5 };
const KYBER1024: KeyForm = { bytes: 1_569, type: 8 };

/**
 * 64 lower-case hex digits: what is compared with what a client wrote in lower case is compared as
 * text.
 */
function checkHex(value: unknown, field: string, or = ''): void {
  if (typeof value !== 'string' || !/^[\da-f]{64}$/.test(value))
    refuse(field, `64 lower-case hex digits${or}`);
}

function checkObject(value: unknown, field: string, expected: string, index?: number): void {
  if (!isRecord(value) || Array.isArray(value)) refuse(field, expected, index);
}

function checkFlag(value: unknown, field: string): void {
  if (typeof value !== 'boolean') refuse(field, 'true or false');
}

/** Checks the version of a profile key, which is part of a path. */
export function checkProfileVersion(value: string): string {
  checkHex(value, 'version');
  return value;
}

function checkPreKey(preKey: PublicPreKey, form: KeyForm, field: string, index?: number): void {
  checkObject(preKey, field, 'a prekey', index);
  const { id, publicKey } = preKey;
  if (!isIntegerIn(id, 1, MAX_PREKEY_ID)) refuse(`${field}.id`, `1 to ${MAX_PREKEY_ID}`, index);
  checkBytes(publicKey, `${field}.publicKey`, [form.bytes], index);
  if (publicKey[0] !== form.type) refuse(`${field}.publicKey`, `a key of type ${form.type}`, index);
}

function checkSignedPreKey(
  preKey: SignedPublicPreKey,
  form: KeyForm,
  field: string,
  index?: number,
): void {
  checkPreKey(preKey, form, field, index);
  checkBytes(preKey.signature, `${field}.signature`, [SIGNATURE_BYTES], index);
}

function checkList<T>(
  values: readonly T[],
  field: string,
  checkOne: (value: T, index: number) => void,
): void {
  const isList: boolean = Array.isArray(values);
  if (!isList || values.length > MAX_PREKEYS) refuse(field, `a list of at most ${MAX_PREKEYS}`);
  for (const [i, value] of values.entries()) checkOne(value, i);
}

/** @throws SealcastError ERR_INVALID_ARGUMENT, as the others here. */
export function checkPreKeyUpload(upload: PreKeyUpload): void {
  checkObject(upload, 'upload', 'prekeys');
  const { preKeys, signedPreKey, kyberPreKeys, lastResortKyberPreKey } = upload;
  if (preKeys !== undefined)
    checkList(preKeys, 'preKeys', (preKey, i) => checkPreKey(preKey, CURVE25519, 'preKeys', i));
  if (signedPreKey !== undefined) checkSignedPreKey(signedPreKey, CURVE25519, 'signedPreKey');
  if (kyberPreKeys !== undefined) {
    checkList(kyberPreKeys, 'kyberPreKeys', (preKey, i) =>
      checkSignedPreKey(preKey, KYBER1024, 'kyberPreKeys', i),
    );
  }
  if (lastResortKyberPreKey !== undefined) {
    checkSignedPreKey(lastResortKyberPreKey, KYBER1024, 'lastResortKyberPreKey');
  }
}

export function checkCapabilities(capabilities: Readonly<Record<string, boolean>>): void {
  checkObject(capabilities, 'capabilities', 'an object of names');
  for (const value of Object.values(capabilities)) {
    if (typeof value !== 'boolean') refuse('capabilities', 'true or false for each name');
  }
}

export function checkAttributes(attributes: AccountAttributes): void {
  checkObject(attributes, 'attributes', 'all attributes of the account');
  for (const field of [
    'fetchesMessages',
    'unrestrictedAccess',
    'discoverableByPhoneNumber',
  ] as const) {
    checkFlag(attributes[field], field);
  }
  for (const field of ['registrationId', 'pniRegistrationId'] as const) {
    if (!isIntegerIn(attributes[field], 1, MAX_REGISTRATION_ID))
      refuse(field, `1 to ${MAX_REGISTRATION_ID}`);
  }
  const { encryptedDeviceName, registrationLock, accessKey, capabilities, recoveryPassword } =
    attributes;
  if (
    encryptedDeviceName !== null &&
    !(
      encryptedDeviceName instanceof Uint8Array &&
      isIntegerIn(encryptedDeviceName.length, 1, MAX_DEVICE_NAME_BYTES)
    )
  ) {
    refuse('encryptedDeviceName', `1 to ${MAX_DEVICE_NAME_BYTES} bytes, or null`);
  }
  if (registrationLock !== null) checkHex(registrationLock, 'registrationLock', ', or null');
  checkBytes(accessKey, 'accessKey', [16]);
  checkCapabilities(capabilities);
  if (recoveryPassword !== null)
    checkBytes(recoveryPassword, 'recoveryPassword', [RECOVERY_PASSWORD_BYTES]);
}

export function checkProfile(profile: ProfileUpload): void {
  checkObject(profile, 'profile', 'a profile');
  checkProfileVersion(profile.version);
  checkBytes(profile.commitment, 'commitment', [COMMITMENT_BYTES]);
  checkBytes(profile.name, 'name', PROFILE_BYTES.name);
  for (const field of ['about', 'aboutEmoji', 'paymentAddress', 'phoneNumberSharing'] as const) {
    if (profile[field] !== undefined) checkBytes(profile[field], field, PROFILE_BYTES[field]);
  }
  const { badgeIds } = profile;
  if (!Array.isArray(badgeIds) || !badgeIds.every((id) => typeof id === 'string'))
    refuse('badgeIds', 'a list of texts');
}

/**
 * Path of `GET /v1/profile/...`.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT
 */
export function profilePath(serviceId: string, version: string | undefined): string {
  if (version === undefined) return `/v1/profile/${serviceId}`;
  if (serviceId.startsWith('PNI:')) refuse('serviceId', 'an ACI: only they have a version');
  return `/v1/profile/${serviceId}/${checkProfileVersion(version)}`;
}
