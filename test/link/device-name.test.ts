import { PrivateKey } from '@signalapp/libsignal-client';
import { describe, expect, test } from 'vitest';
import { encodeDeviceName } from '#dist/src/content/provisioning.js';
import { decryptDeviceName, encryptDeviceName } from '#dist/src/link/device-name.js';
import { linkUrl } from '#dist/src/link/code-rotation.js';

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(base64, 'base64'));

/** Vector of libsignal-service-rs, src/account_manager.rs (2026-11). */
const VECTOR = {
  identityPrivateKey: bytesOf('0CgxHjwwblXjvX8sD5wZDWdYToMRf+CZSlgaUrxCGVo='),
  ephemeralPublic: bytesOf('BcZS+Lt6yAKbEpXnRX+I5wHqesuvu93Q2V+fjidwW8R6'),
  syntheticIv: bytesOf('86gekHGmltnnZ9QARhiFcg=='),
  ciphertext: bytesOf('MtJ9/9KBWLBVAxfZJD4pLKzP4q+iodRJeCc+/A=='),
  name: 'Nokia 3310 Millenial Edition',
};

describe('a device name', () => {
  const identity = PrivateKey.generate();
  const publicKey = identity.getPublicKey().serialize();

  test('of another implementation is decrypted', () => {
    expect(decryptDeviceName(encodeDeviceName(VECTOR), VECTOR.identityPrivateKey)).toBe(
      VECTOR.name,
    );
  });

  test.each(['a', 'the desk', 'Bücher ☂ 🦊'])('that we encrypt, %s, is decrypted again', (name) => {
    expect(decryptDeviceName(encryptDeviceName(name, publicKey), identity.serialize())).toBe(name);
  });

  test('is encrypted differently each time', () => {
    const [a, b] = [encryptDeviceName('x', publicKey), encryptDeviceName('x', publicKey)];
    expect(Buffer.compare(a, b)).not.toBe(0);
  });

  test.each<[string, Uint8Array]>([
    ['with another synthetic IV', encodeDeviceName({ ...VECTOR, syntheticIv: new Uint8Array(16) })],
    [
      'with a synthetic IV of 15 bytes',
      encodeDeviceName({ ...VECTOR, syntheticIv: new Uint8Array(15) }),
    ],
    ['with another ciphertext', encodeDeviceName({ ...VECTOR, ciphertext: Uint8Array.of(1) })],
    ['with no key', encodeDeviceName({ ...VECTOR, ephemeralPublic: new Uint8Array(0) })],
    ['that is empty', new Uint8Array(0)],
    ['that is no protobuf', new Uint8Array(9).fill(255)],
  ])('%s is none', (_name, encrypted) => {
    expect(decryptDeviceName(encrypted, VECTOR.identityPrivateKey)).toBeUndefined();
  });
});

test('the URL of a code escapes address and key, and asks for no transfer of the history', () => {
  const publicKey = Uint8Array.from([5, ...new Uint8Array(32).fill(0xfb)]);
  const url = linkUrl('ab_-cd==', publicKey);
  expect(url).toBe(
    `sgnl://linkdevice?uuid=ab_-cd%3D%3D&pub_key=${encodeURIComponent(Buffer.from(publicKey).toString('base64'))}`,
  );
  expect(url).not.toMatch(/[+/]pub_key|capabilities/);
  const query = new URL(url).searchParams;
  expect(query.get('uuid')).toBe('ab_-cd==');
  expect(Buffer.from(query.get('pub_key') ?? '', 'base64')).toEqual(Buffer.from(publicKey));
});
