// Sealed sender, version 1, as libsignal ships it: the steps of sealing one envelope and of opening
// it, in order.
import { concatBytes, copyBytes, equalBytes, utf8, type Bytes } from './bytes.js';
import { aes256Ctr } from './ctr.js';
import { hkdfSha256 } from './hkdf.js';
import { hmacSha256 } from './hmac.js';
import { encodeBytesField, readBytesFields } from './protobuf.js';
import { x25519, x25519Base } from './x25519.js';

export const KEY_TYPE_DJB = 0x05;
export const PUBLIC_KEY_BYTES = 33;
export const MAC_BYTES = 10;

export const VERSION_BYTE = 0x11;
export const SALT_PREFIX = utf8('UnidentifiedDelivery');
const ZERO_COUNTER_BLOCK = new Uint8Array(16);

export const FIELD_EPHEMERAL_PUBLIC = 1;
export const FIELD_ENCRYPTED_STATIC = 2;
export const FIELD_ENCRYPTED_MESSAGE = 3;

/**
 * A scalar of 32 bytes and its public key in 33: what libsignal's serialize() of a key pair's
 * halves gives.
 */
export interface KeyPairBytes {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface SealStepsV1 {
  readonly ephemeralPublicKey: Bytes;
  readonly ephemeralSecret: Bytes;
  readonly staticSecret: Bytes;
  readonly chainKey: Bytes;
  readonly encryptedStatic: Bytes;
  readonly encryptedMessage: Bytes;
  readonly envelope: Bytes;
}

export interface UnsealedV1 {
  readonly content: Bytes;
  /**
   * S, 33 bytes. That it is the key in the content's certificate is checked by whoever parses the
   * content.
   */
  readonly senderIdentityKey: Bytes;
}

/** The wire form of a u-coordinate. */
export function encodePublicKey(point: Uint8Array): Bytes {
  return concatBytes(Uint8Array.of(KEY_TYPE_DJB), point);
}

export function keyPairFromScalar(privateKey: Uint8Array): KeyPairBytes {
  return { privateKey, publicKey: encodePublicKey(x25519Base(privateKey)) };
}

/** Seals, and shows what each step gave. */
export function sealV1Steps(
  sender: KeyPairBytes,
  recipientIdentityKey: Uint8Array,
  ephemeralScalar: Uint8Array,
  content: Uint8Array,
): SealStepsV1 {
  const ephemeralPublicKey = encodePublicKey(x25519Base(ephemeralScalar));

  const ephemeralSecret = agree(ephemeralScalar, recipientIdentityKey);
  const ephemeralKeys = deriveKeys(
    concatBytes(SALT_PREFIX, recipientIdentityKey, ephemeralPublicKey),
    ephemeralSecret,
  );
  const encryptedStatic = encryptThenMac(ephemeralKeys, sender.publicKey);

  const staticSecret = agree(sender.privateKey, recipientIdentityKey);
  const staticKeys = deriveKeys(concatBytes(ephemeralKeys.chainKey, encryptedStatic), staticSecret);
  const encryptedMessage = encryptThenMac(staticKeys, content);

  const envelope = concatBytes(
    Uint8Array.of(VERSION_BYTE),
    encodeBytesField(FIELD_EPHEMERAL_PUBLIC, ephemeralPublicKey),
    encodeBytesField(FIELD_ENCRYPTED_STATIC, encryptedStatic),
    encodeBytesField(FIELD_ENCRYPTED_MESSAGE, encryptedMessage),
  );
  return {
    ephemeralPublicKey,
    ephemeralSecret,
    staticSecret,
    chainKey: ephemeralKeys.chainKey,
    encryptedStatic,
    encryptedMessage,
    envelope,
  };
}

export function sealV1(
  sender: KeyPairBytes,
  recipientIdentityKey: Uint8Array,
  ephemeralScalar: Uint8Array,
  content: Uint8Array,
): Bytes {
  return sealV1Steps(sender, recipientIdentityKey, ephemeralScalar, content).envelope;
}

/**
 * The shared secret, refused when it is zero (RFC 7748 section 6.1), as libsignal's agreement
 * refuses it.
 */
function agree(scalar: Uint8Array, publicKey: Uint8Array): Bytes {
  const secret = x25519(scalar, publicKey.subarray(1));
  if (secret.every((byte) => byte === 0)) throw new Error('a public key of small order');
  return secret;
}

/** Opens an envelope as far as its content's bytes, or throws. */
export function unsealV1(recipient: KeyPairBytes, envelope: Uint8Array): UnsealedV1 {
  const version = envelope[0];
  if (version === undefined || version >> 4 > 1)
    throw new Error('not an envelope of version 0 or 1');
  const fields = readBytesFields(envelope.subarray(1), [
    FIELD_EPHEMERAL_PUBLIC,
    FIELD_ENCRYPTED_STATIC,
    FIELD_ENCRYPTED_MESSAGE,
  ]);
  const ephemeralPublicKey = readPublicKey(required(fields, FIELD_EPHEMERAL_PUBLIC));
  const encryptedStatic = required(fields, FIELD_ENCRYPTED_STATIC);
  const encryptedMessage = required(fields, FIELD_ENCRYPTED_MESSAGE);

  const ephemeralSecret = agree(recipient.privateKey, ephemeralPublicKey);
  const ephemeralKeys = deriveKeys(
    concatBytes(SALT_PREFIX, recipient.publicKey, ephemeralPublicKey),
    ephemeralSecret,
  );
  const senderIdentityKey = decrypt(ephemeralKeys, encryptedStatic);
  // libsignal would drop bytes behind the key here as well, but then compares all of them with the
  // certificate's key.
  if (senderIdentityKey.length > PUBLIC_KEY_BYTES) throw new Error("bytes behind the sender's key");
  readPublicKey(senderIdentityKey);

  const staticSecret = agree(recipient.privateKey, senderIdentityKey);
  const staticKeys = deriveKeys(concatBytes(ephemeralKeys.chainKey, encryptedStatic), staticSecret);
  return { content: decrypt(staticKeys, encryptedMessage), senderIdentityKey };
}

export interface DerivedKeys {
  readonly chainKey: Bytes;
  readonly cipherKey: Bytes;
  readonly macKey: Bytes;
}

/** Cipher and MAC key of one layer, and what the next one chains to. */
export function deriveKeys(salt: Uint8Array, sharedSecret: Uint8Array): DerivedKeys {
  const okm = hkdfSha256(salt, sharedSecret, new Uint8Array(0), 96);
  return { chainKey: okm.slice(0, 32), cipherKey: okm.slice(32, 64), macKey: okm.slice(64, 96) };
}

/** CTR from an all-zero counter block, then ten bytes of HMAC over the ciphertext. */
export function encryptThenMac(keys: DerivedKeys, plaintext: Uint8Array): Bytes {
  const ciphertext = aes256Ctr(keys.cipherKey, ZERO_COUNTER_BLOCK, plaintext);
  return concatBytes(ciphertext, hmacSha256(keys.macKey, ciphertext).slice(0, MAC_BYTES));
}

function decrypt(keys: DerivedKeys, ciphertextAndMac: Uint8Array): Bytes {
  if (ciphertextAndMac.length < MAC_BYTES) throw new Error('shorter than its MAC');
  const ciphertext = ciphertextAndMac.slice(0, -MAC_BYTES);
  const mac = hmacSha256(keys.macKey, ciphertext).slice(0, MAC_BYTES);
  if (!equalBytes(mac, ciphertextAndMac.slice(-MAC_BYTES))) throw new Error('wrong MAC');
  return aes256Ctr(keys.cipherKey, ZERO_COUNTER_BLOCK, ciphertext);
}

/** What libsignal takes for a public key: type 0x05 and 32 bytes; what follows them is dropped. */
function readPublicKey(serialized: Uint8Array): Bytes {
  if (serialized[0] !== KEY_TYPE_DJB) throw new Error('not a public key of type 0x05');
  if (serialized.length < PUBLIC_KEY_BYTES) throw new Error('a public key too short');
  return copyBytes(serialized.subarray(0, PUBLIC_KEY_BYTES));
}

function required(fields: ReadonlyMap<number, Bytes>, fieldNumber: number): Bytes {
  const value = fields.get(fieldNumber);
  if (value === undefined) throw new Error(`field ${fieldNumber} is missing`);
  return value;
}
