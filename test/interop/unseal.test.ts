import {
  IdentityKeyPair,
  ProtocolAddress,
  PublicKey,
  processPreKeyBundle,
  sealedSenderDecryptToUsmc,
  sealedSenderEncrypt,
  sealedSenderMultiRecipientEncrypt,
  sealedSenderMultiRecipientMessageForSingleRecipient,
} from '@signalapp/libsignal-client';
import { SealcastError, Sealer, type UnsealResult } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteAt, copyBytes, toHex, type Bytes } from '../reference/bytes.js';
import { keyPairFromScalar, sealV1 } from '../reference/envelope-v1.js';
import { makeOddEnvelopes } from '../support/odd-envelopes.js';
import { seededBytes, seededInteger } from '../support/seeded-random.js';
import { MemoryStores } from '../support/memory-stores.js';
import { bundleOf, generatePreKeys } from '../support/prekeys.js';
import {
  createAuthority,
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../support/signal-fixtures.js';

const SENDER_ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const RECIPIENT_ACI = 'e80f7bbe-5b94-471e-bd8c-2173654ea3d1';
const world = createWorld(1);
const recipient = world.recipients[0]!;
const random = seededBytes('interop/unseal');
const smallestBytes = smallestUsmcBytes(world.senderCertificate);
const trustRoots = [world.authority.trustRoot];
const senderKey = world.sender.publicKey.serialize();

let sealer: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: recipient.identity, threads: 2 });
});
afterAll(() => sealer.close());

async function libsignalSeals(sizeBytes: number): Promise<{ content: Bytes; envelope: Bytes }> {
  const usmc = usmcOfSize(world.senderCertificate, sizeBytes, random);
  const envelope = await sealedSenderEncrypt(usmc, recipient.address, world.senderStore);
  return { content: usmc.serialize(), envelope };
}

/** libsignal's verdict: the content's bytes as hex, or null. */
async function libsignalOpens(envelope: Uint8Array): Promise<string | null> {
  try {
    return toHex((await sealedSenderDecryptToUsmc(copyBytes(envelope), recipient.store)).serialize());
  } catch {
    return null;
  }
}

function contentOf(result: UnsealResult | undefined): string | null {
  if (result === undefined) throw new Error('no result');
  if (result.ok) return toHex(result.content);
  expect(result.error).toBeInstanceOf(SealcastError);
  expect(result.error.code).toBe('ERR_INVALID_ENVELOPE');
  return null;
}

describe('what libsignal seals, sealcast opens', () => {
  it.each([1, 2, 3, 5, 16, 17, 100, 257, 600])('in a batch of %i', async (count) => {
    const sealed = [];
    for (let i = 0; i < count; i++) sealed.push(await libsignalSeals(smallestBytes + seededInteger(random, 400)));
    const results = await sealer.unseal(sealed.map(({ envelope }) => envelope));
    expect(results).toEqual(
      sealed.map(({ content }) => ({
        ok: true,
        content,
        senderIdentityKey: senderKey,
        version: 1,
        certificateValidated: false,
      })),
    );
  });

  it('with contents of every length class up to 300 KB mixed in one batch', async () => {
    const sealed = [];
    const lengths = [512, 600, 640, 1024, 2200, 16_374, 16_384, 65_536, 98_304, 262_143, 262_144, 262_145, 300_000];
    for (const bytes of [...lengths, ...lengths.map((length) => length + 1)]) sealed.push(await libsignalSeals(bytes));
    const results = await sealer.unseal(sealed.map(({ envelope }) => envelope));
    expect(results.map(contentOf)).toEqual(sealed.map(({ content }) => toHex(content)));
  });

  it('also when it is v2, with libsignal, mixed with v1 in one batch', async () => {
    const from = new MemoryStores(world.sender, 1);
    const to = new MemoryStores(recipient.identity, 2);
    const [ownAddress, address] = [ProtocolAddress.new(SENDER_ACI, 1), ProtocolAddress.new(RECIPIENT_ACI, 1)];
    const bundle = bundleOf(to, 1, await generatePreKeys(to, 0));
    await processPreKeyBundle(bundle, address, ownAddress, from.sessions, from.identities);
    const usmc = usmcOfSize(world.senderCertificate, 700, random);
    const sent = await sealedSenderMultiRecipientEncrypt(usmc, [address], from.identities, from.sessions);
    const v2 = sealedSenderMultiRecipientMessageForSingleRecipient(sent);
    const v1 = await libsignalSeals(smallestBytes);
    const spoiled = copyBytes(v2);
    spoiled[v2.length - 1] = byteAt(v2, v2.length - 1) ^ 1;
    const results = await sealer.unseal([v2, v1.envelope, spoiled, v2], { trustRoots, timestamp: 5 });
    const opened = { ok: true, content: usmc.serialize(), senderIdentityKey: senderKey, certificateValidated: true };
    expect(results[0]).toEqual({ ...opened, version: 2 });
    expect(results[1]).toEqual({ ...opened, content: v1.content, version: 1 });
    expect(contentOf(results[2])).toBeNull();
    expect(results[3]).toEqual(results[0]);
  });
});

describe('verdicts', () => {
  it("are libsignal's on every single-bit corruption of an envelope", async () => {
    const { envelope } = await libsignalSeals(smallestBytes);
    const corrupted = Array.from({ length: envelope.length * 8 }, (_, bit) => {
      const copy = copyBytes(envelope);
      copy[bit >> 3] = byteAt(copy, bit >> 3) ^ (1 << (bit & 7));
      return copy;
    });
    const results = await sealer.unseal(corrupted);
    let opened = 0;
    for (const [bit, copy] of corrupted.entries()) {
      const verdict = await libsignalOpens(copy);
      expect(contentOf(results[bit]), `bit ${bit}`).toBe(verdict);
      if (verdict !== null) opened += 1;
    }
    // The low nibble of the version, and version 0 in place of 1, mean nothing to libsignal; all else does.
    expect(opened).toBe(5);
  });

  it("are libsignal's on an envelope cut off at any byte, or with bytes behind it", async () => {
    const { envelope } = await libsignalSeals(smallestBytes);
    const cut = Array.from({ length: envelope.length + 1 }, (_, bytes) => envelope.slice(0, bytes));
    const longer = [0, 1, 0x0a, 0x22, 0x80].map((byte) => Uint8Array.from([...envelope, byte]));
    const envelopes = [...cut, ...longer];
    const results = await sealer.unseal(envelopes);
    for (const [i, bytes] of envelopes.entries()) {
      expect(contentOf(results[i]), `${bytes.length} bytes`).toBe(await libsignalOpens(bytes));
    }
  });

  const oddEnvelopes = makeOddEnvelopes(
    keyPairBytes(world.sender),
    keyPairBytes(recipient.identity),
    usmcOfSize(world.senderCertificate, smallestBytes, random).serialize(),
  );
  it.each(oddEnvelopes)("are libsignal's on an envelope with: $name", async ({ envelope, opens }) => {
    const verdict = await libsignalOpens(envelope);
    expect(verdict !== null).toBe(opens);
    expect(contentOf((await sealer.unseal([envelope]))[0])).toBe(verdict);
  });

  it("are libsignal's on USMCs that no encoder writes", async () => {
    const usmc = usmcOfSize(world.senderCertificate, smallestBytes + 40, random).serialize();
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
    const contents = [...flipped, ...appended, ...cut];
    const keys = keyPairBytes(world.sender);
    const envelopes = contents.map((content) =>
      sealV1(keys, recipient.identity.publicKey.serialize(), random(32), content),
    );
    // Twice, and with a good one first: the second time the certificate is known by its bytes.
    const good = sealV1(keys, recipient.identity.publicKey.serialize(), random(32), usmc);
    for (const batch of [envelopes, envelopes]) {
      const [first, ...results] = await sealer.unseal([good, ...batch]);
      expect(contentOf(first)).toBe(toHex(usmc));
      for (const [i, envelope] of batch.entries()) {
        expect(contentOf(results[i]), `content ${i}`).toBe(await libsignalOpens(envelope));
      }
    }
  });

  it('refuse a certificate whose key is not the sealing key, known certificate or not', async () => {
    const stranger = keyPairFromScalar(random(32));
    const usmc = usmcOfSize(world.senderCertificate, smallestBytes, random).serialize();
    const forged = sealV1(stranger, recipient.identity.publicKey.serialize(), random(32), usmc);
    const fresh = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    expect(await libsignalOpens(forged)).toBeNull();
    expect(contentOf((await fresh.unseal([forged]))[0])).toBeNull();
    const { envelope } = await libsignalSeals(smallestBytes);
    expect((await fresh.unseal([envelope]))[0]?.ok).toBe(true);
    expect(contentOf((await fresh.unseal([forged]))[0])).toBeNull();
    await fresh.close();
  });

  it('on random bytes are all the same error', async () => {
    const junk = Array.from({ length: 1000 }, () => random(seededInteger(random, 300)));
    for (const bytes of junk.slice(0, 500)) if (bytes.length > 0) bytes[0] = 0x11;
    expect((await sealer.unseal(junk)).map(contentOf).every((content) => content === null)).toBe(true);
  });
});

describe('validation of the sender certificate', () => {
  const expired = createWorldCertificate(1_000);

  /** A content with a certificate that expires then, sealed by its owner. */
  function createWorldCertificate(expirationMs: number): Bytes {
    const certificate = world.authority.issueSenderCertificate(world.sender.publicKey, expirationMs);
    const content = usmcOfSize(certificate, smallestUsmcBytes(certificate), random).serialize();
    return sealV1(keyPairBytes(world.sender), recipient.identity.publicKey.serialize(), random(32), content);
  }

  async function codeOf(envelope: Bytes, timestamp: number, roots = trustRoots): Promise<string> {
    // Twice: the second answer comes from what was remembered.
    const first = (await sealer.unseal([envelope], { trustRoots: roots, timestamp }))[0];
    const second = (await sealer.unseal([envelope], { trustRoots: roots, timestamp }))[0];
    expect(second).toEqual(first);
    if (first?.ok === true) expect(first.certificateValidated).toBe(true);
    return first?.ok === true ? 'ok' : (first?.error.code ?? 'none');
  }

  it('holds until the very millisecond of its expiration, as in libsignal', async () => {
    const certificate = world.authority.issueSenderCertificate(world.sender.publicKey, 1_000);
    for (const [timestamp, code] of [
      [0, 'ok'],
      [999, 'ok'],
      [1_000, 'ok'],
      [1_001, 'ERR_INVALID_CERTIFICATE'],
    ] as const) {
      expect(certificate.validateWithTrustRoots(trustRoots, timestamp)).toBe(code === 'ok');
      expect(await codeOf(expired, timestamp)).toBe(code);
    }
  });

  it('refuses one that another trust root vouches for, and takes it when that root is among several', async () => {
    const stranger = createAuthority();
    const certificate = stranger.issueSenderCertificate(world.sender.publicKey);
    const content = usmcOfSize(certificate, smallestUsmcBytes(certificate), random).serialize();
    const envelope = sealV1(keyPairBytes(world.sender), recipient.identity.publicKey.serialize(), random(32), content);
    expect(await codeOf(envelope, 5)).toBe('ERR_INVALID_CERTIFICATE');
    expect(await codeOf(envelope, 5, [...trustRoots, stranger.trustRoot])).toBe('ok');
    expect(await codeOf(envelope, 5)).toBe('ERR_INVALID_CERTIFICATE');
    expect((await sealer.unseal([envelope]))[0]).toMatchObject({ ok: true, certificateValidated: false });
  });

  it('takes trust roots as bytes or as keys', async () => {
    const { envelope } = await libsignalSeals(smallestBytes);
    const bytes = world.authority.trustRoot.serialize();
    for (const root of [bytes, PublicKey.deserialize(bytes), Buffer.from(bytes)]) {
      const [result] = await sealer.unseal([envelope], { trustRoots: [root], timestamp: 5 });
      expect(result).toMatchObject({ ok: true, certificateValidated: true });
    }
  });

  it('gives a slot to the sender only once his certificate held', async () => {
    const fresh = await Sealer.create({ identityKeyPair: recipient.identity, threads: 1 });
    const { envelope } = await libsignalSeals(smallestBytes);
    await fresh.unseal([envelope]);
    await fresh.unseal([envelope], { trustRoots: [IdentityKeyPair.generate().publicKey], timestamp: 5 });
    await fresh.unseal([expired], { trustRoots, timestamp: 5_000 });
    expect(fresh.stats().cachedRecipients).toBe(0);
    for (const round of [1, 2, 3]) {
      const [result] = await fresh.unseal([envelope], { trustRoots, timestamp: 5 });
      expect(result?.ok, `round ${round}`).toBe(true);
      expect(fresh.stats().cachedRecipients).toBe(1);
    }
    await fresh.close();
  });
});
