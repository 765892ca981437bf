import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { sealedSenderDecryptToUsmc, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { x25519 as nobleX25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { aes256EncryptBlock } from './aes256.js';
import {
  bigIntToLittleEndian,
  copyBytes,
  fromHex,
  littleEndianToBigInt,
  toHex,
  utf8,
} from './bytes.js';
import { advanceCounter, aes256Ctr } from './ctr.js';
import { keyPairFromScalar, sealV1, unsealV1 } from './envelope-v1.js';
import { add, invert, joinLimbs, limbBits, mul, P, reduce, splitLimbs, sub } from './field.js';
import { hkdfExtract, hkdfSha256 } from './hkdf.js';
import { hmacSha256 } from './hmac.js';
import { sha256 } from './sha256.js';
import { x25519, x25519Base } from './x25519.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import {
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';
import * as vectors from '../vectors/index.js';

describe('the twin: field', () => {
  const random = seededBytes('twin/field');
  const extremes = [0n, 1n, 2n, 19n, P - 1n, P - 2n, (P - 1n) / 2n, 2n ** 254n, 2n ** 255n - 20n];
  const elements = [
    ...extremes,
    ...Array.from({ length: 32 }, () => reduce(littleEndianToBigInt(random(32)))),
  ];

  it('has inverses of everything but zero, for which it gives zero', () => {
    for (const a of elements) expect(mul(a, invert(a))).toBe(a === 0n ? 0n : 1n);
  });

  it('adds and subtracts to a value inside of [0, p)', () => {
    for (const a of elements) {
      for (const b of elements) {
        expect(add(sub(a, b), b)).toBe(a);
        expect(sub(a, b) >= 0n && sub(a, b) < P).toBe(true);
      }
    }
  });

  it('splits into limbs of 26 and 25 bits that join to the same value', () => {
    for (const a of [...elements, P, 2n ** 255n - 1n]) {
      const limbs = splitLimbs(a);
      expect(joinLimbs(limbs)).toBe(a);
      for (const [i, limb] of limbs.entries()) expect(limb >> (i % 2 === 0 ? 26n : 25n)).toBe(0n);
    }
    expect(splitLimbs(2n ** 255n - 1n)).toEqual(
      Array.from({ length: 10 }, (_, i) => 2n ** limbBits(i) - 1n),
    );
  });

  it('joins limbs that are negative or wider than their place', () => {
    const limbs = [-1n, 2n ** 40n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, -(2n ** 27n)];
    expect(joinLimbs(limbs)).toBe(-1n + 2n ** 66n - 2n ** (27n + 230n));
  });
});

describe('the twin: X25519', () => {
  it('gives the RFC 7748 vectors', () => {
    for (const { scalar, point, output } of vectors.x25519.scalarMultiplications) {
      expect(toHex(x25519(fromHex(scalar), fromHex(point)))).toBe(output);
    }
    const dh = vectors.x25519.diffieHellman;
    expect(toHex(x25519Base(fromHex(dh.alicePrivate)))).toBe(dh.alicePublic);
    expect(toHex(x25519Base(fromHex(dh.bobPrivate)))).toBe(dh.bobPublic);
    expect(toHex(x25519(fromHex(dh.alicePrivate), fromHex(dh.bobPublic)))).toBe(dh.sharedSecret);
    expect(toHex(x25519(fromHex(dh.bobPrivate), fromHex(dh.alicePublic)))).toBe(dh.sharedSecret);
  });

  it('gives zeros for every point of small order', () => {
    const random = seededBytes('twin/low-order');
    for (const { point } of vectors.x25519Points.lowOrder) {
      expect(toHex(x25519(random(32), fromHex(point)))).toBe('00'.repeat(32));
    }
  });

  it('takes a non-canonical point as its remainder modulo p', () => {
    const random = seededBytes('twin/non-canonical');
    for (const { point, canonical } of vectors.x25519Points.nonCanonical) {
      const scalar = random(32);
      expect(toHex(x25519(scalar, fromHex(point)))).toBe(toHex(x25519(scalar, fromHex(canonical))));
      expect(point).not.toBe(canonical);
    }
  });

  it('agrees with an independent implementation on random, twist and non-canonical points', () => {
    const random = seededBytes('twin/x25519');
    const { nonCanonical, twist } = vectors.x25519Points;
    const points = [...nonCanonical, ...twist].map(({ point }) => fromHex(point));
    for (let i = 0; i < 32; i++) points.push(random(32));
    for (const point of points) {
      const scalar = random(32);
      expect(toHex(x25519(scalar, point))).toBe(toHex(nobleX25519.getSharedSecret(scalar, point)));
    }
  });

  it('lists as twist points only those for which the curve has no y', () => {
    for (const { point } of vectors.x25519Points.twist) {
      const u = littleEndianToBigInt(fromHex(point));
      const ySquared = mul(u, add(mul(u, add(u, 486662n)), 1n));
      let legendre = 1n;
      for (let bit = 253n; bit >= 0n; bit--) {
        legendre = mul(legendre, legendre);
        if (((P - 1n) / 2n) & (1n << bit)) legendre = mul(legendre, ySquared);
      }
      expect(legendre).toBe(P - 1n);
    }
  });
});

describe('the twin: SHA-256, HMAC and HKDF', () => {
  it('gives the FIPS 180 digests', () => {
    for (const { text, repeatCount, digest } of vectors.sha256.cases) {
      expect(toHex(sha256(utf8(text.repeat(repeatCount))))).toBe(digest);
    }
  });

  it('agrees with node:crypto on messages of 0 to 200 bytes', () => {
    const message = seededBytes('twin/sha256')(200);
    for (let lengthBytes = 0; lengthBytes <= message.length; lengthBytes++) {
      const part = message.subarray(0, lengthBytes);
      expect(toHex(sha256(part))).toBe(createHash('sha256').update(part).digest('hex'));
    }
  });

  it('gives the RFC 4231 MACs', () => {
    for (const { key, data, mac } of vectors.hmacSha256.cases) {
      expect(toHex(hmacSha256(fromHex(key), fromHex(data))).slice(0, mac.length)).toBe(mac);
    }
  });

  it('agrees with node:crypto on HMAC keys of 0 to 130 bytes', () => {
    const random = seededBytes('twin/hmac');
    for (let keyBytes = 0; keyBytes <= 130; keyBytes++) {
      const [key, text] = [random(keyBytes), random(seededInteger(random, 130))];
      expect(toHex(hmacSha256(key, text))).toBe(
        createHmac('sha256', key).update(text).digest('hex'),
      );
    }
  });

  it('gives the RFC 5869 keys', () => {
    for (const { ikm, salt, info, lengthBytes, prk, okm } of vectors.hkdfSha256.cases) {
      expect(toHex(hkdfExtract(fromHex(salt), fromHex(ikm)))).toBe(prk);
      expect(toHex(hkdfSha256(fromHex(salt), fromHex(ikm), fromHex(info), lengthBytes))).toBe(okm);
    }
  });

  it('agrees with node:crypto on HKDF outputs of up to 8,160 bytes and refuses one more', () => {
    const random = seededBytes('twin/hkdf');
    for (const lengthBytes of [1, 31, 32, 33, 64, 96, 255 * 32]) {
      const [salt, ikm, info] = [random(86), random(32), random(seededInteger(random, 80))];
      const expected = new Uint8Array(hkdfSync('sha256', ikm, salt, info, lengthBytes));
      expect(toHex(hkdfSha256(salt, ikm, info, lengthBytes))).toBe(toHex(expected));
    }
    expect(hkdfSha256(random(32), random(32), random(0), 0)).toHaveLength(0);
    expect(() => hkdfSha256(random(32), random(32), random(0), 255 * 32 + 1)).toThrow(RangeError);
  });
});

describe('the twin: AES-256-CTR', () => {
  it('gives the FIPS 197 block', () => {
    const { key, plaintext, ciphertext } = vectors.aes256Block;
    expect(toHex(aes256EncryptBlock(fromHex(key), fromHex(plaintext)))).toBe(ciphertext);
  });

  it('gives the SP 800-38A ciphertext, and its plaintext back', () => {
    const { key, counterBlock, plaintext, ciphertext } = vectors.aes256Ctr;
    expect(toHex(aes256Ctr(fromHex(key), fromHex(counterBlock), fromHex(plaintext)))).toBe(
      ciphertext,
    );
    expect(toHex(aes256Ctr(fromHex(key), fromHex(counterBlock), fromHex(ciphertext)))).toBe(
      plaintext,
    );
  });

  it('agrees with node:crypto at every length of 0 to 100 bytes', () => {
    const random = seededBytes('twin/ctr');
    for (let lengthBytes = 0; lengthBytes <= 100; lengthBytes++) {
      const [key, counterBlock, data] = [random(32), random(16), random(lengthBytes)];
      counterBlock[12] = 0; // Keeps OpenSSL's counter of 128 bits from carrying out of the last 32.
      const cipher = createCipheriv('aes-256-ctr', key, counterBlock);
      expect(toHex(aes256Ctr(key, counterBlock, data))).toBe(cipher.update(data).toString('hex'));
    }
  });

  it('wraps the last four bytes of the counter and leaves the twelve before them', () => {
    const random = seededBytes('twin/wrap');
    const key = random(32);
    const counterBlock = random(16);
    counterBlock.set([0xff, 0xff, 0xff, 0xfe], 12);
    const wrapped = copyBytes(counterBlock);
    wrapped.fill(0, 12);
    expect(advanceCounter(counterBlock, 2)).toEqual(wrapped);

    const keyStream = aes256Ctr(key, counterBlock, new Uint8Array(64));
    const ecb = createCipheriv('aes-256-ecb', key, null);
    expect(toHex(keyStream.subarray(32, 48))).toBe(ecb.update(wrapped).toString('hex'));
  });
});

describe('the twin: v1 envelopes', () => {
  const world = createWorld(3);
  const sender = keyPairBytes(world.sender);
  const sizesBytes = [smallestUsmcBytes(world.senderCertificate), 395, 396, 397, 600, 1023];

  it('seals what libsignal opens', async () => {
    const random = seededBytes('twin/seal');
    for (const [i, sizeBytes] of sizesBytes.entries()) {
      const recipient = world.recipients[i % world.recipients.length]!;
      const content = usmcOfSize(world.senderCertificate, sizeBytes).serialize();
      const envelope = sealV1(
        sender,
        recipient.identity.publicKey.serialize(),
        random(32),
        content,
      );
      const opened = await sealedSenderDecryptToUsmc(envelope, recipient.store);
      expect(toHex(opened.serialize())).toBe(toHex(content));
    }
  });

  it('opens what libsignal seals', async () => {
    for (const [i, sizeBytes] of sizesBytes.entries()) {
      const recipient = world.recipients[i % world.recipients.length]!;
      const usmc = usmcOfSize(world.senderCertificate, sizeBytes);
      expect(usmc.serialize()).toHaveLength(sizeBytes);
      const envelope = await sealedSenderEncrypt(usmc, recipient.address, world.senderStore);
      const opened = unsealV1(keyPairBytes(recipient.identity), envelope);
      expect(toHex(opened.content)).toBe(toHex(usmc.serialize()));
      expect(toHex(opened.senderIdentityKey)).toBe(toHex(sender.publicKey));
    }
  });

  it('opens what it seals, for contents of any bytes', () => {
    const random = seededBytes('twin/round-trip');
    const [alice, bob] = [keyPairFromScalar(random(32)), keyPairFromScalar(random(32))];
    for (const lengthBytes of [0, 1, 15, 16, 17, 117, 118, 300]) {
      const content = random(lengthBytes);
      const opened = unsealV1(bob, sealV1(alice, bob.publicKey, random(32), content));
      expect(opened.content).toEqual(content);
      expect(opened.senderIdentityKey).toEqual(alice.publicKey);
    }
  });

  it('refuses an envelope with one bit of any of its bytes turned', () => {
    const random = seededBytes('twin/corruption');
    const [alice, bob] = [keyPairFromScalar(random(32)), keyPairFromScalar(random(32))];
    const envelope = sealV1(alice, bob.publicKey, random(32), random(20));
    // From behind the version byte on; its low nibble means nothing.
    for (let offset = 1; offset < envelope.length; offset++) {
      const corrupted = copyBytes(envelope);
      corrupted[offset]! ^= 1 << (offset % 7);
      expect(() => unsealV1(bob, corrupted), `byte ${offset}`).toThrow();
    }
  });

  it('takes the versions 0 and 1 with any low nibble, and no other version', () => {
    const random = seededBytes('twin/version');
    const [alice, bob] = [keyPairFromScalar(random(32)), keyPairFromScalar(random(32))];
    const envelope = sealV1(alice, bob.publicKey, random(32), random(20));
    for (const versionByte of [0x00, 0x0f, 0x10, 0x11, 0x1f]) {
      envelope[0] = versionByte;
      expect(unsealV1(bob, envelope).content).toHaveLength(20);
    }
    for (const versionByte of [0x20, 0x31, 0x91, 0xff]) {
      envelope[0] = versionByte;
      expect(() => unsealV1(bob, envelope)).toThrow(/version/);
    }
  });
});

describe('the little-endian helpers', () => {
  it('turn integers into bytes and back', () => {
    const random = seededBytes('twin/endian');
    for (let lengthBytes = 1; lengthBytes <= 40; lengthBytes++) {
      const bytes = random(lengthBytes);
      expect(bigIntToLittleEndian(littleEndianToBigInt(bytes), lengthBytes)).toEqual(bytes);
    }
  });
});
