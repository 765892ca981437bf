import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { hkdf, PrivateKey, PublicKey } from '@signalapp/libsignal-client';
import { AccountEntropyPool } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import { decodeProvisionEnvelope, decodeProvisionMessage } from '../content/provisioning.js';
import { SealcastError } from '../errors.js';
import type { PniIdentity } from '../store/tables/credentials.js';

/** Longest body of an envelope that the service passes on (Signal-Server, 2026-08). */
const MAX_BODY_BYTES = 256 * 1024;
/** Longest envelope that is read: its body, a key, and the frames of both. */
const MAX_ENVELOPE_BYTES = MAX_BODY_BYTES + 1_024;
const VERSION = 1;
const VERSION_BYTES = 1;
const IV_BYTES = 16;
const BLOCK_BYTES = 16;
const MAC_BYTES = 32;
const KEY_BYTES = 32;
const MIN_BODY_BYTES = VERSION_BYTES + IV_BYTES + BLOCK_BYTES + MAC_BYTES;
const INFO = new TextEncoder().encode('TextSecure Provisioning Message');
/** Longest code that is believed; the service's codes have some 60 characters. */
const MAX_CODE_LENGTH = 1_024;
const NUMBER = /^\+\d{1,20}$/;

/** Secrets of the account that a phone gives to a device that it links, each of a valid form. */
export interface Provision {
  /** Service id: a UUID. */
  readonly aci: string;
  /** 33 bytes, made from the private key, which has 32. */
  readonly identityPublicKey: Uint8Array<ArrayBuffer>;
  readonly identityPrivateKey: Uint8Array<ArrayBuffer>;
  /** Absent: the account has no phone number. Its registration id is this device's to choose. */
  readonly pniIdentity?: Omit<PniIdentity, 'registrationId'>;
  readonly number?: string;
  readonly provisioningCode: string;
  /** 32 bytes */
  readonly profileKey: Uint8Array<ArrayBuffer>;
  readonly readReceipts?: boolean;
  /** 64 characters */
  readonly accountEntropyPool?: string;
  /** 32 bytes; only where there is no entropy pool, from which it is derived. */
  readonly masterKey?: Uint8Array<ArrayBuffer>;
  readonly mediaRootBackupKey?: Uint8Array<ArrayBuffer>;
  readonly authCredentialSalt?: Uint8Array<ArrayBuffer>;
}

/** One code for every fault: a forger is not to learn which part was wrong. */
const malformed = (): SealcastError =>
  new SealcastError(
    'ERR_LINK_MESSAGE',
    'link: the message of the phone is malformed or forged; call linkDevice again, and scan the new code',
  );

/**
 * Opens the envelope of a phone with the private key whose public key was in the code.
 *
 * The MAC is compared in constant time before anything is decrypted.
 *
 * @throws SealcastError ERR_LINK_MESSAGE
 */
export function openProvisionEnvelope(envelope: Uint8Array, privateKey: PrivateKey): Provision {
  let plaintext: Uint8Array | undefined;
  try {
    plaintext = decryptEnvelope(envelope, privateKey);
    return provisionOf(plaintext);
  } catch {
    // No cause: it could carry what was decrypted.
    throw malformed();
  } finally {
    plaintext?.fill(0);
  }
}

function decryptEnvelope(bytes: Uint8Array, privateKey: PrivateKey): Uint8Array {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw malformed();
  const { publicKey, body } = decodeProvisionEnvelope(bytes);
  if (publicKey === undefined || body === undefined) throw malformed();
  if (body.length < MIN_BODY_BYTES || body.length > MAX_BODY_BYTES) throw malformed();
  const shared = privateKey.agree(PublicKey.deserialize(publicKey));
  const keys = hkdf(2 * KEY_BYTES, shared, INFO, null);
  shared.fill(0);
  try {
    const macAt = body.length - MAC_BYTES;
    const mac = createHmac('sha256', keys.subarray(KEY_BYTES)).update(body.subarray(0, macAt));
    const isAuthentic = timingSafeEqual(mac.digest(), body.subarray(macAt));
    if (!isAuthentic || body[0] !== VERSION) throw malformed();
    const ivEnd = VERSION_BYTES + IV_BYTES;
    const iv = body.subarray(VERSION_BYTES, ivEnd);
    const cipher = createDecipheriv('aes-256-cbc', keys.subarray(0, KEY_BYTES), iv);
    return Buffer.concat([cipher.update(body.subarray(ivEnd, macAt)), cipher.final()]);
  } finally {
    keys.fill(0);
  }
}

/** Reads the message, and refuses one that lacks what every account has. */
function provisionOf(plaintext: Uint8Array): Provision {
  const message = decodeProvisionMessage(plaintext);
  const { aci, aciIdentityKeyPrivate, profileKey, provisioningCode, readReceipts, number } =
    message;
  if (aci === undefined || aciIdentityKeyPrivate === undefined) throw malformed();
  if (provisioningCode === undefined || provisioningCode === '') throw malformed();
  if (provisioningCode.length > MAX_CODE_LENGTH) throw malformed();
  if (profileKey?.length !== KEY_BYTES) throw malformed();
  if (number !== undefined && number !== '' && !NUMBER.test(number)) throw malformed();
  const pniIdentity = pniIdentityOf(message.pni, message.pniIdentityKeyPrivate);
  const { mediaRootBackupKey, authCredentialSalt } = message;
  if (mediaRootBackupKey !== undefined && mediaRootBackupKey.length !== KEY_BYTES)
    throw malformed();
  return {
    aci,
    ...keyPairOf(aciIdentityKeyPrivate),
    ...(pniIdentity !== undefined && { pniIdentity }),
    ...(number !== undefined && number !== '' && { number }),
    provisioningCode,
    profileKey,
    ...(readReceipts !== undefined && { readReceipts }),
    ...masterSecretOf(message.accountEntropyPool, message.masterKey),
    ...(mediaRootBackupKey !== undefined && { mediaRootBackupKey }),
    ...(authCredentialSalt !== undefined && { authCredentialSalt }),
  };
}

type KeyPair = Pick<Provision, 'identityPublicKey' | 'identityPrivateKey'>;

/** The public key is made from the private one: the one in the message need not fit. */
function keyPairOf(identityPrivateKey: Uint8Array<ArrayBuffer>): KeyPair {
  const privateKey = PrivateKey.deserialize(identityPrivateKey);
  return { identityPublicKey: privateKey.getPublicKey().serialize(), identityPrivateKey };
}

/** An account has both, the id and its key, or no phone number. */
function pniIdentityOf(
  pni: string | undefined,
  privateKey: Uint8Array<ArrayBuffer> | undefined,
): Provision['pniIdentity'] {
  if (pni === undefined && privateKey === undefined) return undefined;
  if (pni === undefined || privateKey === undefined) throw malformed();
  return { pni, ...keyPairOf(privateKey) };
}

function masterSecretOf(
  accountEntropyPool: string | undefined,
  masterKey: Uint8Array<ArrayBuffer> | undefined,
): Pick<Provision, 'accountEntropyPool' | 'masterKey'> {
  if (accountEntropyPool !== undefined && accountEntropyPool !== '') {
    if (!AccountEntropyPool.isValid(accountEntropyPool)) throw malformed();
    return { accountEntropyPool };
  }
  if (masterKey === undefined) return {};
  if (masterKey.length !== KEY_BYTES) throw malformed();
  return { masterKey };
}
