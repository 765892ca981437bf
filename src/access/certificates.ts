import type { PublicKey, SenderCertificate } from '@signalapp/libsignal-client';
import type { ParsedCertificate } from './certificate-memory.js';
import { libsignal } from './libsignal.js';

/** libsignal throws for an expiration that a number cannot hold: it is later than any timestamp that one can. */
export function expirationOf(certificate: SenderCertificate): number {
  try {
    return certificate.expiration();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Validates sender certificates against one set of trust roots, as libsignal does: signature of the server certificate by
 * a root, its id not revoked, signature of the sender certificate by it, not expired. A certificate whose signatures held
 * once is only asked for its expiration again.
 */
export class CertificateValidator {
  readonly #trustRoots: readonly Uint8Array<ArrayBuffer>[];
  #parsedRoots: PublicKey[] | undefined;
  /** What fails is not remembered: strangers can make as many of those as they like. */
  readonly #signed = new WeakSet<ParsedCertificate>();

  /** @param trustRoots public keys, 33 bytes each. */
  constructor(trustRoots: readonly Uint8Array<ArrayBuffer>[]) {
    this.#trustRoots = trustRoots;
  }

  /** Whether the certificate holds at `timestamp` (ms since the epoch). */
  validate(parsed: ParsedCertificate, timestamp: number): boolean {
    if (timestamp > parsed.expiration) return false;
    if (this.#signed.has(parsed)) return true;
    this.#parsedRoots ??= this.#trustRoots.map((root) => libsignal().PublicKey.deserialize(root));
    // Time 0 is before any expiration, so this asks for the signatures alone.
    if (!parsed.certificate.validateWithTrustRoots(this.#parsedRoots, 0)) return false;
    this.#signed.add(parsed);
    return true;
  }
}
