import { timingSafeEqual } from 'node:crypto';
import { deriveAccessKey, deriveAccessKeyVerifier } from './access-key.js';
import type { AccessMode } from './access-mode.js';

/** What a fetched profile says of access. */
export interface ProfileAccess {
  /** HMAC-SHA256(access key, 0^32), 32 bytes; absent where the account has registered no access key. */
  readonly verifier?: Uint8Array;
  /** Whether anybody may send sealed, with any key. */
  readonly unrestricted: boolean;
}

/** Whether the verifier is that of the access key of this profile key; compared in constant time. */
export function isVerifierOf(profileKey: Uint8Array, verifier: Uint8Array): boolean {
  const expected = deriveAccessKeyVerifier(deriveAccessKey(profileKey));
  return verifier.length === expected.length && timingSafeEqual(verifier, expected);
}

/**
 * The access mode that a profile proves, as Signal-Android's `deriveUnidentifiedAccessMode` has it: never `unknown`.
 *
 * Without a profile key, or with one whose access key is not the registered one, a send with what we have would be answered
 * with 401: `disabled`. It is not for ever: another profile key makes the mode unknown again, and the next fetch asks as the
 * account. (Android wants a verifier of an unrestricted account too. The service does not: it delivers to one whatever the
 * key, and is about to have none registered of such accounts, `AccountAttributes.isUnrestrictedUakValid`.)
 */
export function accessModeOf(
  profileKey: Uint8Array | undefined,
  { verifier, unrestricted }: ProfileAccess,
): AccessMode {
  if (unrestricted) return 'unrestricted';
  if (profileKey === undefined || verifier === undefined) return 'disabled';
  return isVerifierOf(profileKey, verifier) ? 'enabled' : 'disabled';
}
