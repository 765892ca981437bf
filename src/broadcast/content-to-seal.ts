import { USMC_TYPE, encodeUsmc } from '../content/index.js';
import type { EncryptedDevice } from '../store/tables/outbox.js';

/** Makes the content of a device's envelope; `certificate` is the sender's, serialized. */
export function contentToSeal(
  { type, ciphertext }: Pick<EncryptedDevice, 'type' | 'ciphertext'>,
  certificate: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return encodeUsmc({
    type: USMC_TYPE[type],
    senderCertificate: certificate,
    content: ciphertext,
    contentHint: 'resendable',
  });
}
