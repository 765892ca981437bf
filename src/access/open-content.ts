import { timingSafeEqual } from 'node:crypto';
import { UnidentifiedSenderMessageContent, type SenderCertificate } from '@signalapp/libsignal-client';
import { findCertificate } from './usmc-shape.js';

/** About 700 bytes each. A sender puts the same certificate into every message for days. */
const MAX_REMEMBERED_CERTIFICATES = 16_384;

/** A sender certificate that libsignal has parsed. */
export interface ParsedCertificate {
  readonly certificate: SenderCertificate;
  /** The key in it, 33 bytes. */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /** ms since the epoch */
  readonly expiration: number;
}

/** Certificates by their bytes, so that libsignal parses each once (17 us on the main thread, 2026-11). */
export class CertificateMemory {
  /** Least recently seen first. */
  readonly #parsed = new Map<string, ParsedCertificate>();

  recall(bytes: Uint8Array): ParsedCertificate | undefined {
    const name = nameOf(bytes);
    const parsed = this.#parsed.get(name);
    if (parsed !== undefined) {
      this.#parsed.delete(name);
      this.#parsed.set(name, parsed);
    }
    return parsed;
  }

  remember(bytes: Uint8Array, parsed: ParsedCertificate): void {
    const name = nameOf(bytes);
    if (this.#parsed.has(name)) return;
    if (this.#parsed.size >= MAX_REMEMBERED_CERTIFICATES) {
      const oldest = this.#parsed.keys().next();
      if (oldest.done !== true) this.#parsed.delete(oldest.value);
    }
    this.#parsed.set(name, parsed);
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/**
 * Parses an unsealed USMC and holds the key that sealed it against the one in its certificate, in constant time
 * (libsignal, sealed_sender_decrypt_to_usmc).
 *
 * libsignal is the judge of what is a USMC. Only a USMC in the one form that encoders give, around a certificate that
 * libsignal has parsed before, is let through without asking it again.
 *
 * @param sealingKey the sender's public key as the envelope proved it, 33 bytes; null where that was compared already.
 * @returns null when the content is malformed or the keys differ.
 */
export function openContent(
  content: Uint8Array<ArrayBuffer>,
  sealingKey: Uint8Array | null,
  memory: CertificateMemory,
): ParsedCertificate | null {
  const certificateBytes = findCertificate(content);
  const known = certificateBytes === null ? undefined : memory.recall(certificateBytes);
  const parsed = known ?? parseWithLibsignal(content);
  if (parsed === null || (sealingKey !== null && !timingSafeEqual(parsed.identityKey, sealingKey))) return null;
  return parsed;
}

/** libsignal throws for an expiration that a number cannot hold: it is later than any timestamp that one can. */
function expirationOf(certificate: SenderCertificate): number {
  try {
    return certificate.expiration();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function parseWithLibsignal(content: Uint8Array<ArrayBuffer>): ParsedCertificate | null {
  try {
    const certificate = UnidentifiedSenderMessageContent.deserialize(content).senderCertificate();
    return { certificate, identityKey: certificate.key().serialize(), expiration: expirationOf(certificate) };
  } catch {
    return null;
  }
}
