import { timingSafeEqual } from 'node:crypto';
import { UnidentifiedSenderMessageContent, type SenderCertificate } from '@signalapp/libsignal-client';

/** What an unsealed content says of its sender. */
export interface OpenedContent {
  readonly certificate: SenderCertificate;
  /** 33 bytes. */
  readonly senderIdentityKey: Uint8Array<ArrayBuffer>;
}

/**
 * Parses an unsealed USMC with libsignal and holds the key that sealed it against the one in its certificate, in constant
 * time (libsignal, sealed_sender_decrypt_to_usmc).
 *
 * @param sealingKey the sender's public key as the envelope proved it, 33 bytes; null where that was compared already.
 * @returns null when the content is malformed or the keys differ.
 */
export function openContent(content: Uint8Array<ArrayBuffer>, sealingKey: Uint8Array | null): OpenedContent | null {
  let certificate: SenderCertificate;
  let senderIdentityKey: Uint8Array<ArrayBuffer>;
  try {
    certificate = UnidentifiedSenderMessageContent.deserialize(content).senderCertificate();
    senderIdentityKey = certificate.key().serialize();
  } catch {
    return null;
  }
  if (sealingKey !== null && !timingSafeEqual(senderIdentityKey, sealingKey)) return null;
  return { certificate, senderIdentityKey };
}
