import { PublicKey, type SenderCertificate } from '@signalapp/libsignal-client';

/** About 700 bytes each: a sender's certificate lives a week, so this covers as many active senders. */
const MAX_CACHED_CERTIFICATES = 16_384;

/**
 * Validates sender certificates against one set of trust roots, as libsignal does (signature of the server certificate
 * by a root, its id not revoked, signature of the sender certificate by it, not expired), and remembers by their bytes
 * those whose signatures hold: a sender puts the same certificate into every message for days.
 */
export class CertificateValidator {
  readonly #trustRoots: PublicKey[];
  /** Bytes of certificates whose signatures hold, least recently seen first. */
  readonly #signed = new Set<string>();

  constructor(trustRoots: readonly Uint8Array<ArrayBuffer>[]) {
    this.#trustRoots = trustRoots.map((root) => PublicKey.deserialize(root));
  }

  /** Whether the certificate holds at `timestamp` (ms since the epoch). */
  validate(certificate: SenderCertificate, timestamp: number): boolean {
    return timestamp <= certificate.expiration() && this.#isSigned(certificate);
  }

  #isSigned(certificate: SenderCertificate): boolean {
    const bytes = Buffer.from(certificate.serialize()).toString('latin1');
    if (this.#signed.delete(bytes)) {
      this.#signed.add(bytes);
      return true;
    }
    // Time 0 is before any expiration, so this asks for the signatures alone. What fails is not remembered: strangers can
    // make as many of those as they like.
    if (!certificate.validateWithTrustRoots(this.#trustRoots, 0)) return false;
    if (this.#signed.size >= MAX_CACHED_CERTIFICATES) {
      const oldest = this.#signed.values().next();
      if (oldest.done !== true) this.#signed.delete(oldest.value);
    }
    this.#signed.add(bytes);
    return true;
  }
}
