import { PublicKey, sealedSenderDecryptToUsmc } from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../reference/bytes.js';
import { encodePublicKey, unsealV1 } from '../reference/envelope-v1.js';
import { kernelNames } from '../harness/kernel-builds.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import {
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';
import { x25519Points } from '../vectors/index.js';

const world = createWorld(12);
const certificate = world.senderCertificate;
const smallestBytes = smallestUsmcBytes(certificate);
const random = seededBytes('interop/seal');
const recipientAt = (i: number): (typeof world.recipients)[number] =>
  world.recipients[i % world.recipients.length]!;

describe.each(kernelNames)('with the kernel %s', (kernel) => {
  let sealer: Sealer;
  beforeAll(async () => {
    sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 2, kernel });
  });
  afterAll(() => sealer.close());

  /**
   * Seals contents of these sizes to recipients in turn; libsignal must open each to the very
   * bytes.
   */
  async function expectLibsignalOpens(sizesBytes: readonly number[]): Promise<void> {
    const requests = sizesBytes.map((sizeBytes, i) => ({
      recipientIdentityKey: recipientAt(i).identity.publicKey,
      content: usmcOfSize(certificate, sizeBytes, random).serialize(),
    }));
    const results = await sealer.seal(requests);
    expect(results).toHaveLength(requests.length);
    for (const [i, result] of results.entries()) {
      if (!result.ok) throw result.error;
      const usmc = await sealedSenderDecryptToUsmc(result.envelope, recipientAt(i).store);
      expect(toHex(usmc.serialize()), `entry ${i}`).toBe(toHex(requests[i]!.content));
    }
  }

  describe('envelopes that sealcast seals, libsignal opens', () => {
    it.each([1, 2, 3, 4, 5, 15, 16, 17, 64, 100, 256, 257, 600])(
      'in a batch of %i',
      async (count) => {
        await expectLibsignalOpens(
          Array.from({ length: count }, () => smallestBytes + seededInteger(random, 400)),
        );
      },
    );

    it('with contents of every length class up to 256 KiB mixed in one batch', async () => {
      // Around hash blocks, cipher blocks and groups of eight of them, the steps of the length's
      // varint, and the limits.
      const steps = [512, 576, 600, 640, 1024, 2200, 4096, 16_374, 16_384, 65_536, 98_304, 262_144];
      const around = steps.flatMap((bytes) => [bytes - 2, bytes - 1, bytes, bytes + 1, bytes + 2]);
      const sizes = [
        ...around.filter((bytes) => bytes <= 262_144),
        ...Array.from({ length: 64 }, (_, i) => 600 + i),
      ];
      const shuffled = sizes.map((bytes) => ({ bytes, at: seededInteger(random, 2 ** 30) }));
      shuffled.sort((a, b) => a.at - b.at);
      await expectLibsignalOpens(shuffled.map(({ bytes }) => bytes));
    });

    it('for recipients seen before, as for new ones', async () => {
      const fresh = await Sealer.create({ identityKeyPair: world.sender, threads: 1, kernel });
      const content = usmcOfSize(certificate, 600, random).serialize();
      const requests = world.recipients.map(({ identity }) => ({
        recipientIdentityKey: identity.publicKey,
        content,
      }));
      for (const expected of [0, world.recipients.length]) {
        expect(fresh.stats().cachedRecipients).toBe(expected);
        for (const [i, result] of (await fresh.seal(requests)).entries()) {
          if (!result.ok) throw result.error;
          const usmc = await sealedSenderDecryptToUsmc(result.envelope, recipientAt(i).store);
          expect(toHex(usmc.serialize())).toBe(toHex(content));
        }
      }
      await fresh.close();
    });

    it('for recipients that were prepared', async () => {
      const fresh = await Sealer.create({ identityKeyPair: world.sender, threads: 2, kernel });
      const keys = world.recipients.map(({ identity }) => identity.publicKey);
      expect(await fresh.prepare(keys)).toEqual(keys.map(() => ({ ok: true })));
      expect(fresh.stats().cachedRecipients).toBe(keys.length);
      const content = usmcOfSize(certificate, 600, random).serialize();
      const results = await fresh.seal(
        keys.map((recipientIdentityKey) => ({ recipientIdentityKey, content })),
      );
      for (const [i, result] of results.entries()) {
        if (!result.ok) throw result.error;
        await sealedSenderDecryptToUsmc(result.envelope, recipientAt(i).store);
      }
      await fresh.close();
    });
  });

  describe("recipients' keys that no recipient should have", () => {
    const content = random(100);
    const requestFor = (
      point: string,
    ): { recipientIdentityKey: Uint8Array; content: Uint8Array } => ({
      recipientIdentityKey: encodePublicKey(fromHex(point)),
      content,
    });

    it('of low order fail their own entry only, as they do in libsignal', async () => {
      const good = keyPairBytes(recipientAt(0).identity);
      const requests = x25519Points.lowOrder.flatMap(({ point }) => [
        requestFor(point),
        { recipientIdentityKey: good.publicKey, content },
      ]);
      for (const results of [await sealer.seal(requests), await sealer.seal(requests)]) {
        for (const [i, result] of results.entries()) {
          if (i % 2 === 0) {
            expect(result).toMatchObject({
              ok: false,
              error: { code: 'ERR_LOW_ORDER_KEY', index: i },
            });
          } else {
            if (!result.ok) throw result.error;
            expect(toHex(unsealV1(good, result.envelope).content)).toBe(toHex(content));
          }
        }
      }
      const prepared = await sealer.prepare(
        requests.map(({ recipientIdentityKey }) => recipientIdentityKey),
      );
      expect(prepared.map(({ ok }) => ok)).toEqual(requests.map((_, i) => i % 2 === 1));
    });

    it('non-canonical or of the twist are sealed to, as libsignal does', async () => {
      const points = [...x25519Points.nonCanonical, ...x25519Points.twist];
      const results = await sealer.seal(points.map(({ point }) => requestFor(point)));
      for (const [i, result] of results.entries()) {
        expect(result.ok, points[i]!.name).toBe(true);
        // libsignal takes the same bytes as a key; the envelope carries them on in its salt as they
        // stand.
        expect(() =>
          PublicKey.deserialize(encodePublicKey(fromHex(points[i]!.point))),
        ).not.toThrow();
      }
    });
  });
});
