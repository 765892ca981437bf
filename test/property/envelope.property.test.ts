import fc from 'fast-check';
import { loadKernel } from 'sealcast/kernel';
import { Sealer } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseV1Envelope } from '#dist/src/kernel/envelope.js';
import { findCertificate } from '#dist/src/sealer/usmc.js';
import { byteAt, toHex } from '../reference/bytes.js';
import { keyPairFromScalar, unsealV1 } from '../reference/envelope-v1.js';
import { hmacSha256 as twinHmac } from '../reference/hmac.js';
import { x25519 as twinX25519 } from '../reference/x25519.js';
import { kernelNames } from '../harness/kernel-builds.js';
import {
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';

const world = createWorld(0);
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });
const key = bytes(32, 32);

describe.each(kernelNames)('for any input, with the kernel %s,', (kernel) => {
  let sealer: Sealer;
  beforeAll(async () => {
    sealer = await Sealer.create({
      identityKeyPair: keyPairBytes(world.sender),
      threads: 2,
      kernel,
    });
  });
  afterAll(() => sealer.close());

  it('the twin opens what is sealed, to the very content and sender', async () => {
    const entry = fc.record({ scalar: key, content: bytes(1, 2000) });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 40 }), async (entries) => {
        const recipients = entries.map(({ scalar }) => keyPairFromScalar(scalar));
        const results = await sealer.seal(
          entries.map(({ content }, i) => ({
            recipientIdentityKey: recipients[i]!.publicKey,
            content,
          })),
        );
        for (const [i, result] of results.entries()) {
          if (!result.ok) throw result.error;
          // The twin takes milliseconds: one of each batch, and the last one, stand for the rest of
          // their lanes.
          if (i !== entries.length - 1 && i !== entries.length >> 1) continue;
          const { content, senderIdentityKey } = unsealV1(recipients[i]!, result.envelope);
          expect(toHex(content)).toBe(toHex(entries[i]!.content));
          expect(toHex(senderIdentityKey)).toBe(toHex(world.sender.publicKey.serialize()));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('a changed byte anywhere makes an envelope invalid, or changes nothing that libsignal looks at', async () => {
    const recipient = keyPairFromScalar(new Uint8Array(32).fill(7));
    const opener = await Sealer.create({ identityKeyPair: recipient, threads: 1, kernel });
    const smallest = smallestUsmcBytes(world.senderCertificate);
    const content = usmcOfSize(world.senderCertificate, smallest).serialize();
    const [sealed] = await sealer.seal([{ recipientIdentityKey: recipient.publicKey, content }]);
    if (sealed?.ok !== true) throw new Error('not sealed');
    const change = fc.record({
      at: fc.nat(sealed.envelope.length - 1),
      by: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 60 }), async (changes) => {
        const spoiled = changes.map(({ at, by }) => {
          const copy = Uint8Array.from(sealed.envelope);
          copy[at] = byteAt(copy, at) ^ by;
          return copy;
        });
        const results = await opener.unseal(spoiled);
        for (const [i, result] of results.entries()) {
          // Only the version's low nibble, and 0 for 1 in its high one, have no meaning.
          const sameMeaning = changes[i]!.at === 0 && byteAt(spoiled[i]!, 0) >> 4 <= 1;
          expect(result.ok).toBe(sameMeaning);
        }
      }),
      { numRuns: 30 },
    );
    await opener.close();
  });

  it('the parsers of envelopes and contents never throw, and stay within what they were given', () => {
    fc.assert(
      fc.property(bytes(0, 400), (input) => {
        const envelope = parseV1Envelope(input);
        if (envelope !== null) {
          const { bytes, ephemeralKeyAt, staticAt, messageAt, messageBytes } = envelope;
          expect(bytes).toBe(input);
          const ends = [ephemeralKeyAt + 32, staticAt + 43, messageAt + messageBytes];
          for (const end of ends) expect(end).toBeLessThanOrEqual(input.length);
        }
        const certificate = findCertificate(input);
        if (certificate !== null) expect(certificate.buffer).toBe(input.buffer);
      }),
      { numRuns: 5000 },
    );
  });

  it('X25519 and HMAC agree with the twin, whatever the place in the batch', async () => {
    const primitives = await loadKernel({ kernel });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, key), { minLength: 1, maxLength: 9 }),
        fc.nat(),
        (pairs, pick) => {
          const i = pick % pairs.length;
          const scalars = Uint8Array.from(pairs.flatMap(([scalar]) => [...scalar]));
          const points = Uint8Array.from(pairs.flatMap(([, point]) => [...point]));
          const result = primitives.x25519(scalars, points).subarray(32 * i, 32 * i + 32);
          expect(toHex(result)).toBe(toHex(twinX25519(...pairs[i]!)));
        },
      ),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(bytes(0, 200), bytes(0, 500), (hmacKey, message) => {
        expect(toHex(primitives.hmacSha256(hmacKey, message))).toBe(
          toHex(twinHmac(hmacKey, message)),
        );
      }),
      { numRuns: 100 },
    );
  });
});
