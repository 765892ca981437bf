import { timingSafeEqual } from 'node:crypto';
import { deriveAccessKey, deriveAccessKeyVerifier } from './access-key.js';

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
