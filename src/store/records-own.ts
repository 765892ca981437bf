import protobuf from 'protobufjs/light.js';
import { decode, encode, message, nonEmpty, type Wire } from './records.js';

/** What the service is told of the account and this device, but for what the account's own record has. */
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
  /** Whether anybody may send sealed. */
  readonly unrestricted: boolean;
  /** Whether they were being registered, and it is not known that the service has them. */
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
  /** Whether it was being uploaded, and it is not known that the service has it. */
  readonly isPending: boolean;
}

/** A profile key that is to be the account's, 32 bytes, and is not yet. */
export interface RotationRecord {
  readonly profileKey: Uint8Array;
}

/** Prekeys that were made together: their ids follow one another, and 1 follows the highest one there is. */
export interface PreKeyRange {
  readonly firstId: number;
  readonly count: number;
  /** When the service took them, ms since the epoch; 0: it is not known to have taken them. */
  readonly uploadedMs: number;
  /** When it took others in their place; 0: it has not. */
  readonly replacedMs: number;
}
/** Of each kind, the oldest first; the last one is what the service has, or is to have. */
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

const SCHEMA = {
  nested: {
    Attributes: message({
      fetchesMessages: 'bool',
      pniRegistrationId: 'uint32',
      registrationLock: 'string',
      recoveryPassword: 'bytes',
      encryptedDeviceName: 'bytes',
      discoverableByPhoneNumber: 'bool',
      capable: 'string*',
      incapable: 'string*',
      unrestricted: 'bool',
      isPending: 'bool',
    }),
    Profile: message({
      given: 'string',
      family: 'string',
      about: 'string',
      aboutEmoji: 'string',
      paymentAddress: 'bytes',
      // 0: nothing is said.
      phoneNumberSharing: 'uint32',
      badgeIds: 'string*',
      isPending: 'bool',
    }),
    Rotation: message({ profileKey: 'bytes' }),
    PreKeyRange: message({ firstId: 'uint32', count: 'uint32', uploadedMs: 'double', replacedMs: 'double' }),
    PreKeys: message({
      nextPreKeyId: 'uint32',
      nextSignedPreKeyId: 'uint32',
      nextKyberPreKeyId: 'uint32',
      preKeys: 'PreKeyRange*',
      signedPreKeys: 'PreKeyRange*',
      kyberPreKeys: 'PreKeyRange*',
      lastResortKyberPreKeys: 'PreKeyRange*',
    }),
  },
};
const root = protobuf.Root.fromJSON(SCHEMA);
const ATTRIBUTES = root.lookupType('Attributes');
const PROFILE = root.lookupType('Profile');
const ROTATION = root.lookupType('Rotation');
const PREKEYS = root.lookupType('PreKeys');

// Numbered in their order.
const PHONE_NUMBER_SHARING = [undefined, false, true];

export function encodeAttributes(attributes: AttributesRecord): Uint8Array<ArrayBuffer> {
  const named = (wanted: boolean): string[] =>
    Object.entries(attributes.capabilities).flatMap(([name, has]) => (has === wanted ? [name] : []));
  return encode(ATTRIBUTES, { ...attributes, capable: named(true), incapable: named(false) });
}
export function decodeAttributes(bytes: Uint8Array): AttributesRecord {
  const wire = decode(ATTRIBUTES, bytes);
  const registrationLock = wire['registrationLock'] as string;
  const recoveryPassword = nonEmpty(wire['recoveryPassword']);
  const encryptedDeviceName = nonEmpty(wire['encryptedDeviceName']);
  const all = (names: unknown, has: boolean): [string, boolean][] => (names as string[]).map((name) => [name, has]);
  return {
    fetchesMessages: wire['fetchesMessages'] as boolean,
    pniRegistrationId: wire['pniRegistrationId'] as number,
    discoverableByPhoneNumber: wire['discoverableByPhoneNumber'] as boolean,
    capabilities: Object.fromEntries([...all(wire['capable'], true), ...all(wire['incapable'], false)]),
    unrestricted: wire['unrestricted'] as boolean,
    isPending: wire['isPending'] as boolean,
    ...(registrationLock !== '' && { registrationLock }),
    ...(recoveryPassword !== undefined && { recoveryPassword }),
    ...(encryptedDeviceName !== undefined && { encryptedDeviceName }),
  };
}

export function encodeProfile(profile: ProfileRecord): Uint8Array<ArrayBuffer> {
  const phoneNumberSharing = PHONE_NUMBER_SHARING.indexOf(profile.phoneNumberSharing);
  return encode(PROFILE, { ...profile, phoneNumberSharing });
}
export function decodeProfile(bytes: Uint8Array): ProfileRecord {
  const wire = decode(PROFILE, bytes);
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
  return encode(ROTATION, rotation);
}
export function decodeRotation(bytes: Uint8Array): RotationRecord {
  return { profileKey: decode(ROTATION, bytes)['profileKey'] as Uint8Array };
}

export function encodePreKeys(preKeys: PreKeysRecord): Uint8Array<ArrayBuffer> {
  return encode(PREKEYS, preKeys);
}
export function decodePreKeys(bytes: Uint8Array): PreKeysRecord {
  const wire = decode(PREKEYS, bytes);
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
