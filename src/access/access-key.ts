import { createCipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { SealcastError } from '../errors.js';

const PROFILE_KEY_BYTES = 32;
/** Length of an access key. */
export const ACCESS_KEY_BYTES = 16;
const NONCE = new Uint8Array(12);
const ZEROS = new Uint8Array(ACCESS_KEY_BYTES);
const VERIFIED_TEXT = new Uint8Array(32);

function checkKey(field: string, value: unknown, lengthBytes: number): void {
  const refusal =
    value instanceof Uint8Array
      ? value.length === lengthBytes
        ? undefined
        : `must be ${lengthBytes} bytes long, not ${value.length}`
      : 'must be a Uint8Array';
  if (refusal !== undefined)
    throw new SealcastError('ERR_INVALID_ARGUMENT', `${field} ${refusal}`, { field });
}

/**
 * Derives the access key of an account. Contacts send to it anonymously with this key: the first 16
 * bytes of AES-256-GCM under the profile key with an all-zero nonce and plaintext. GCM's ciphertext
 * does not depend on its tag, so the tag is never computed.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: the key is not 32 bytes long.
 * @example
 * const accessKey = deriveAccessKey(profileKey);
 */
export function deriveAccessKey(profileKey: Uint8Array): Uint8Array<ArrayBuffer> {
  checkKey('profileKey', profileKey, PROFILE_KEY_BYTES);
  return new Uint8Array(createCipheriv('aes-256-gcm', profileKey, NONCE).update(ZEROS));
}

/**
 * Derives the verifier that a fetched profile carries. Its reader compares it to learn whether an
 * access key is current.
 */
export function deriveAccessKeyVerifier(accessKey: Uint8Array): Uint8Array<ArrayBuffer> {
  checkKey('accessKey', accessKey, ACCESS_KEY_BYTES);
  return new Uint8Array(createHmac('sha256', accessKey).update(VERIFIED_TEXT).digest());
}

/** Access facts of a fetched profile. */
export interface ProfileAccess {
  /**
   * HMAC-SHA256(access key, 0^32), 32 bytes; absent where the account has registered no access key.
   */
  readonly verifier?: Uint8Array;
  /** Whether anybody may send sealed, with any key. */
  readonly unrestricted: boolean;
}

/**
 * Whether the verifier is that of the access key of this profile key; compared in constant time.
 */
export function isVerifierOf(profileKey: Uint8Array, verifier: Uint8Array): boolean {
  const expected = deriveAccessKeyVerifier(deriveAccessKey(profileKey));
  return verifier.length === expected.length && timingSafeEqual(verifier, expected);
}
