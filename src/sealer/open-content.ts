import { timingSafeEqual } from 'node:crypto';
import type { CertificateMemory, ParsedCertificate } from './certificate-cache.js';
import { expirationOf } from './certificate-validator.js';
import { libsignal } from '../access/libsignal.js';
import type { Refusal } from './unseal-rejections.js';
import { findCertificate } from './usmc.js';

/**
 * Parses an unsealed USMC and compares the sealing key with its certificate's. The comparison takes
 * constant time (libsignal, sealed_sender_decrypt_to_usmc).
 *
 * libsignal is the judge of what is a USMC. Only a USMC in the one form that encoders give, around
 * a certificate that libsignal has parsed before, is let through without asking it again.
 *
 * @param sealingKey the sender's public key as the envelope proved it, 33 bytes; null where that
 *   was compared already.
 * @returns why not, when the content is malformed or the keys differ.
 */
export function openContent(
  content: Uint8Array<ArrayBuffer>,
  sealingKey: Uint8Array | null,
  memory: CertificateMemory,
): ParsedCertificate | Refusal {
  const known = sealingKey === null ? undefined : recallContent(content, sealingKey, memory);
  const parsed = known ?? parseWithLibsignal(content);
  if (parsed === null) return 'invalid-envelope';
  if (sealingKey !== null && !isSealedBy(parsed, sealingKey)) return 'key-mismatch';
  return parsed;
}

/** The certificate in a USMC of the usual form, where libsignal has parsed it before. */
export function recallContent(
  content: Uint8Array<ArrayBuffer>,
  sealingKey: Uint8Array,
  memory: CertificateMemory,
): ParsedCertificate | undefined {
  const bytes = findCertificate(content);
  return bytes === null ? undefined : memory.recall(sealingKey, bytes);
}

/** Whether the certificate is of the key that sealed the envelope. Takes constant time. */
export const isSealedBy = ({ identityKey }: ParsedCertificate, sealingKey: Uint8Array): boolean =>
  timingSafeEqual(identityKey, sealingKey);

function parseWithLibsignal(content: Uint8Array<ArrayBuffer>): ParsedCertificate | null {
  try {
    const certificate = libsignal()
      .UnidentifiedSenderMessageContent.deserialize(content)
      .senderCertificate();
    return {
      certificate,
      identityKey: certificate.key().serialize(),
      expiration: expirationOf(certificate),
    };
  } catch {
    return null;
  }
}
