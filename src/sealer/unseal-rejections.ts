import type { SealcastError } from '../errors.js';

/**
 * Reason for which an envelope was refused, in more detail than its error. The sender must not
 * learn it: it is for counters, never for an answer, and never changes an error's message.
 */
export type Refusal =
  /**
   * Signed by no given trust root, or naming no account. Any sender can issue such a certificate.
   */
  | 'untrusted-certificate'
  /**
   * Signed by a trust root's server, and past its end at the timestamp: look at the clock, or at
   * who replays.
   */
  | 'expired-certificate'
  /** Signed by a server whose certificate a trust root signed, and libsignal revoked. */
  | 'revoked-certificate'
  /** The MACs held, and the certificate inside is another sender's. */
  | 'key-mismatch'
  /**
   * Anything else: not for this identity, spoiled, malformed; also a v2 envelope that libsignal
   * refused for whichever reason.
   */
  | 'invalid-envelope';

const refusals = new WeakMap<SealcastError, Refusal>();

/** Remembers, as long as the error lives, why it came about. */
export function noteRefusal(error: SealcastError, refusal: Refusal): void {
  refusals.set(error, refusal);
}

/**
 * Why the envelope was refused whose result this error is; undefined for an error that is no
 * verdict on an envelope.
 */
export function refusalOf(error: SealcastError): Refusal | undefined {
  return refusals.get(error);
}
