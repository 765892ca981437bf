import { randomBytes, randomUUID } from 'node:crypto';
import { Aci } from '@signalapp/libsignal-client';
// By its file: the package's own '@signalapp/libsignal-client/zkgroup' does not load as an ES
// module (0.103.0, 2026-11).
import { ProfileKey } from '@signalapp/libsignal-client/dist/zkgroup/index.js';
import { deriveAccessKey } from 'sealcast';
import { describe, expect, it } from 'vitest';
import { deriveAccessKeyVerifier, isVerifierOf } from '#dist/src/access/access-key.js';
import { accessModeOf } from '#dist/src/access/access-mode.js';
import {
  decryptPaymentAddress,
  decryptProfileFlag,
  decryptProfileName,
  decryptProfileText,
  encryptPaymentAddress,
  encryptProfileAbout,
  encryptProfileEmoji,
  encryptProfileFlag,
  encryptProfileName,
} from '#dist/src/access/profile-cipher.js';
import { profileKeyFacts } from '#dist/src/access/profile-version.js';
import { refusedField } from '../harness/refusals.js';

const KEY = Uint8Array.from(randomBytes(32));
const OTHER_KEY = Uint8Array.from(randomBytes(32));
const OVERHEAD_BYTES = 28;

describe('a profile name', () => {
  it.each([
    [{ given: 'A' }, 53],
    [{ given: 'Ada', family: 'Lovelace' }, 53],
    [{ given: 'a'.repeat(53) }, 53],
    [{ given: 'a'.repeat(26), family: 'b'.repeat(26) }, 53],
    [{ given: 'a'.repeat(54) }, 257],
    [{ given: '🦭'.repeat(20), family: 'é' }, 257],
    [{ given: 'a'.repeat(128), family: 'b'.repeat(128) }, 257],
  ])('%j comes back from a ciphertext of %i bytes and the overhead', (name, paddedBytes) => {
    const ciphertext = encryptProfileName(KEY, name);
    expect(ciphertext.length).toBe(paddedBytes + OVERHEAD_BYTES);
    expect(decryptProfileName(KEY, ciphertext)).toEqual(name);
  });

  it('has no family name where it is empty', () => {
    expect(decryptProfileName(KEY, encryptProfileName(KEY, { given: 'A', family: '' }))).toEqual({
      given: 'A',
    });
  });

  it('is another ciphertext each time, of one nonce never two', () => {
    const nonces = Array.from({ length: 100 }, () =>
      Buffer.from(encryptProfileName(KEY, { given: 'A' })).toString('hex', 0, 12),
    );
    expect(new Set(nonces).size).toBe(100);
  });

  it('is refused where it is empty, too long, or has a zero in it', () => {
    expect(() => encryptProfileName(KEY, { given: '' })).toThrow(
      expect.objectContaining(refusedField('given')),
    );
    expect(() => encryptProfileName(KEY, { given: 'a\0b' })).toThrow(
      expect.objectContaining(refusedField('given')),
    );
    expect(() => encryptProfileName(KEY, { given: 'a', family: '\0' })).toThrow(
      expect.objectContaining(refusedField('family')),
    );
    expect(() => encryptProfileName(KEY, { given: 'a'.repeat(258) })).toThrow(
      expect.objectContaining(refusedField('name')),
    );
  });

  it('is none for another profile key, for what is too short, and for any bit that is changed', () => {
    const ciphertext = encryptProfileName(KEY, { given: 'A' });
    expect(decryptProfileName(OTHER_KEY, ciphertext)).toBeNull();
    expect(decryptProfileName(KEY, ciphertext.subarray(0, OVERHEAD_BYTES))).toBeNull();
    expect(decryptProfileName(KEY, new Uint8Array(0))).toBeNull();
    for (let byte = 0; byte < ciphertext.length; byte++) {
      const changed = Uint8Array.from(ciphertext);
      changed[byte]! ^= 1;
      expect(decryptProfileName(KEY, changed)).toBeNull();
    }
  });

  it('opens what WebCrypto encrypts in the form of Signal-Android', async () => {
    const nonce = Uint8Array.from(randomBytes(12));
    const padded = new Uint8Array(53);
    padded.set(Buffer.from('Grace\0Hopper'));
    const key = await crypto.subtle.importKey('raw', KEY, 'AES-GCM', false, ['encrypt']);
    const encrypted = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce }, key, padded);
    const ciphertext = Uint8Array.from([...nonce, ...new Uint8Array(encrypted)]);
    expect(decryptProfileName(KEY, ciphertext)).toEqual({ given: 'Grace', family: 'Hopper' });
  });
});

describe('other fields of a profile', () => {
  it.each([
    [0, 128],
    [128, 128],
    [129, 254],
    [254, 254],
    [255, 512],
    [512, 512],
  ])('an about text of %i bytes is padded to %i', (bytes, paddedBytes) => {
    const ciphertext = encryptProfileAbout(KEY, 'x'.repeat(bytes));
    expect(ciphertext.length).toBe(paddedBytes + OVERHEAD_BYTES);
    expect(decryptProfileText(KEY, ciphertext)).toBe('x'.repeat(bytes));
  });

  it('an emoji is padded to 32 bytes', () => {
    const ciphertext = encryptProfileEmoji(KEY, '👩🏽‍🚀');
    expect(ciphertext.length).toBe(32 + OVERHEAD_BYTES);
    expect(decryptProfileText(KEY, ciphertext)).toBe('👩🏽‍🚀');
    expect(decryptProfileText(OTHER_KEY, ciphertext)).toBeNull();
  });

  it('a flag is one byte', () => {
    for (const flag of [true, false]) {
      const ciphertext = encryptProfileFlag(KEY, flag);
      expect(ciphertext.length).toBe(1 + OVERHEAD_BYTES);
      expect(decryptProfileFlag(KEY, ciphertext)).toBe(flag);
    }
    expect(decryptProfileFlag(OTHER_KEY, encryptProfileFlag(KEY, true))).toBeNull();
  });

  it('a payment address keeps zeros at its end, and is padded to 554 bytes', () => {
    for (const address of [Uint8Array.of(1, 2, 0, 0), new Uint8Array(550), Uint8Array.of(7)]) {
      const ciphertext = encryptPaymentAddress(KEY, address);
      expect(ciphertext.length).toBe(554 + OVERHEAD_BYTES);
      expect(decryptPaymentAddress(KEY, ciphertext)).toEqual(address);
    }
    expect(
      decryptPaymentAddress(OTHER_KEY, encryptPaymentAddress(KEY, Uint8Array.of(1))),
    ).toBeNull();
    // A field that was made for something else: its first bytes are no length of it.
    expect(decryptPaymentAddress(KEY, encryptProfileAbout(KEY, 'text'))).toBeNull();
  });

  it('refuses what is too long', () => {
    expect(() => encryptProfileAbout(KEY, 'x'.repeat(513))).toThrow(
      expect.objectContaining(refusedField('about')),
    );
    expect(() => encryptProfileEmoji(KEY, 'x'.repeat(33))).toThrow(
      expect.objectContaining(refusedField('aboutEmoji')),
    );
    expect(() => encryptPaymentAddress(KEY, new Uint8Array(551))).toThrow(
      expect.objectContaining(refusedField('paymentAddress')),
    );
  });
});

describe('a profile key', () => {
  it("has libsignal's version and commitment", async () => {
    for (let i = 0; i < 20; i++) {
      const aci = randomUUID();
      const key = Uint8Array.from(randomBytes(32));
      const facts = await profileKeyFacts(key, aci);
      const expected = new ProfileKey(key);
      expect(facts.version).toBe(expected.getProfileKeyVersion(Aci.fromUuid(aci)).toString());
      expect(facts.version).toMatch(/^[0-9a-f]{64}$/);
      expect(facts.commitment).toEqual(
        Uint8Array.from(expected.getCommitment(Aci.fromUuid(aci)).serialize()),
      );
    }
  });
});

describe('the access mode that a profile proves', () => {
  const verifier = deriveAccessKeyVerifier(deriveAccessKey(KEY));

  it.each([
    ['unrestricted for anybody', undefined, { unrestricted: true }, 'unrestricted'],
    [
      'unrestricted whatever our key is',
      OTHER_KEY,
      { unrestricted: true, verifier },
      'unrestricted',
    ],
    ['enabled with the key of the verifier', KEY, { unrestricted: false, verifier }, 'enabled'],
    ['disabled with another key', OTHER_KEY, { unrestricted: false, verifier }, 'disabled'],
    ['disabled without a key', undefined, { unrestricted: false, verifier }, 'disabled'],
    ['disabled without a verifier', KEY, { unrestricted: false }, 'disabled'],
  ] as const)('is %s', (_title, profileKey, access, mode) => {
    expect(accessModeOf(profileKey, access)).toBe(mode);
  });

  it('is not enabled by a part of the verifier, or one with a changed bit', () => {
    expect(isVerifierOf(KEY, verifier)).toBe(true);
    expect(isVerifierOf(KEY, verifier.subarray(0, 31))).toBe(false);
    expect(isVerifierOf(KEY, new Uint8Array(0))).toBe(false);
    const changed = Uint8Array.from(verifier);
    changed[31]! ^= 128;
    expect(isVerifierOf(KEY, changed)).toBe(false);
  });
});
