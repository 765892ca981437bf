import {
  IdentityKeyPair,
  ProtocolAddress,
  PublicKey,
  processPreKeyBundle,
  sealedSenderMultiRecipientEncrypt,
  sealedSenderMultiRecipientMessageForSingleRecipient,
} from '@signalapp/libsignal-client';
import { Sealer } from 'sealcast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteAt, copyBytes, toHex, type Bytes } from '../reference/bytes.js';
import { sealV1 } from '../reference/envelope-v1.js';
import { kernelNames } from '../harness/kernel-builds.js';
import { LibsignalPeers, contentOf } from '../harness/libsignal-verdicts.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { MemoryStores } from '../fakes/memory-stores.js';
import { bundleOf, generatePreKeys } from '../harness/prekeys.js';
import {
  createAuthority,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';

const SENDER_ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const RECIPIENT_ACI = 'e80f7bbe-5b94-471e-bd8c-2173654ea3d1';
const random = seededBytes('interop/unseal');
const peers = new LibsignalPeers(random);
const { world, recipient, smallestBytes } = peers;
const trustRoots = [world.authority.trustRoot];
const senderKey = world.sender.publicKey.serialize();

describe.each(kernelNames)('with the kernel %s', (kernel) => {
  let sealer: Sealer;
  beforeAll(async () => {
    sealer = await Sealer.create({ identityKeyPair: recipient.identity, threads: 2, kernel });
  });
  afterAll(() => sealer.close());

  describe('envelopes that libsignal seals, sealcast opens', () => {
    it.each([1, 2, 3, 5, 16, 17, 100, 257, 600])('in a batch of %i', async (count) => {
      const sealed = [];
      for (let i = 0; i < count; i++)
        sealed.push(await peers.seals(smallestBytes + seededInteger(random, 400)));
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
      const lengths = [
        512, 600, 640, 1024, 2200, 16_374, 16_384, 65_536, 98_304, 262_143, 262_144, 262_145,
        300_000,
      ];
      for (const bytes of [...lengths, ...lengths.map((length) => length + 1)])
        sealed.push(await peers.seals(bytes));
      const results = await sealer.unseal(sealed.map(({ envelope }) => envelope));
      expect(results.map(contentOf)).toEqual(sealed.map(({ content }) => toHex(content)));
    });

    it('also when it is v2, with libsignal, mixed with v1 in one batch', async () => {
      const from = new MemoryStores(world.sender, 1);
      const to = new MemoryStores(recipient.identity, 2);
      const [ownAddress, address] = [
        ProtocolAddress.new(SENDER_ACI, 1),
        ProtocolAddress.new(RECIPIENT_ACI, 1),
      ];
      const bundle = bundleOf(to, 1, await generatePreKeys(to, 0));
      await processPreKeyBundle(bundle, address, ownAddress, from.sessions, from.identities);
      const usmc = usmcOfSize(world.senderCertificate, 700, random);
      const sent = await sealedSenderMultiRecipientEncrypt(
        usmc,
        [address],
        from.identities,
        from.sessions,
      );
      const v2 = sealedSenderMultiRecipientMessageForSingleRecipient(sent);
      const v1 = await peers.seals(smallestBytes);
      const spoiled = copyBytes(v2);
      spoiled[v2.length - 1] = byteAt(v2, v2.length - 1) ^ 1;
      const results = await sealer.unseal([v2, v1.envelope, spoiled, v2], {
        trustRoots,
        timestamp: 5,
      });
      const opened = {
        ok: true,
        content: usmc.serialize(),
        senderIdentityKey: senderKey,
        certificateValidated: true,
        sender: { serviceId: SENDER_ACI, deviceId: 1 },
      };
      expect(results[0]).toEqual({ ...opened, version: 2 });
      expect(results[1]).toEqual({ ...opened, content: v1.content, version: 1 });
      expect(contentOf(results[2])).toBeNull();
      expect(results[3]).toEqual(results[0]);
    });
  });

  describe('validation of the sender certificate', () => {
    const expired = createWorldCertificate(1_000);

    /** A content with a certificate that expires then, sealed by its owner. */
    function createWorldCertificate(expirationMs: number): Bytes {
      const certificate = world.authority.issueSenderCertificate(
        world.sender.publicKey,
        expirationMs,
      );
      const content = usmcOfSize(certificate, smallestUsmcBytes(certificate), random).serialize();
      return sealV1(
        keyPairBytes(world.sender),
        recipient.identity.publicKey.serialize(),
        random(32),
        content,
      );
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
      const envelope = sealV1(
        keyPairBytes(world.sender),
        recipient.identity.publicKey.serialize(),
        random(32),
        content,
      );
      expect(await codeOf(envelope, 5)).toBe('ERR_INVALID_CERTIFICATE');
      expect(await codeOf(envelope, 5, [...trustRoots, stranger.trustRoot])).toBe('ok');
      expect(await codeOf(envelope, 5)).toBe('ERR_INVALID_CERTIFICATE');
      expect((await sealer.unseal([envelope]))[0]).toMatchObject({
        ok: true,
        certificateValidated: false,
      });
    });

    it('takes trust roots as bytes or as keys', async () => {
      const { envelope } = await peers.seals(smallestBytes);
      const bytes = world.authority.trustRoot.serialize();
      for (const root of [bytes, PublicKey.deserialize(bytes), Buffer.from(bytes)]) {
        const [result] = await sealer.unseal([envelope], { trustRoots: [root], timestamp: 5 });
        expect(result).toMatchObject({ ok: true, certificateValidated: true });
      }
    });

    it('gives a slot to the sender only once the certificate held', async () => {
      const fresh = await Sealer.create({
        identityKeyPair: recipient.identity,
        threads: 1,
        kernel,
      });
      const { envelope } = await peers.seals(smallestBytes);
      await fresh.unseal([envelope]);
      await fresh.unseal([envelope], {
        trustRoots: [IdentityKeyPair.generate().publicKey],
        timestamp: 5,
      });
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
});
