import { ProtocolAddress, signalEncrypt } from '@signalapp/libsignal-client';
import { encodeUsmc, usmcTypeOfCiphertext } from '#dist/src/content/index.js';
import type { Client } from './client.js';
import type { Encrypted, WithSessions } from './recipients.js';

/** Encrypts the padded content for every device of a subscriber with libsignal, and wraps each ciphertext for sealing. */
export async function encryptFor(
  { stores, address }: Client,
  senderCertificate: Uint8Array,
  paddedContent: Uint8Array<ArrayBuffer>,
  recipient: WithSessions,
): Promise<Encrypted> {
  const { serviceId, accessKey, identityKey } = recipient;
  const devices = [];
  for (const device of recipient.devices) {
    const deviceAddress = ProtocolAddress.new(serviceId, device.deviceId);
    const { sessions, identities } = stores;
    const ciphertext = await signalEncrypt(paddedContent, deviceAddress, address, sessions, identities);
    const usmc = encodeUsmc({
      type: usmcTypeOfCiphertext(ciphertext.type()),
      senderCertificate,
      content: ciphertext.serialize(),
      contentHint: 'resendable',
    });
    devices.push({ ...device, usmc });
  }
  return { serviceId, accessKey, identityKey, devices };
}
