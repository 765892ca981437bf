import { describe, expect, test } from 'vitest';
import { IdentityKeyPair } from '@signalapp/libsignal-client';
import { Sealer, type SealerOptions } from 'sealcast';
import { SLOT_COST_BYTES } from '#dist/src/kernel/control.js';
import { expectNoSecrets } from '../harness/secrets-in-errors.js';
import { createWorld, keyPairBytes } from '../harness/signal-fixtures.js';
import { WorkerWatch } from '../harness/worker-watch.js';

const world = createWorld(3);
const identityKeyPair = keyPairBytes(world.sender);
const { publicKey, privateKey } = identityKeyPair;
const other = keyPairBytes(IdentityKeyPair.generate());

/** The error with which the options are refused; no worker may have been started for them. */
async function refusal(options: unknown): Promise<unknown> {
  const watch = new WorkerWatch();
  try {
    const error: unknown = await Sealer.create(options as SealerOptions).then(
      () => 'not refused',
      (thrown: unknown) => thrown,
    );
    expect(watch.started).toHaveLength(0);
    expectNoSecrets(error, {
      publicKey,
      privateKey,
      otherPublic: other.publicKey,
      otherPrivate: other.privateKey,
    });
    return error;
  } finally {
    watch.stop();
  }
}

const refused = (field: string): object => ({
  name: 'SealcastError',
  code: 'ERR_INVALID_ARGUMENT',
  field,
  message: expect.stringContaining(field) as string,
});

describe('Sealer.create() refuses', () => {
  test.each([undefined, null, 7, 'options', true])('options that are %s', async (options) => {
    expect(await refusal(options)).toMatchObject(refused('options'));
  });

  test.each([undefined, null, 7, 'pair'])('a key pair that is %s', async (pair) => {
    expect(await refusal({ identityKeyPair: pair })).toMatchObject(refused('identityKeyPair'));
  });

  test.each([
    ['no public key', { privateKey }, 'publicKey'],
    ['no private key', { publicKey }, 'privateKey'],
    [
      'a public key without its type',
      { publicKey: publicKey.subarray(1), privateKey },
      'publicKey',
    ],
    [
      'a public key of another type',
      { publicKey: Uint8Array.of(4, ...publicKey.subarray(1)), privateKey },
      'publicKey',
    ],
    [
      'a public key of 34 bytes',
      { publicKey: Uint8Array.of(...publicKey, 0), privateKey },
      'publicKey',
    ],
    ['a private key of 31 bytes', { publicKey, privateKey: privateKey.subarray(1) }, 'privateKey'],
    [
      'a private key of 33 bytes',
      { publicKey, privateKey: Uint8Array.of(...privateKey, 0) },
      'privateKey',
    ],
    ['a private key of no bytes', { publicKey, privateKey: new Uint8Array() }, 'privateKey'],
    [
      'a private key in base64',
      { publicKey, privateKey: Buffer.from(privateKey).toString('base64') },
      'privateKey',
    ],
    ['a private key in an array', { publicKey, privateKey: [...privateKey] }, 'privateKey'],
    ['the halves in each other', { publicKey: privateKey, privateKey: publicKey }, 'publicKey'],
    ["another key pair's public key", { publicKey: other.publicKey, privateKey }, 'publicKey'],
    ["another key pair's private key", { publicKey, privateKey: other.privateKey }, 'publicKey'],
    ['a private key of zeros', { publicKey, privateKey: new Uint8Array(32) }, 'publicKey'],
    [
      'a public key of zeros',
      { publicKey: Uint8Array.of(5, ...new Uint8Array(32)), privateKey },
      'publicKey',
    ],
  ])('a key pair with %s', async (_name, pair, half) => {
    expect(await refusal({ identityKeyPair: pair })).toMatchObject(
      refused(`identityKeyPair.${half}`),
    );
  });

  test.each([0, -1, 1.5, 65, Number.NaN, Number.POSITIVE_INFINITY, '2', true, 2n])(
    '%s threads',
    async (threads) => {
      expect(await refusal({ identityKeyPair, threads })).toMatchObject(refused('threads'));
    },
  );

  test.each([
    0,
    -1,
    SLOT_COST_BYTES - 1,
    1e6 + 0.5,
    Number.NaN,
    2 ** 31 + 1,
    Number.POSITIVE_INFINITY,
    '64 MiB',
  ])('a recipient cache of %s bytes', async (recipientCacheBytes) => {
    expect(await refusal({ identityKeyPair, recipientCacheBytes })).toMatchObject(
      refused('recipientCacheBytes'),
    );
  });

  test.each(['x', '', 'INT', 0, {}, 'toString'])('the kernel %s', async (kernel) => {
    expect(await refusal({ identityKeyPair, kernel })).toMatchObject(refused('kernel'));
  });

  test.each([0, -5, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '10'])(
    'a maxQueue of %s',
    async (maxQueue) => {
      expect(await refusal({ identityKeyPair, maxQueue })).toMatchObject(refused('maxQueue'));
    },
  );
});

describe('Sealer.create() takes', () => {
  async function expectWorking(options: SealerOptions): Promise<void> {
    const sealer = await Sealer.create(options);
    try {
      const requests = world.recipients.map(({ identity }) => ({
        recipientIdentityKey: identity.publicKey,
        content: Uint8Array.of(1),
      }));
      const results = await sealer.seal(requests);
      expect(results.map((result) => result.ok)).toEqual([true, true, true]);
    } finally {
      await sealer.close();
    }
  }

  test('the smallest of everything', async () => {
    await expectWorking({
      identityKeyPair,
      threads: 1,
      recipientCacheBytes: SLOT_COST_BYTES,
      maxQueue: 1,
    });
  });

  test('a recipient cache of 2 GiB, which costs nothing until it is used', async () => {
    await expectWorking({ identityKeyPair, threads: 1, recipientCacheBytes: 2 ** 31 });
  });

  test.each(['auto', 'int'] as const)('the kernel %s, and says which it uses', async (kernel) => {
    const sealer = await Sealer.create({ identityKeyPair, kernel, threads: 3 });
    expect(kernel === 'auto' ? ['fma', 'int'] : [kernel]).toContain(sealer.stats().kernel);
    expect(sealer.stats()).toMatchObject({
      threads: 3,
      queueLength: 0,
      cachedRecipients: 0,
      cachedBytes: 0,
    });
    await sealer.close();
  });

  test('keys in a Buffer, in a view into a larger buffer, and in shared memory', async () => {
    const large = new Uint8Array(200);
    large.set(publicKey, 7);
    large.set(privateKey, 91);
    const shared = new Uint8Array(new SharedArrayBuffer(80), 3, 32);
    shared.set(privateKey);
    await expectWorking({
      identityKeyPair: { publicKey: Buffer.from(publicKey), privateKey: Buffer.from(privateKey) },
      threads: 1,
    });
    await expectWorking({
      identityKeyPair: { publicKey: large.subarray(7, 40), privateKey: large.subarray(91, 123) },
      threads: 1,
    });
    await expectWorking({ identityKeyPair: { publicKey, privateKey: shared }, threads: 1 });
  });

  test('a copy of the keys, and leaves the callers as they are', async () => {
    const own = { publicKey: publicKey.slice(), privateKey: privateKey.slice() };
    const sealer = await Sealer.create({ identityKeyPair: own, threads: 1 });
    expect(own).toEqual({ publicKey, privateKey });
    await sealer.close();
    expect(own).toEqual({ publicKey, privateKey });
  });
});
