import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { x25519 as nobleX25519 } from '@noble/curves/ed25519.js';
import { loadKernel } from 'sealcast/kernel';
import { describe, expect, it } from 'vitest';
import { bigIntToLittleEndian, concatBytes, fromHex, toHex } from '../reference/bytes.js';
import { aes256Ctr as twinCtr } from '../reference/ctr.js';
import { x25519 as twinX25519, x25519Base as twinX25519Base } from '../reference/x25519.js';
import { kernelBuilds, kernelNames, openPrimitives } from '../harness/kernel-builds.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import * as vectors from '../vectors/index.js';

// Every build with its release's code, whichever of them this engine would choose.
const kernels = kernelBuilds.map((build) => ({ file: build.file, kernel: openPrimitives(build) }));
/** Lengths around every block boundary, and some beyond. */
const LENGTHS = [
  0, 1, 3, 31, 32, 33, 54, 55, 56, 57, 63, 64, 65, 119, 120, 121, 127, 128, 129, 1000, 4096,
  100_003,
];

describe.each(kernels)('x25519 ($file)', ({ kernel }) => {
  it('gives the results of RFC 7748, sections 5.2 and 6.1', () => {
    for (const { scalar, point, output } of vectors.x25519.scalarMultiplications) {
      expect(toHex(kernel.x25519(fromHex(scalar), fromHex(point)))).toBe(output);
    }
    const { alicePrivate, alicePublic, bobPrivate, bobPublic, sharedSecret } =
      vectors.x25519.diffieHellman;
    const publicKeys = kernel.x25519Base(fromHex(alicePrivate + bobPrivate));
    expect(toHex(publicKeys)).toBe(alicePublic + bobPublic);
    const secrets = kernel.x25519(
      fromHex(alicePrivate + bobPrivate),
      fromHex(bobPublic + alicePublic),
    );
    expect(toHex(secrets)).toBe(sharedSecret + sharedSecret);
  });

  it('gives the result of RFC 7748, section 5.2, after 1,000 iterations', () => {
    let scalar = fromHex(vectors.x25519.iterated.start);
    let point = scalar;
    const after = new Map(
      vectors.x25519.iterated.after.map((entry) => [entry.iterationCount, entry.scalar]),
    );
    for (let iteration = 1; iteration <= 1000; iteration++) {
      const next = Uint8Array.from(kernel.x25519(scalar, point));
      point = scalar;
      scalar = next;
      const expected = after.get(iteration);
      if (expected !== undefined) expect(toHex(scalar)).toBe(expected);
    }
    expect([...after.keys()]).toContain(1000);
  });

  it.each([1, 2, 3, 4, 5, 63, 64, 255, 256, 257, 600])(
    'agrees with noble on %i different pairs',
    (count) => {
      const random = seededBytes(`x25519 ${count}`);
      const scalars = random(32 * count);
      const points = random(32 * count);
      const results = kernel.x25519(scalars, points);
      const publicKeys = kernel.x25519Base(scalars);
      // noble is slow: a sample that has both lanes, the first and the last of it.
      const sample =
        count <= 5 ? [...Array(count).keys()] : [0, 1, 2, count >> 1, count - 2, count - 1];
      for (const i of sample) {
        const scalar = scalars.subarray(32 * i, 32 * i + 32);
        const expected = nobleX25519.getSharedSecret(scalar, points.subarray(32 * i, 32 * i + 32));
        expect(toHex(results.subarray(32 * i, 32 * i + 32))).toBe(toHex(expected));
        const expectedPublic = nobleX25519.getPublicKey(scalar);
        expect(toHex(publicKeys.subarray(32 * i, 32 * i + 32))).toBe(toHex(expectedPublic));
      }
    },
  );

  it('takes non-canonical points as their remainder, and points of the twist, like the twin', () => {
    const random = seededBytes('odd points');
    const points = [...vectors.x25519Points.nonCanonical, ...vectors.x25519Points.twist].map(
      ({ point }) => fromHex(point),
    );
    const scalars = points.map(() => random(32));
    const results = kernel.x25519(concatBytes(...scalars), concatBytes(...points));
    points.forEach((point, i) => {
      const expected = twinX25519(scalars[i] ?? new Uint8Array(), point);
      expect(toHex(results.subarray(32 * i, 32 * i + 32))).toBe(toHex(expected));
    });
  });

  it('gives zeros for a point of low order, and spoils none of the others in its batch', () => {
    const random = seededBytes('low order');
    const lowOrder = vectors.x25519Points.lowOrder.map(({ point }) => fromHex(point));
    // A good point between any two bad ones, so that each shares a pair, and all share one
    // inversion, with bad ones.
    const points = lowOrder.flatMap((point) => [point, random(32)]);
    const scalars = points.map(() => random(32));
    const results = kernel.x25519(concatBytes(...scalars), concatBytes(...points));
    points.forEach((point, i) => {
      const result = toHex(results.subarray(32 * i, 32 * i + 32));
      expect(result).toBe(
        i % 2 === 0 ? '00'.repeat(32) : toHex(twinX25519(scalars[i] ?? new Uint8Array(), point)),
      );
    });
  });

  it('makes public keys of extreme scalars like the twin', () => {
    const bits = Array.from({ length: 256 }, (_, bit) => {
      const scalar = new Uint8Array(32);
      scalar[bit >> 3] = 1 << (bit & 7);
      return scalar;
    });
    // 8 L and its neighbours: where the scalar, clamped, comes closest to the order of the curve's
    // large subgroup.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const around = [-16n, -8n, 8n, 16n].map((offset) =>
      bigIntToLittleEndian(8n * (order / 2n) + offset, 32),
    );
    const scalars = [new Uint8Array(32), new Uint8Array(32).fill(0xff), ...around, ...bits];
    const publicKeys = kernel.x25519Base(concatBytes(...scalars));
    scalars.forEach((scalar, i) => {
      expect(toHex(publicKeys.subarray(32 * i, 32 * i + 32)), `scalar ${i}`).toBe(
        toHex(twinX25519Base(scalar)),
      );
    });
  });

  it('takes an empty batch', () => {
    expect(kernel.x25519(new Uint8Array(), new Uint8Array())).toHaveLength(0);
    expect(kernel.x25519Base(new Uint8Array())).toHaveLength(0);
  });
});

describe.each(kernels)('sha256, hmacSha256, hkdfSha256 ($file)', ({ kernel }) => {
  it('give the results of FIPS 180-4, RFC 4231 and RFC 5869', () => {
    for (const { text, repeatCount, digest } of vectors.sha256.cases) {
      expect(toHex(kernel.sha256(new TextEncoder().encode(text.repeat(repeatCount))))).toBe(digest);
    }
    for (const { key, data, mac } of vectors.hmacSha256.cases) {
      // Case 5 is cut to 128 bits by the RFC.
      expect(toHex(kernel.hmacSha256(fromHex(key), fromHex(data))).slice(0, mac.length)).toBe(mac);
    }
    for (const { salt, ikm, info, lengthBytes, okm } of vectors.hkdfSha256.cases) {
      expect(
        toHex(kernel.hkdfSha256(fromHex(salt), fromHex(ikm), fromHex(info), lengthBytes)),
      ).toBe(okm);
    }
  });

  it.each(LENGTHS)('agree with OpenSSL on %i bytes', (bytes) => {
    const random = seededBytes(`hashes ${bytes}`);
    const message = random(bytes);
    const key = random(seededInteger(random, 200));
    const info = random(seededInteger(random, 100));
    const length = 1 + seededInteger(random, 300);
    expect(toHex(kernel.sha256(message))).toBe(createHash('sha256').update(message).digest('hex'));
    expect(toHex(kernel.hmacSha256(key, message))).toBe(
      createHmac('sha256', key).update(message).digest('hex'),
    );
    const expected = new Uint8Array(hkdfSync('sha256', message, key, info, length));
    expect(toHex(kernel.hkdfSha256(key, message, info, length))).toBe(toHex(expected));
  });

  it('derive from 0 to 255 * 32 bytes, and none above', () => {
    const salt = new Uint8Array(3);
    const ikm = Uint8Array.of(1, 2, 3);
    const expected = new Uint8Array(hkdfSync('sha256', ikm, salt, new Uint8Array(), 255 * 32));
    expect(toHex(kernel.hkdfSha256(salt, ikm, new Uint8Array(), 255 * 32))).toBe(toHex(expected));
    expect(kernel.hkdfSha256(salt, ikm, new Uint8Array(), 0)).toHaveLength(0);
    for (const length of [255 * 32 + 1, -1, 1.5, Number.NaN]) {
      expect(() => kernel.hkdfSha256(salt, ikm, new Uint8Array(), length)).toThrow(RangeError);
    }
  });
});

describe.each(kernels)('aes256Ctr ($file)', ({ kernel }) => {
  it('gives the results of SP 800-38A, sections F.5.5 and F.5.6', () => {
    const { key, counterBlock, plaintext, ciphertext } = vectors.aes256Ctr;
    expect(toHex(kernel.aes256Ctr(fromHex(key), fromHex(counterBlock), fromHex(plaintext)))).toBe(
      ciphertext,
    );
    expect(toHex(kernel.aes256Ctr(fromHex(key), fromHex(counterBlock), fromHex(ciphertext)))).toBe(
      plaintext,
    );
  });

  it.each(LENGTHS)('agrees with OpenSSL on %i bytes', (bytes) => {
    const random = seededBytes(`ctr ${bytes}`);
    const key = random(32);
    const counterBlock = random(16);
    // No wrap of the last four bytes within the data: OpenSSL would carry it on.
    counterBlock[12] = 0;
    const data = random(bytes);
    const cipher = createCipheriv('aes-256-ctr', key, counterBlock);
    expect(toHex(kernel.aes256Ctr(key, counterBlock, data))).toBe(
      cipher.update(data, undefined, 'hex') + cipher.final('hex'),
    );
  });

  it('wraps the last four bytes of the counter by themselves, as the twin and libsignal do', () => {
    const random = seededBytes('ctr wrap');
    const key = random(32);
    for (const before of [0, 1, 3, 7, 8, 9]) {
      const counterBlock = random(16);
      new DataView(counterBlock.buffer).setUint32(12, 0xffffffff - before);
      const data = random(16 * 20 + 5);
      expect(toHex(kernel.aes256Ctr(key, counterBlock, data))).toBe(
        toHex(twinCtr(key, counterBlock, data)),
      );
    }
  });
});

describe.each(['auto', ...kernelNames] as const)('loadKernel (%s)', async (choice) => {
  const kernel = await loadKernel({ kernel: choice });

  it('says which kernel it is, and gives the one that was asked for', () => {
    expect(kernel.name).toBe(choice === 'auto' ? kernelNames[0] : choice);
  });

  it('leaves inputs as they were, and results that later calls do not change', () => {
    const random = seededBytes('aliasing');
    const message = random(100);
    const copy = Uint8Array.from(message);
    const digest = kernel.sha256(message);
    const digestHex = toHex(digest);
    kernel.sha256(random(100));
    expect(message).toEqual(copy);
    expect(toHex(digest)).toBe(digestHex);
  });

  it('refuses wrong types and lengths before any work', () => {
    const bytes = new Uint8Array(32);
    const notBytes = 'secret' as unknown as Uint8Array;
    expect(() => kernel.x25519(new Uint8Array(33), new Uint8Array(33))).toThrow(RangeError);
    expect(() => kernel.x25519(bytes, new Uint8Array(64))).toThrow(RangeError);
    expect(() => kernel.x25519(bytes, notBytes)).toThrow(TypeError);
    expect(() => kernel.x25519Base(notBytes)).toThrow(TypeError);
    expect(() => kernel.sha256(notBytes)).toThrow(TypeError);
    expect(() => kernel.hmacSha256(notBytes, bytes)).toThrow(TypeError);
    expect(() => kernel.aes256Ctr(new Uint8Array(16), new Uint8Array(16), bytes)).toThrow(
      RangeError,
    );
    expect(() => kernel.aes256Ctr(bytes, new Uint8Array(12), bytes)).toThrow(RangeError);
  });
});
