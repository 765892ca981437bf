import {
  IdentityKeyPair,
  PublicKey,
  SenderCertificate,
  sealedSenderEncrypt,
} from '@signalapp/libsignal-client';
import { afterEach, expect, test, vi } from 'vitest';
import { Sealer } from 'sealcast';
import { Turns } from '#dist/src/engine/turns.js';
import { CertificateMemory } from '#dist/src/sealer/certificate-cache.js';
import { CertificateValidator } from '#dist/src/sealer/certificate-validator.js';
import { Unsealing } from '#dist/src/sealer/unseal-call.js';
import { UnsealVerdicts } from '#dist/src/sealer/unseal-verdicts.js';
import { AbortWatch } from '#dist/src/util/abort-watch.js';
import {
  createAuthority,
  createWorld,
  keyPairBytes,
  MemoryIdentityStore,
  usmcOfSize,
  type SignalAuthority,
} from '../harness/signal-fixtures.js';
import { seededBytes } from '../harness/seeded-random.js';

const world = createWorld(1);
const [recipient] = world.recipients;
const random = seededBytes('certificates of senders');
afterEach(() => vi.restoreAllMocks());

/** Envelopes of as many senders, each with a certificate of the authority. */
async function envelopesOf(authority: SignalAuthority, count: number): Promise<Uint8Array[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const sender = IdentityKeyPair.generate();
      const store = new MemoryIdentityStore(sender);
      const usmc = usmcOfSize(authority.issueSenderCertificate(sender.publicKey), 600, random);
      return sealedSenderEncrypt(usmc, store.meet(recipient!.identity.publicKey, 'us'), store);
    }),
  );
}

const trustRoots = [world.authority.trustRoot];

/** USMCs of as many senders, opened as one chunk of the kernel's; what a worker is asked. */
async function judge(count: number, held: number | undefined): Promise<number[]> {
  const asked: number[] = [];
  const roots = [new Uint8Array(world.authority.trustRoot.serialize())];
  const validator = new CertificateValidator(roots);
  const validation = { validator, timestamp: Date.now() };
  const verdicts = new UnsealVerdicts(count, new CertificateMemory(), validation, () => undefined);
  const unsealing = new Unsealing(
    [],
    verdicts,
    {
      turns: new Turns(),
      aborts: new AbortWatch(),
      libsignal: () => {
        throw new Error('not asked for');
      },
      verify: (certificates) => {
        asked.push(certificates.length);
        return Promise.resolve(held === undefined ? undefined : new Uint8Array(count).fill(held));
      },
    },
    undefined,
  );
  for (let index = 0; index < count; index++) {
    const { publicKey } = IdentityKeyPair.generate();
    const usmc = usmcOfSize(world.authority.issueSenderCertificate(publicKey), 600, random);
    const senderKey = new Uint8Array(publicKey.serialize().subarray(1));
    unsealing.unsealed(index, { content: new Uint8Array(usmc.serialize()), senderKey });
  }
  await unsealing.finish();
  expect(unsealing.results.map(({ ok }) => ok)).toEqual(Array.from({ length: count }, () => true));
  return asked;
}

test('certificates of many new senders are verified by a worker', async () => {
  const verified = vi.spyOn(PublicKey.prototype, 'verify');
  const validated = vi.spyOn(SenderCertificate.prototype, 'validateWithTrustRoots');
  expect(await judge(8, 1)).toEqual([8]);
  expect(verified).not.toHaveBeenCalled();
  expect(validated).not.toHaveBeenCalled();
});

test('certificates of few new senders are verified at once', async () => {
  expect(await judge(3, 1)).toEqual([]);
});

test.each([undefined, 0])(
  'certificates that no worker found good are verified again (%s)',
  async (held) => {
    const validated = vi.spyOn(SenderCertificate.prototype, 'validateWithTrustRoots');
    expect(await judge(8, held)).toEqual([8]);
    expect(validated).toHaveBeenCalled();
  },
);

test('certificates of another authority are refused among good ones', async () => {
  await using sealer = await Sealer.create({
    identityKeyPair: keyPairBytes(recipient!.identity),
    threads: 1,
  });
  const [good, bad] = await Promise.all([
    envelopesOf(world.authority, 6),
    envelopesOf(createAuthority(), 6),
  ]);
  const mixed = good.flatMap((envelope, i) => [envelope, bad[i]!]);
  const results = await sealer.unseal(mixed, { trustRoots, timestamp: Date.now() });
  expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(
    mixed.map((_, i) => (i % 2 === 0 ? 'ok' : 'ERR_INVALID_CERTIFICATE')),
  );
});

test('a certificate that a worker verified is still asked for its expiration', async () => {
  await using sealer = await Sealer.create({
    identityKeyPair: keyPairBytes(recipient!.identity),
    threads: 1,
  });
  const envelopes = await envelopesOf(world.authority, 8);
  const results = await sealer.unseal(envelopes, {
    trustRoots,
    timestamp: Number.MAX_SAFE_INTEGER,
  });
  expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(
    envelopes.map(() => 'ERR_INVALID_CERTIFICATE'),
  );
});
