// node:crypto (OpenSSL) put together by hand, in the fastest way that was found on Node 20, 22 and
// 26: KeyObjects of the static keys prepared beforehand, raw public keys moved as JWK (importing or
// exporting DER took two to nine times as long), hkdfSync, and Hmac and Cipher objects for the
// rest. (Node 24 takes some 14 us for every such object.)
import {
  createCipheriv,
  createHmac,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import {
  exportPublicKey,
  generateEphemeral,
  importPrivateKey,
  importPublicKey,
} from './openssl-keys.js';
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

export interface OpensslPeerOptions {
  /** Keeps DH(S, R) of every recipient and sender already met, as sealcast does. */
  readonly cacheStaticSecrets: boolean;
}

export function createOpensslPeer(
  inputs: EnvelopeInputs,
  envelopesPerRound: number,
  { cacheStaticSecrets }: OpensslPeerOptions,
): Peer {
  const ownPublicKey = inputs.senderKeys.publicKey;
  const ownPrivateKey = importPrivateKey(inputs.senderKeys.privateKey, ownPublicKey);
  const subscriberKeyObjects = inputs.subscriberKeys.map(importPublicKey);
  const staticSecrets = new Map<string, Buffer>();

  function staticSecret(publicKey: Uint8Array, keyObject: () => KeyObject): Buffer {
    if (!cacheStaticSecrets)
      return diffieHellman({ privateKey: ownPrivateKey, publicKey: keyObject() });
    const cacheKey = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString(
      'latin1',
    );
    let secret = staticSecrets.get(cacheKey);
    if (secret === undefined) {
      secret = diffieHellman({ privateKey: ownPrivateKey, publicKey: keyObject() });
      staticSecrets.set(cacheKey, secret);
    }
    return secret;
  }

  function sealOne(
    recipientKey: Uint8Array,
    recipient: KeyObject,
    content: Uint8Array,
  ): Uint8Array {
    const ephemeral = generateEphemeral();
    const ephemeralPublicKey = exportPublicKey(ephemeral.publicKey);
    const ephemeralSecret = diffieHellman({
      privateKey: ephemeral.privateKey,
      publicKey: recipient,
    });
    const salt = Buffer.concat([SALT_PREFIX, recipientKey, ephemeralPublicKey]);
    const ephemeralKeys = deriveKeys(salt, ephemeralSecret);
    const encryptedStatic = encryptThenMac(ephemeralKeys, ownPublicKey);
    const staticSalt = Buffer.concat([ephemeralKeys.subarray(0, 32), encryptedStatic]);
    const staticKeys = deriveKeys(
      staticSalt,
      staticSecret(recipientKey, () => recipient),
    );
    return encodeEnvelope({
      ephemeralPublicKey,
      encryptedStatic,
      encryptedMessage: encryptThenMac(staticKeys, content),
    });
  }

  function unsealOne(envelope: Uint8Array): Uint8Array {
    const { ephemeralPublicKey, encryptedStatic, encryptedMessage } = decodeEnvelope(envelope);
    const ephemeralSecret = diffieHellman({
      privateKey: ownPrivateKey,
      publicKey: importPublicKey(ephemeralPublicKey),
    });
    const ephemeralKeys = deriveKeys(
      Buffer.concat([SALT_PREFIX, ownPublicKey, ephemeralPublicKey]),
      ephemeralSecret,
    );
    const senderKey = decrypt(ephemeralKeys, encryptedStatic);
    const staticSalt = Buffer.concat([ephemeralKeys.subarray(0, 32), encryptedStatic]);
    const secret = staticSecret(senderKey, () => importPublicKey(senderKey));
    const content = decrypt(deriveKeys(staticSalt, secret), encryptedMessage);
    if (!timingSafeEqual(senderKey, certificateIdentityKey(content)))
      throw new Error('a certificate of another key');
    return content;
  }

  return {
    name: cacheStaticSecrets ? 'node:crypto by hand, DH(S, R) kept' : 'node:crypto by hand',
    envelopesPerRound,
    seal(envelopeCount) {
      const envelopes: Uint8Array[] = [];
      for (let i = 0; i < envelopeCount; i++) {
        const recipientKey = entry(inputs.subscriberKeys, i);
        envelopes.push(
          sealOne(recipientKey, entry(subscriberKeyObjects, i), entry(inputs.contents, i)),
        );
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
  return new Uint8Array(hkdfSync('sha256', sharedSecret, salt, NO_INFO, 96));
}

function encryptThenMac(keys: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const ciphertext = createCipheriv(
    'aes-256-ctr',
    keys.subarray(32, 64),
    ZERO_COUNTER_BLOCK,
  ).update(plaintext);
  const mac = createHmac('sha256', keys.subarray(64)).update(ciphertext).digest();
  return Buffer.concat([ciphertext, mac.subarray(0, MAC_BYTES)]);
}

function decrypt(keys: Uint8Array, ciphertextAndMac: Uint8Array): Uint8Array {
  const ciphertext = ciphertextAndMac.subarray(0, -MAC_BYTES);
  const mac = createHmac('sha256', keys.subarray(64)).update(ciphertext).digest();
  if (!timingSafeEqual(mac.subarray(0, MAC_BYTES), ciphertextAndMac.subarray(-MAC_BYTES)))
    throw new Error('wrong MAC');
  return createCipheriv('aes-256-ctr', keys.subarray(32, 64), ZERO_COUNTER_BLOCK).update(
    ciphertext,
  );
}
