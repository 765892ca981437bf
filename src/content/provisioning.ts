import protobuf from 'protobufjs/light.js';
import { bytesOf, parse, present, serialize } from './messages.js';
import { SCHEMA } from './provisioning-schema.js';
import { serviceIdOf } from './service-ids.js';

const root = protobuf.Root.fromJSON(SCHEMA);
root.resolveAll();

const provisionEnvelopeMessage = root.lookupType('sealcast.ProvisionEnvelope');
const provisionMessageMessage = root.lookupType('sealcast.ProvisionMessage');
const deviceNameMessage = root.lookupType('sealcast.DeviceName');

/** Envelope of a phone for the device that showed a code; absent fields were not on the wire. */
export interface ProvisionEnvelope {
  readonly publicKey?: Uint8Array<ArrayBuffer>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** Secrets of an account, as its phone gives them to a device that it links. */
export interface ProvisionMessage {
  /** Service id: a UUID; absent where the message has none that is valid. */
  readonly aci?: string;
  /** Service id: `PNI:` and a UUID. */
  readonly pni?: string;
  readonly aciIdentityKeyPrivate?: Uint8Array<ArrayBuffer>;
  readonly pniIdentityKeyPrivate?: Uint8Array<ArrayBuffer>;
  readonly number?: string;
  readonly provisioningCode?: string;
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  readonly readReceipts?: boolean;
  readonly masterKey?: Uint8Array<ArrayBuffer>;
  readonly accountEntropyPool?: string;
  readonly mediaRootBackupKey?: Uint8Array<ArrayBuffer>;
  readonly authCredentialSalt?: Uint8Array<ArrayBuffer>;
}

/** An encrypted device name. */
export interface DeviceNameFields {
  /** 33 bytes */
  readonly ephemeralPublic: Uint8Array;
  /** 16 bytes */
  readonly syntheticIv: Uint8Array;
  readonly ciphertext: Uint8Array;
}

const PNI_PREFIX = 'PNI:';

const textOf = (message: object, field: string): string | undefined =>
  present(message, field) as string | undefined;

/** Reads the account's ACI: the binary form first. */
function aciOf(message: object): string | undefined {
  const id = serviceIdOf(textOf(message, 'aci'), bytesOf(message, 'aciBinary'));
  return id?.startsWith(PNI_PREFIX) === true ? undefined : id;
}

/** Reads the account's PNI: 16 bytes, or a UUID with or without `PNI:` before it. */
function pniOf(message: object): string | undefined {
  const id = serviceIdOf(textOf(message, 'pni'), bytesOf(message, 'pniBinary'));
  if (id === undefined) return undefined;
  return id.startsWith(PNI_PREFIX) ? id : `${PNI_PREFIX}${id}`;
}

/** Drops the fields that were not on the wire. */
function withoutAbsent<Fields extends object>(fields: {
  readonly [name in keyof Fields]: Fields[name] | undefined;
}): Fields {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there) as Fields;
}

/** @throws SealcastError ERR_INVALID_ENVELOPE: it is malformed. */
export function decodeProvisionEnvelope(bytes: Uint8Array): ProvisionEnvelope {
  const message = parse(provisionEnvelopeMessage, bytes);
  return withoutAbsent<ProvisionEnvelope>({
    publicKey: bytesOf(message, 'publicKey'),
    body: bytesOf(message, 'body'),
  });
}

/** @throws SealcastError ERR_INVALID_ENVELOPE: it is malformed. */
export function decodeProvisionMessage(bytes: Uint8Array): ProvisionMessage {
  const message = parse(provisionMessageMessage, bytes);
  return withoutAbsent<ProvisionMessage>({
    aci: aciOf(message),
    pni: pniOf(message),
    aciIdentityKeyPrivate: bytesOf(message, 'aciIdentityKeyPrivate'),
    pniIdentityKeyPrivate: bytesOf(message, 'pniIdentityKeyPrivate'),
    number: textOf(message, 'number'),
    provisioningCode: textOf(message, 'provisioningCode'),
    profileKey: bytesOf(message, 'profileKey'),
    readReceipts: present(message, 'readReceipts') as boolean | undefined,
    masterKey: bytesOf(message, 'masterKey'),
    accountEntropyPool: textOf(message, 'accountEntropyPool'),
    mediaRootBackupKey: bytesOf(message, 'mediaRootBackupKey'),
    authCredentialSalt: bytesOf(message, 'authCredentialSalt'),
  });
}

export function encodeDeviceName(name: DeviceNameFields): Uint8Array<ArrayBuffer> {
  return serialize(deviceNameMessage, name);
}

/** @throws SealcastError ERR_INVALID_ENVELOPE: it is malformed. */
export function decodeDeviceName(bytes: Uint8Array): Partial<DeviceNameFields> {
  const message = parse(deviceNameMessage, bytes);
  return withoutAbsent<Partial<DeviceNameFields>>({
    ephemeralPublic: bytesOf(message, 'ephemeralPublic'),
    syntheticIv: bytesOf(message, 'syntheticIv'),
    ciphertext: bytesOf(message, 'ciphertext'),
  });
}
