// Pure JavaScript: @noble/curves, @noble/hashes and @noble/ciphers.
import { x25519 } from '@noble/curves/ed25519.js';
import { ctr } from '@noble/ciphers/aes.js';
import { concatBytes, equalBytes } from '@noble/ciphers/utils.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { entry, type EnvelopeInputs, type Peer } from './peer.js';
import {
  certificateIdentityKey,
  decodeEnvelope,
  encodeEnvelope,
  MAC_BYTES,
  SALT_PREFIX,
} from './wire-v1.js';

const ZERO_COUNTER_BLOCK = new Uint8Array(16);
const NO_INFO = new Uint8Array(0);
const KEY_TYPE = Uint8Array.of(0x05);

export function createNoblePeer(inputs: EnvelopeInputs, envelopesPerRound: number): Peer {
  const { publicKey: ownPublicKey, privateKey: ownPrivateKey } = inputs.senderKeys;

  function sealOne(recipientKey: Uint8Array, content: Uint8Array): Uint8Array {
    const recipientPoint = recipientKey.subarray(1);
    const ephemeral = x25519.keygen();
    const ephemeralPublicKey = concatBytes(KEY_TYPE, ephemeral.publicKey);
    const ephemeralSecret = x25519.getSharedSecret(ephemeral.secretKey, recipientPoint);
    const ephemeralKeys = deriveKeys(
      concatBytes(SALT_PREFIX, recipientKey, ephemeralPublicKey),
      ephemeralSecret,
    );
    const encryptedStatic = encryptThenMac(ephemeralKeys, ownPublicKey);
    const staticSecret = x25519.getSharedSecret(ownPrivateKey, recipientPoint);
    const staticKeys = deriveKeys(
      concatBytes(ephemeralKeys.subarray(0, 32), encryptedStatic),
      staticSecret,
    );
    return encodeEnvelope({
      ephemeralPublicKey,
      encryptedStatic,
      encryptedMessage: encryptThenMac(staticKeys, content),
    });
  }

  function unsealOne(envelope: Uint8Array): Uint8Array {
    const { ephemeralPublicKey, encryptedStatic, encryptedMessage } = decodeEnvelope(envelope);
    const ephemeralSecret = x25519.getSharedSecret(ownPrivateKey, ephemeralPublicKey.subarray(1));
    const ephemeralKeys = deriveKeys(
      concatBytes(SALT_PREFIX, ownPublicKey, ephemeralPublicKey),
      ephemeralSecret,
    );
    const senderKey = decrypt(ephemeralKeys, encryptedStatic);
    const staticSecret = x25519.getSharedSecret(ownPrivateKey, senderKey.subarray(1));
    const staticKeys = deriveKeys(
      concatBytes(ephemeralKeys.subarray(0, 32), encryptedStatic),
      staticSecret,
    );
    const content = decrypt(staticKeys, encryptedMessage);
    if (!equalBytes(senderKey, certificateIdentityKey(content)))
      throw new Error('a certificate of another key');
    return content;
  }

  return {
    name: '@noble (pure JavaScript)',
    envelopesPerRound,
    seal(envelopeCount) {
      const envelopes: Uint8Array[] = [];
      for (let i = 0; i < envelopeCount; i++) {
        envelopes.push(sealOne(entry(inputs.subscriberKeys, i), entry(inputs.contents, i)));
      }
      return Promise.resolve(envelopes);
    },
    unseal(envelopeCount) {
      return Promise.resolve(inputs.incoming.slice(0, envelopeCount).map(unsealOne));
    },
    close: () => Promise.resolve(),
  };
}

/** Chain key, cipher key and MAC key. */
function deriveKeys(salt: Uint8Array, sharedSecret: Uint8Array): Uint8Array {
  return hkdf(sha256, sharedSecret, salt, NO_INFO, 96);
}

function encryptThenMac(keys: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const ciphertext = ctr(keys.subarray(32, 64), ZERO_COUNTER_BLOCK).encrypt(plaintext);
  return concatBytes(
    ciphertext,
    hmac(sha256, keys.subarray(64), ciphertext).subarray(0, MAC_BYTES),
  );
}

function decrypt(keys: Uint8Array, ciphertextAndMac: Uint8Array): Uint8Array {
  const ciphertext = ciphertextAndMac.subarray(0, -MAC_BYTES);
  const mac = hmac(sha256, keys.subarray(64), ciphertext).subarray(0, MAC_BYTES);
  if (!equalBytes(mac, ciphertextAndMac.subarray(-MAC_BYTES))) throw new Error('wrong MAC');
  return ctr(keys.subarray(32, 64), ZERO_COUNTER_BLOCK).decrypt(ciphertext);
}
