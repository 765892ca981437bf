// X25519 keys between bytes and node:crypto's KeyObjects.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { NODE_MAJOR } from '../report/environment.js';
import { PUBLIC_KEY_BYTES } from './wire-v1.js';

const KEY_TYPE_DJB = 0x05;

export interface KeyPairObjects {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/**
 * Node 20 can hang for ever when it exports a key that it generated: the export holds the key's
 * mutex while it allocates its strings, and if the garbage collector runs just then, the destructor
 * of the key's generation waits for that mutex. A key imported from random bytes has no such
 * destructor, and costs the same there.
 */
export const generateEphemeral: () => KeyPairObjects =
  NODE_MAJOR < 22 ? importRandomKeyPair : () => generateKeyPairSync('x25519');

function importRandomKeyPair(): KeyPairObjects {
  const privateKey = createPrivateKey({
    // Node 20 computes x from d, and looks at this one no further than that it is a string.
    key: { kty: 'OKP', crv: 'X25519', d: randomBytes(32).toString('base64url'), x: '' },
    format: 'jwk',
  });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

export function importPublicKey(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey.buffer, publicKey.byteOffset + 1, publicKey.length - 1).toString(
    'base64url',
  );
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

export function importPrivateKey(privateKey: Uint8Array, publicKey: Uint8Array): KeyObject {
  const d = Buffer.from(privateKey).toString('base64url');
  const x = Buffer.from(publicKey.subarray(1)).toString('base64url');
  return createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d, x }, format: 'jwk' });
}

export function exportPublicKey(keyObject: KeyObject): Uint8Array {
  const publicKey = Buffer.allocUnsafe(PUBLIC_KEY_BYTES);
  publicKey[0] = KEY_TYPE_DJB;
  publicKey.write(keyObject.export({ format: 'jwk' }).x ?? '', 1, 'base64url');
  return publicKey;
}
