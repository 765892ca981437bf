import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { PrivateKey, PublicKey } from '@signalapp/libsignal-client';
import { withSecretCopy } from '../util/bytes.js';
import { decodeDeviceName, encodeDeviceName } from '../content/provisioning.js';

const SYNTHETIC_IV_BYTES = 16;
const ZERO_IV = new Uint8Array(16);

const hmac = (key: Uint8Array, data: string | Uint8Array): Buffer =>
  createHmac('sha256', key).update(data).digest();
const syntheticIvOf = (secret: Uint8Array, name: Uint8Array): Buffer =>
  hmac(hmac(secret, 'auth'), name).subarray(0, SYNTHETIC_IV_BYTES);
const cipherKeyOf = (secret: Uint8Array, syntheticIv: Uint8Array): Buffer =>
  hmac(hmac(secret, 'cipher'), syntheticIv);

/**
 * Encrypts a device's name for the devices of the account, which share its identity key.
 *
 * @param identityPublicKey of the ACI, 33 bytes
 * @returns a serialized DeviceName (Signal-Android `DeviceNameCipher`).
 */
export function encryptDeviceName(
  name: string,
  identityPublicKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const plaintext = Buffer.from(name);
  const ephemeral = PrivateKey.generate();
  const secret = ephemeral.agree(PublicKey.deserialize(Uint8Array.from(identityPublicKey)));
  const syntheticIv = syntheticIvOf(secret, plaintext);
  const cipher = createCipheriv('aes-256-ctr', cipherKeyOf(secret, syntheticIv), ZERO_IV);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  secret.fill(0);
  const ephemeralPublic = ephemeral.getPublicKey().serialize();
  return encodeDeviceName({ ephemeralPublic, syntheticIv, ciphertext });
}

/**
 * Decrypts the name of a device of the account.
 *
 * @param identityPrivateKey of the ACI, 32 bytes
 * @returns undefined for a name that another identity key encrypted, or that is malformed.
 */
export function decryptDeviceName(
  encrypted: Uint8Array,
  identityPrivateKey: Uint8Array,
): string | undefined {
  try {
    const { ephemeralPublic, syntheticIv, ciphertext } = decodeDeviceName(encrypted);
    if (ephemeralPublic === undefined || ciphertext === undefined) return undefined;
    if (syntheticIv?.length !== SYNTHETIC_IV_BYTES) return undefined;
    const privateKey = withSecretCopy(identityPrivateKey, (copy) => PrivateKey.deserialize(copy));
    const secret = privateKey.agree(PublicKey.deserialize(Uint8Array.from(ephemeralPublic)));
    const cipher = createDecipheriv('aes-256-ctr', cipherKeyOf(secret, syntheticIv), ZERO_IV);
    const plaintext = Buffer.concat([cipher.update(ciphertext), cipher.final()]);
    const isAuthentic = timingSafeEqual(syntheticIvOf(secret, plaintext), syntheticIv);
    secret.fill(0);
    return isAuthentic ? plaintext.toString() : undefined;
  } catch {
    return undefined;
  }
}
