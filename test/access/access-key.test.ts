import { randomBytes } from 'node:crypto';
// By its file: the package's own '@signalapp/libsignal-client/zkgroup' does not load as an ES
// module (0.103.0, 2026-11).
import { ProfileKey } from '@signalapp/libsignal-client/dist/zkgroup/index.js';
import { deriveAccessKey } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { deriveAccessKeyVerifier } from '#dist/src/access/access-key.js';
import { refusedField } from '../harness/refusals.js';

function refusal(field: string, message: string): object {
  return expect.objectContaining({ ...refusedField(field), message }) as object;
}

describe('deriveAccessKey', () => {
  test('derives what libsignal derives, from 500 random profile keys and the extreme ones', () => {
    const profileKeys = [new Uint8Array(32), new Uint8Array(32).fill(0xff)];
    for (let i = 0; i < 500; i++) profileKeys.push(new Uint8Array(randomBytes(32)));
    for (const profileKey of profileKeys) {
      expect(deriveAccessKey(profileKey)).toEqual(new ProfileKey(profileKey).deriveAccessKey());
    }
  });

  test('derives the known answer of AES-256-GCM under an all-zero key', () => {
    // Test case 14 of the GCM specification: its ciphertext block.
    const expected = Buffer.from('cea7403d4d606b6e074ec5d3baf39d18', 'hex');
    expect(Buffer.from(deriveAccessKey(new Uint8Array(32))).equals(expected)).toBe(true);
  });

  test('takes a Buffer, and gives 16 bytes with a buffer of their own', () => {
    const accessKey = deriveAccessKey(randomBytes(32));
    expect(Object.getPrototypeOf(accessKey)).toBe(Uint8Array.prototype);
    expect(accessKey.buffer.byteLength).toBe(16);
  });

  test.each([
    ['text', 'x'.repeat(32), 'profileKey must be a Uint8Array'],
    ['nothing', undefined, 'profileKey must be a Uint8Array'],
    ['an array of numbers', Array.from(randomBytes(32)), 'profileKey must be a Uint8Array'],
    ['31 bytes', randomBytes(31), 'profileKey must be 32 bytes long, not 31'],
    ['33 bytes', randomBytes(33), 'profileKey must be 32 bytes long, not 33'],
  ])('refuses %s by the name of the argument', (_, profileKey, message) => {
    expect(() => deriveAccessKey(profileKey as Uint8Array)).toThrow(refusal('profileKey', message));
  });
});

describe('deriveAccessKeyVerifier', () => {
  test('is HMAC-SHA256 of 32 zero bytes under the access key', () => {
    // Answer computed with `openssl dgst -sha256 -mac HMAC` under the key 00 01 ... 0f.
    const accessKey = Uint8Array.from({ length: 16 }, (_, i) => i);
    const expected = Buffer.from(
      '75408449540af98099eb936bf6d3ff410547cc82627632f343747054e23bc090',
      'hex',
    );
    expect(Buffer.from(deriveAccessKeyVerifier(accessKey)).equals(expected)).toBe(true);
  });

  test.each([
    ['text', 'x'.repeat(16), 'accessKey must be a Uint8Array'],
    ['a profile key', randomBytes(32), 'accessKey must be 16 bytes long, not 32'],
  ])('refuses %s by the name of the argument', (_, accessKey, message) => {
    expect(() => deriveAccessKeyVerifier(accessKey as Uint8Array)).toThrow(
      refusal('accessKey', message),
    );
  });
});
