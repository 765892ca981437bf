import type { PublicKey, SenderCertificate } from '@signalapp/libsignal-client';
import type { ParsedCertificate } from './certificate-cache.js';
import { libsignal } from '../access/libsignal.js';
import type { Refusal } from './unseal-rejections.js';

/** Sender that a certificate names. */
export interface CertifiedSender {
  /** ACI of the sender, a UUID in lower case. */
  readonly serviceId: string;
  /** 1 to 127 */
  readonly deviceId: number;
  /** Phone number of the sender, where the certificate has one. */
  readonly e164?: string;
}

export type CertificateVerdict =
  | { readonly ok: true; readonly sender: CertifiedSender }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Ids of server certificates that libsignal always rejects. See its
 * REVOKED_SERVER_CERTIFICATE_KEY_IDS; this one is its test of that.
 */
const REVOKED_SERVER_CERTIFICATE_IDS: readonly number[] = [0xdeadc357];

const MAX_SERVERS = 64;

/** The bytes of the server certificate in it, as a key of a map. */
function nameOfServer(certificate: SenderCertificate): string {
  return Buffer.from(certificate.serverCertificate().serialize()).toString('latin1');
}

/**
 * libsignal throws for an expiration that a number cannot hold: it is later than any timestamp that
 * one can.
 */
export function expirationOf(certificate: SenderCertificate): number {
  try {
    return certificate.expiration();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Validates sender certificates against one set of trust roots, as libsignal does: signature of the
 * server certificate by a root, its id not revoked, signature of the sender certificate by it, not
 * expired. It has to name an ACI besides, as only those send sealed. A certificate whose signatures
 * held once is only asked for its expiration again.
 *
 * The signatures come first, as in libsignal, so that only what a root vouches for is called
 * revoked or expired: a stranger writes any values into a certificate of their own.
 */
export class CertificateValidator {
  /** Public keys, 33 bytes each. */
  readonly trustRoots: readonly Uint8Array<ArrayBuffer>[];
  #parsedRoots: PublicKey[] | undefined;
  /**
   * Senders of certificates whose signatures held. Failures are not remembered: strangers can make
   * any number of them.
   */
  readonly #senders = new WeakMap<ParsedCertificate, CertifiedSender>();
  /**
   * Server certificates that libsignal found good, by their bytes, signature and all: thousands of
   * senders have the same one, and its signature is half of the work. Only what a root signed gets
   * in here.
   */
  readonly #servers = new Map<string, PublicKey>();

  /** @param trustRoots public keys, 33 bytes each. */
  constructor(trustRoots: readonly Uint8Array<ArrayBuffer>[]) {
    this.trustRoots = trustRoots;
  }

  /** Whether the certificate's signatures held before: only its expiration is asked for. */
  isKnown(parsed: ParsedCertificate): boolean {
    return this.#senders.has(parsed);
  }

  /**
   * Whether the certificate holds at `timestamp` (ms since the epoch), and for whom.
   *
   * @param isVerified whether {@link hasSignatures} was true of these bytes, in whatever thread.
   */
  validate(parsed: ParsedCertificate, timestamp: number, isVerified = false): CertificateVerdict {
    const sender = this.#senders.get(parsed) ?? this.#judge(parsed, isVerified);
    if (typeof sender === 'string') return { ok: false, refusal: sender };
    if (timestamp > parsed.expiration) return { ok: false, refusal: 'expired-certificate' };
    return { ok: true, sender };
  }

  /** Whether the signatures hold, and the certificate is not revoked, whenever it expires. */
  hasSignatures(certificate: SenderCertificate): boolean {
    return this.#verify(certificate) === undefined;
  }

  #verify(certificate: SenderCertificate): Refusal | undefined {
    if (this.#isOfKnownServer(certificate)) return undefined;
    const refusal = this.#refusalOf(certificate);
    if (refusal === undefined) this.#rememberServer(certificate);
    return refusal;
  }

  #judge(parsed: ParsedCertificate, isVerified: boolean): CertifiedSender | Refusal {
    const { certificate } = parsed;
    const refusal = isVerified ? undefined : this.#verify(certificate);
    if (refusal !== undefined) return refusal;
    const sender = senderOf(certificate);
    if (sender === null) return 'untrusted-certificate';
    this.#senders.set(parsed, sender);
    return sender;
  }

  /** libsignal's verdict. */
  #refusalOf(certificate: SenderCertificate): Refusal | undefined {
    this.#parsedRoots ??= this.trustRoots.map((root) => libsignal().PublicKey.deserialize(root));
    // Time 0 is before any expiration, so this asks for the signatures alone.
    if (certificate.validateWithTrustRoots(this.#parsedRoots, 0)) return undefined;
    return isRevoked(certificate, this.#parsedRoots)
      ? 'revoked-certificate'
      : 'untrusted-certificate';
  }

  /**
   * Whether a server certificate that was found good signed this one. That is all that libsignal
   * would ask of it (sealed_sender.rs, SenderCertificate::validate_with_trust_roots): what else it
   * asks is asked of the server certificate alone, or of the clock. Where it is false, libsignal is
   * asked.
   */
  #isOfKnownServer(certificate: SenderCertificate): boolean {
    if (this.#servers.size === 0) return false;
    try {
      const server = this.#servers.get(nameOfServer(certificate));
      return server?.verify(certificate.certificate(), certificate.signature()) === true;
    } catch {
      return false;
    }
  }

  #rememberServer(certificate: SenderCertificate): void {
    // A handful exist; should it be otherwise, libsignal is asked each time.
    if (this.#servers.size >= MAX_SERVERS) return;
    this.#servers.set(nameOfServer(certificate), certificate.serverCertificate().key());
  }
}

/** Whether libsignal refused it for its server's id, although one of the roots signed that. */
function isRevoked(certificate: SenderCertificate, roots: readonly PublicKey[]): boolean {
  try {
    const server = certificate.serverCertificate();
    if (!REVOKED_SERVER_CERTIFICATE_IDS.includes(server.keyId())) return false;
    const [signed, signature] = [server.certificateData(), server.signature()];
    if (!roots.some((root) => root.verify(signed, signature))) return false;
    return server.key().verify(certificate.certificate(), certificate.signature());
  } catch {
    // libsignal throws where the server certificate is given by an id that it does not know.
    return false;
  }
}

/**
 * One object for all messages that come with the certificate, and so a frozen one; null where it
 * names no ACI.
 */
function senderOf(certificate: SenderCertificate): CertifiedSender | null {
  const serviceId = certificate.senderAci()?.getServiceIdString();
  if (serviceId === undefined) return null;
  const e164 = certificate.senderE164();
  const deviceId = certificate.senderDeviceId();
  return Object.freeze({ serviceId, deviceId, ...(e164 !== null && e164 !== '' && { e164 }) });
}
