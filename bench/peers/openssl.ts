// node:crypto (OpenSSL) put together by hand, in the fastest way that was found on Node 20, 22 and 26: KeyObjects of the
// static keys prepared beforehand, raw public keys moved as JWK (importing or exporting DER took two to nine times as
// long), hkdfSync, and Hmac and Cipher objects for the rest. (Node 24 takes some 14 us for every such object.)
import {
  createCipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { NODE_MAJOR } from '../report/environment.js';
import { entry, type EnvelopeInputs, type Peer } from './peer.js';
import {
  certificateIdentityKey,
  decodeEnvelope,
  encodeEnvelope,
  MAC_BYTES,
  PUBLIC_KEY_BYTES,
  SALT_PREFIX,
} from './wire-v1.js';

const ZERO_COUNTER_BLOCK = new Uint8Array(16);
const NO_INFO = new Uint8Array(0);
const KEY_TYPE_DJB = 0x05;

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
    if (!cacheStaticSecrets) return diffieHellman({ privateKey: ownPrivateKey, publicKey: keyObject() });
    const cacheKey = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
    let secret = staticSecrets.get(cacheKey);
    if (secret === undefined) {
      secret = diffieHellman({ privateKey: ownPrivateKey, publicKey: keyObject() });
      staticSecrets.set(cacheKey, secret);
    }
    return secret;
  }

  function sealOne(recipientKey: Uint8Array, recipient: KeyObject, content: Uint8Array): Uint8Array {
    const ephemeral = generateEphemeral();
    const ephemeralPublicKey = exportPublicKey(ephemeral.publicKey);
    const ephemeralSecret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient });
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
    const ephemeralKeys = deriveKeys(Buffer.concat([SALT_PREFIX, ownPublicKey, ephemeralPublicKey]), ephemeralSecret);
    const senderKey = decrypt(ephemeralKeys, encryptedStatic);
    const staticSalt = Buffer.concat([ephemeralKeys.subarray(0, 32), encryptedStatic]);
    const secret = staticSecret(senderKey, () => importPublicKey(senderKey));
    const content = decrypt(deriveKeys(staticSalt, secret), encryptedMessage);
    if (!timingSafeEqual(senderKey, certificateIdentityKey(content))) throw new Error('a certificate of another key');
    return content;
  }

  return {
    name: cacheStaticSecrets ? 'node:crypto by hand, DH(S, R) kept' : 'node:crypto by hand',
    envelopesPerRound,
    seal(envelopeCount) {
      const envelopes: Uint8Array[] = [];
      for (let i = 0; i < envelopeCount; i++) {
        const recipientKey = entry(inputs.subscriberKeys, i);
        envelopes.push(sealOne(recipientKey, entry(subscriberKeyObjects, i), entry(inputs.contents, i)));
      }
      return Promise.resolve(envelopes);
    },
    unseal(envelopeCount) {
      return Promise.resolve(inputs.incoming.slice(0, envelopeCount).map(unsealOne));
    },
    close: () => Promise.resolve(),
  };
}

interface KeyPairObjects {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/**
 * Node 20 can hang for ever when it exports a key that it generated: the export holds the key's mutex while it allocates
 * its strings, and if the garbage collector runs just then, the destructor of the key's generation waits for that mutex.
 * A key imported from random bytes has no such destructor, and costs the same there.
 */
const generateEphemeral: () => KeyPairObjects =
  NODE_MAJOR < 22 ? importRandomKeyPair : () => generateKeyPairSync('x25519');

function importRandomKeyPair(): KeyPairObjects {
  const privateKey = createPrivateKey({
    // Node 20 computes x from d, and looks at this one no further than that it is a string.
    key: { kty: 'OKP', crv: 'X25519', d: randomBytes(32).toString('base64url'), x: '' },
    format: 'jwk',
  });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function importPublicKey(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey.buffer, publicKey.byteOffset + 1, publicKey.length - 1).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

function importPrivateKey(privateKey: Uint8Array, publicKey: Uint8Array): KeyObject {
  const d = Buffer.from(privateKey).toString('base64url');
  const x = Buffer.from(publicKey.subarray(1)).toString('base64url');
  return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d, x }, format: 'jwk' });
}

function exportPublicKey(keyObject: KeyObject): Uint8Array {
  const publicKey = Buffer.allocUnsafe(PUBLIC_KEY_BYTES);
  publicKey[0] = KEY_TYPE_DJB;
  publicKey.write(keyObject.export({ format: 'jwk' }).x ?? '', 1, 'base64url');
  return publicKey;
}

/** Chain key, cipher key and MAC key. */
function deriveKeys(salt: Uint8Array, sharedSecret: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', sharedSecret, salt, NO_INFO, 96));
}

function encryptThenMac(keys: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const ciphertext = createCipheriv('aes-256-ctr', keys.subarray(32, 64), ZERO_COUNTER_BLOCK).update(plaintext);
  const mac = createHmac('sha256', keys.subarray(64)).update(ciphertext).digest();
  return Buffer.concat([ciphertext, mac.subarray(0, MAC_BYTES)]);
}

function decrypt(keys: Uint8Array, ciphertextAndMac: Uint8Array): Uint8Array {
  const ciphertext = ciphertextAndMac.subarray(0, -MAC_BYTES);
  const mac = createHmac('sha256', keys.subarray(64)).update(ciphertext).digest();
  if (!timingSafeEqual(mac.subarray(0, MAC_BYTES), ciphertextAndMac.subarray(-MAC_BYTES))) throw new Error('wrong MAC');
  return createCipheriv('aes-256-ctr', keys.subarray(32, 64), ZERO_COUNTER_BLOCK).update(ciphertext);
}
