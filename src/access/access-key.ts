import { createCipheriv, createHmac } from 'node:crypto';
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
  if (refusal !== undefined) throw new SealcastError('ERR_INVALID_ARGUMENT', `${field} ${refusal}`, { field });
}

/**
 * Derives the access key of an account. Contacts send to it anonymously with this key: the first 16
 * bytes of AES-256-GCM under the profile key with an all-zero nonce and plaintext. GCM's ciphertext
 * does not depend on its tag, so the tag is never computed.
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
