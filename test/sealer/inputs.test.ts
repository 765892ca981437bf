import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as libsignal from '@signalapp/libsignal-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type PublicKeyInput, type SealResult } from 'sealcast';
import { toHex } from '../reference/bytes.js';
import { unsealV1 } from '../reference/envelope-v1.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';

/** v1 envelopes above 256 KiB are opened with libsignal on the main thread, in turns. */
const OVERSIZED_CONTENT_BYTES = 270_000;

const world = createWorld(3);
const recipient = cyclic(world.recipients, 0);
const random = seededBytes('sealer-inputs');
const content = usmcOfSize(world.senderCertificate, 700, random).serialize();
const publicKey = recipient.identity.publicKey.serialize();

let sealer: Sealer;
let receiver: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 2 });
  receiver = await Sealer.create({ identityKeyPair: recipient.identity, threads: 2 });
});
afterAll(() => Promise.all([sealer.close(), receiver.close()]));

/** The same bytes in every kind of Uint8Array that there is. */
function views(bytes: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const large = random(bytes.length + 50);
  large.set(bytes, 13);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 50));
  shared.set(bytes, 11);
  class OwnBytes extends Uint8Array {}
  return [
    ['a Uint8Array', Uint8Array.from(bytes)],
    ['a Buffer', Buffer.from(bytes)],
    ['a Buffer with a buffer of its own', Buffer.alloc(bytes.length, bytes)],
    ['a view into a larger buffer', large.subarray(13, 13 + bytes.length)],
    ['a view into shared memory', shared.subarray(11, 11 + bytes.length)],
    ['a subclass of Uint8Array', OwnBytes.from(bytes)],
  ];
}

async function expectSealed(
  results: readonly SealResult[],
  expected: readonly Uint8Array[],
): Promise<void> {
  expect(results).toHaveLength(expected.length);
  for (const [index, result] of results.entries()) {
    const opened = await openWithLibsignal(recipient, result);
    expect(toHex(opened)).toBe(toHex(expected[index] ?? new Uint8Array()));
  }
}

function envelopesOf(results: readonly SealResult[]): Uint8Array[] {
  return results.map((result) => (result.ok ? result.envelope : new Uint8Array()));
}

describe('seal() and prepare() take', () => {
  test.each(views(publicKey))('a key that is %s', async (_name, key) => {
    await expectSealed(await sealer.seal([{ recipientIdentityKey: key, content }]), [content]);
    expect(await sealer.prepare([key])).toEqual([{ ok: true }]);
  });

  test.each(views(content))('a content that is %s', async (_name, view) => {
    const before = toHex(view);
    await expectSealed(await sealer.seal([{ recipientIdentityKey: publicKey, content: view }]), [
      content,
    ]);
    expect(toHex(view)).toBe(before);
  });

  test('keys of libsignal, and of another copy of libsignal in the same process', async () => {
    const dependent = createRequire(
      createRequire(import.meta.url).resolve('@signalapp/mock-server'),
    );
    const otherCopy = (await import(
      pathToFileURL(dependent.resolve('@signalapp/libsignal-client')).href
    )) as typeof libsignal;
    const foreign = otherCopy.PublicKey.deserialize(publicKey);
    const keys: PublicKeyInput[] = [
      recipient.identity.publicKey,
      foreign,
      { serialize: () => publicKey },
    ];
    const requests = keys.map((recipientIdentityKey) => ({ recipientIdentityKey, content }));
    await expectSealed(await sealer.seal(requests), [content, content, content]);
    expect(await sealer.prepare(keys)).toEqual([{ ok: true }, { ok: true }, { ok: true }]);

    const sender = keyPairBytes(world.sender);
    const pair = {
      publicKey: otherCopy.PublicKey.deserialize(sender.publicKey),
      privateKey: otherCopy.PrivateKey.deserialize(sender.privateKey),
    };
    const another = await Sealer.create({ identityKeyPair: pair, threads: 1 });
    await expectSealed(await another.seal(requests), [content, content, content]);
    await another.close();
  });

  test('an empty batch', async () => {
    expect(await sealer.seal([])).toEqual([]);
    expect(await sealer.prepare([])).toEqual([]);
    expect(await receiver.unseal([])).toEqual([]);
    expect(
      await receiver.unseal([], { trustRoots: [world.authority.trustRoot], timestamp: 0 }),
    ).toEqual([]);
    expect(
      await receiver.unseal([], { trustRoots: [world.authority.trustRoot], timestamp: [] }),
    ).toEqual([]);
  });

  test('the same request, the same key and the same content any number of times', async () => {
    const request = { recipientIdentityKey: publicKey, content };
    const results = await sealer.seal(Array.from({ length: 100 }, () => request));
    await expectSealed(
      results,
      Array.from({ length: 100 }, () => content),
    );
    expect(new Set(envelopesOf(results).map(toHex)).size).toBe(100);
    expect(await sealer.prepare([publicKey, publicKey])).toEqual([{ ok: true }, { ok: true }]);
  });

  test('a frozen batch and frozen options', async () => {
    const request = Object.freeze({ recipientIdentityKey: publicKey, content });
    await expectSealed(await sealer.seal(Object.freeze([request]), Object.freeze({})), [content]);
  });

  test('contents of 1 byte and of 256 KiB side by side', async () => {
    const sizes = [
      1, 262_144, 2, 117, 118, 119, 16_373, 16_374, 16_375, 262_143, 262_144, 262_144, 262_144,
      262_144, 1,
    ];
    // libsignal opens USMCs, which have a least size; the twin opens anything, but slowly.
    const contents = sizes.map((size) =>
      size < 1000 ? random(size) : usmcOfSize(world.senderCertificate, size, random).serialize(),
    );
    const results = await sealer.seal(
      contents.map((bytes) => ({ recipientIdentityKey: publicKey, content: bytes })),
    );
    expect(results).toHaveLength(sizes.length);
    for (const [index, bytes] of contents.entries()) {
      const result = results[index];
      const [envelope = new Uint8Array()] = result === undefined ? [] : envelopesOf([result]);
      const opened =
        bytes.length >= 1000
          ? await openWithLibsignal(recipient, result)
          : unsealV1(keyPairBytes(recipient.identity), envelope).content;
      expect(Buffer.compare(opened, bytes)).toBe(0);
    }
  });
});

describe('a batch is what it was when the call was made', () => {
  test('when its array is emptied or refilled meanwhile', async () => {
    const requests = Array.from({ length: 400 }, () => ({
      recipientIdentityKey: publicKey,
      content,
    }));
    const sealing = sealer.seal(requests);
    requests.length = 0;
    const results = await sealing;
    expect(results.filter((result) => result.ok)).toHaveLength(400);

    const envelopes = envelopesOf(results);
    const unsealing = receiver.unseal(envelopes);
    envelopes.fill(new Uint8Array(1));
    envelopes.length = 3;
    const opened = await unsealing;
    expect(opened.filter((result) => result.ok)).toHaveLength(400);
  });

  test('when keys change after the call began', async () => {
    const key = publicKey.slice();
    const sealing = sealer.seal(
      Array.from({ length: 400 }, () => ({ recipientIdentityKey: key, content })),
    );
    key.fill(0);
    await expectSealed(
      await sealing,
      Array.from({ length: 400 }, () => content),
    );
  });

  test('when envelopes go to libsignal on the main thread', async () => {
    const usmc = usmcOfSize(world.senderCertificate, OVERSIZED_CONTENT_BYTES, random);
    const envelope = await libsignal.sealedSenderEncrypt(
      usmc,
      recipient.address,
      world.senderStore,
    );
    const envelopes = Array.from({ length: 40 }, () => envelope);
    const unsealing = receiver.unseal(envelopes);
    envelopes.length = 0;
    const results = await unsealing;
    expect(results).toHaveLength(40);
    for (let index = 0; index < 40; index++)
      expect(results[index]).toMatchObject({ ok: true, version: 1 });
  });
});

describe('unseal() takes', () => {
  test('envelopes in every kind of Uint8Array', async () => {
    const [envelope = new Uint8Array()] = envelopesOf(
      await sealer.seal([{ recipientIdentityKey: publicKey, content }]),
    );
    const results = await receiver.unseal(views(envelope).map(([, view]) => view));
    for (const result of results) {
      expect(result.ok && toHex(result.content)).toBe(toHex(content));
      expect(result.ok && toHex(result.senderIdentityKey)).toBe(
        toHex(world.sender.publicKey.serialize()),
      );
      expect(result).toMatchObject({ version: 1, certificateValidated: false });
    }
  });

  test('trust roots as libsignal keys, as bytes, and more than one of them', async () => {
    const [envelope = new Uint8Array()] = envelopesOf(
      await sealer.seal([{ recipientIdentityKey: publicKey, content }]),
    );
    const { trustRoot } = world.authority;
    const stranger = libsignal.PrivateKey.generate().getPublicKey();
    for (const trustRoots of [
      [trustRoot],
      [trustRoot.serialize()],
      [stranger, trustRoot],
      [trustRoot, trustRoot],
    ]) {
      const results = await receiver.unseal([envelope], {
        trustRoots,
        timestamp: 1_700_000_000_000,
      });
      expect(results).toMatchObject([{ ok: true, certificateValidated: true }]);
    }
    const results = await receiver.unseal([envelope], {
      trustRoots: [stranger],
      timestamp: 1_700_000_000_000,
    });
    expect(results).toMatchObject([
      { ok: false, error: { code: 'ERR_INVALID_CERTIFICATE', index: 0 } },
    ]);
  });

  test('a trust root of low order, which vouches for no sender', async () => {
    const [envelope = new Uint8Array()] = envelopesOf(
      await sealer.seal([{ recipientIdentityKey: publicKey, content }]),
    );
    const zero = Uint8Array.of(5, ...new Uint8Array(32));
    const results = await receiver.unseal([envelope], {
      trustRoots: [zero],
      timestamp: 1_700_000_000_000,
    });
    expect(results).toMatchObject([
      { ok: false, error: { code: 'ERR_INVALID_CERTIFICATE', index: 0 } },
    ]);
  });
});
