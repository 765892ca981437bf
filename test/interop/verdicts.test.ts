import { Sealer } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteAt, copyBytes, toHex, type Bytes } from '../reference/bytes.js';
import { keyPairFromScalar, sealV1 } from '../reference/envelope-v1.js';
import { kernelNames } from '../harness/kernel-builds.js';
import { LibsignalPeers, contentOf } from '../harness/libsignal-verdicts.js';
import { makeOddEnvelopes } from '../harness/odd-envelopes.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';

const random = seededBytes('interop/verdicts');
const peers = new LibsignalPeers(random);
const { world, recipient, smallestBytes } = peers;

// What all kernels are asked about is made once: libsignal and the twin, which make and judge it,
// are slower than they.
const keys = keyPairBytes(world.sender);
const recipientKey = recipient.identity.publicKey.serialize();
const sealedByTwin = (content: Bytes): Bytes => sealV1(keys, recipientKey, random(32), content);
const { envelope: goodEnvelope } = await peers.seals(smallestBytes);
const oddEnvelopes = makeOddEnvelopes(
  keys,
  keyPairBytes(recipient.identity),
  usmcOfSize(world.senderCertificate, smallestBytes, random).serialize(),
);
const usmc = usmcOfSize(world.senderCertificate, smallestBytes + 40, random).serialize();

/** USMCs with any bit flipped of their first 60 bytes, with fields behind them, and cut off. */
function oddContents(): Bytes[] {
  const flipped = Array.from({ length: 60 * 8 }, (_, bit) => {
    const copy = copyBytes(usmc);
    copy[bit >> 3] = byteAt(copy, bit >> 3) ^ (1 << (bit & 7));
    return copy;
  });
  const appended = [
    [0x08, 0x02],
    [0x20, 0x01],
    [0x20, 0x05],
    [0x20, 0x81, 0x00],
    [0x2a, 0x01, 0x07],
    [0x2a, 0x00],
    [0x2a, 0x02, 0x07],
    [0x30, 0x01],
    [0x1a, 0x01, 0x05],
    [0x12, 0x01, 0x05],
  ].map((bytes) => Uint8Array.from([...usmc, ...bytes]));
  const cut = [1, 2, 5, 50].map((bytes) => usmc.slice(0, -bytes));
  return [...flipped, ...appended, ...cut];
}
const goodSealed = sealedByTwin(usmc);
const oddSealed = oddContents().map(sealedByTwin);

describe.each(kernelNames)('the verdicts of the kernel %s', (kernel) => {
  let sealer: Sealer;
  beforeAll(async () => {
    sealer = await Sealer.create({ identityKeyPair: recipient.identity, threads: 2, kernel });
  });
  afterAll(() => sealer.close());

  it("are libsignal's on every single-bit corruption of an envelope", async () => {
    const corrupted = Array.from({ length: goodEnvelope.length * 8 }, (_, bit) => {
      const copy = copyBytes(goodEnvelope);
      copy[bit >> 3] = byteAt(copy, bit >> 3) ^ (1 << (bit & 7));
      return copy;
    });
    const results = await sealer.unseal(corrupted);
    let opened = 0;
    for (const [bit, copy] of corrupted.entries()) {
      const verdict = await peers.opens(copy);
      expect(contentOf(results[bit]), `bit ${bit}`).toBe(verdict);
      if (verdict !== null) opened += 1;
    }
    // The low nibble of the version, and version 0 in place of 1, mean nothing to libsignal; all
    // else does.
    expect(opened).toBe(5);
  });

  it("are libsignal's on an envelope cut off at any byte, or with bytes behind it", async () => {
    const cut = Array.from({ length: goodEnvelope.length + 1 }, (_, bytes) =>
      goodEnvelope.slice(0, bytes),
    );
    const longer = [0, 1, 0x0a, 0x22, 0x80].map((byte) => Uint8Array.from([...goodEnvelope, byte]));
    const envelopes = [...cut, ...longer];
    const results = await sealer.unseal(envelopes);
    for (const [i, bytes] of envelopes.entries()) {
      expect(contentOf(results[i]), `${bytes.length} bytes`).toBe(await peers.opens(bytes));
    }
  });

  it.each(oddEnvelopes)(
    "are libsignal's on an envelope with: $name",
    async ({ envelope, opens }) => {
      const verdict = await peers.opens(envelope);
      expect(verdict !== null).toBe(opens);
      expect(contentOf((await sealer.unseal([envelope]))[0])).toBe(verdict);
    },
  );

  it("are libsignal's on USMCs that no encoder writes", async () => {
    // Twice, and with a good one first: the second time the certificate is known by its bytes.
    for (let round = 0; round < 2; round++) {
      const [first, ...results] = await sealer.unseal([goodSealed, ...oddSealed]);
      expect(contentOf(first)).toBe(toHex(usmc));
      for (const [i, envelope] of oddSealed.entries()) {
        expect(contentOf(results[i]), `content ${i}`).toBe(await peers.opens(envelope));
      }
    }
  });

  it('refuse a certificate whose key is not the sealing key, known certificate or not', async () => {
    const stranger = keyPairFromScalar(random(32));
    const forged = sealV1(stranger, recipientKey, random(32), usmc);
    const fresh = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1, kernel });
    expect(await peers.opens(forged)).toBeNull();
    expect(contentOf((await fresh.unseal([forged]))[0])).toBeNull();
    expect((await fresh.unseal([goodEnvelope]))[0]?.ok).toBe(true);
    expect(contentOf((await fresh.unseal([forged]))[0])).toBeNull();
    await fresh.close();
  });

  it('on random bytes are all the same error', async () => {
    const junk = Array.from({ length: 1000 }, () => random(seededInteger(random, 300)));
    for (const bytes of junk.slice(0, 500)) if (bytes.length > 0) bytes[0] = 0x11;
    expect((await sealer.unseal(junk)).map(contentOf).every((content) => content === null)).toBe(
      true,
    );
  });
});
