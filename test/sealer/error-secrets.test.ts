import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sealer, type SealcastErrorCode, type SealRequest } from 'sealcast';
import { untilTrue } from '../harness/await-condition.js';
import { expectNoSecrets, secretsIn } from '../harness/secrets-in-errors.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, keyPairBytes, usmcOfSize } from '../harness/signal-fixtures.js';
import { WorkerHold } from '../harness/worker-hold.js';
import { WorkerWatch } from '../harness/worker-watch.js';

const world = createWorld(1);
const random = seededBytes('error-secrets');
const sender = keyPairBytes(world.sender);
const content = usmcOfSize(world.senderCertificate, 500, random).serialize();
const recipientKey = world.recipients[0]?.identity.publicKey.serialize() ?? new Uint8Array();
const lowOrderKey = Uint8Array.of(5, ...new Uint8Array(32));
const secrets: Record<string, Uint8Array> = {
  privateKey: sender.privateKey,
  publicKey: sender.publicKey,
  recipientKey,
  content,
};

const watch = new WorkerWatch();
let sealer: Sealer;
beforeAll(async () => {
  sealer = await Sealer.create({ identityKeyPair: world.sender, threads: 1, maxQueue: 1000 });
});
afterAll(async () => {
  await sealer.close();
  watch.stop();
});

function makeBatch(entryCount: number): SealRequest[] {
  return Array.from({ length: entryCount }, () => ({
    recipientIdentityKey: recipientKey,
    content,
  }));
}

function expectDiscreet(error: unknown, code: SealcastErrorCode): void {
  expect(error).toMatchObject({ name: 'SealcastError', code });
  expectNoSecrets(error, secrets);
}

async function rejection(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'not rejected',
    (thrown: unknown) => thrown,
  );
}

describe('the secrets that these tests look for', () => {
  const { privateKey } = sender;
  test.each([
    ['a message in hex', new Error(Buffer.from(privateKey).toString('hex'))],
    ['a message in base64', new Error(`key ${Buffer.from(privateKey).toString('base64')}`)],
    ['a list of bytes', new Error(`key ${[...privateKey].join(', ')}`)],
    ['a property', Object.assign(new Error('x'), { key: privateKey })],
    ['a Buffer in a property', Object.assign(new Error('x'), { key: Buffer.from(privateKey) })],
    [
      'a hidden property',
      Object.defineProperty(new Error('x'), 'key', { value: privateKey, enumerable: false }),
    ],
    [
      'a cause',
      new Error('x', { cause: Object.assign(new Error('y'), { data: { key: privateKey } }) }),
    ],
    ['a cut', new Error(`starts with ${Buffer.from(privateKey.subarray(1, 14)).toString('hex')}`)],
  ])('is found in %s', (_name, error) => {
    expect(secretsIn(error, secrets)).toContain('privateKey');
  });
});

describe('no error shows key bytes or plaintext', () => {
  test('of a low-order recipient key', async () => {
    const results = await sealer.seal([
      { recipientIdentityKey: lowOrderKey, content },
      ...makeBatch(1),
    ]);
    expect(results[1]).toMatchObject({ ok: true });
    const [result] = results;
    expect(result).toMatchObject({ ok: false, error: { index: 0 } });
    expectDiscreet(result?.ok === false && result.error, 'ERR_LOW_ORDER_KEY');
    const [prepared] = await sealer.prepare([lowOrderKey]);
    expectDiscreet(prepared?.ok === false && prepared.error, 'ERR_LOW_ORDER_KEY');
  });

  test('of an envelope that is wrong in any way, and the message is the same for all', async () => {
    const receiver = await Sealer.create({ identityKeyPair: sender, threads: 1 });
    const [sealed] = await receiver.seal([{ recipientIdentityKey: sender.publicKey, content }]);
    const envelope = sealed?.ok === true ? sealed.envelope : new Uint8Array();
    const flipped = (at: number): Uint8Array =>
      envelope.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const junk = [
      new Uint8Array(),
      Uint8Array.of(0x11),
      Uint8Array.of(0x31, 1, 2),
      Uint8Array.of(0x22, ...random(200)),
      flipped(10),
      flipped(50),
      flipped(envelope.length - 1),
      flipped(100),
      new Uint8Array(300_000).fill(0x11),
    ];
    const results = await receiver.unseal(junk);
    const messages = new Set<string>();
    results.forEach((result, index) => {
      expect(result).toMatchObject({ ok: false, error: { index } });
      if (result.ok) return;
      expectDiscreet(result.error, 'ERR_INVALID_ENVELOPE');
      expect(result.error.cause).toBeUndefined();
      messages.add(result.error.message.replace(`entry ${index}: `, ''));
    });
    expect(results).toHaveLength(junk.length);
    expect(messages.size).toBe(1);

    const stranger = createWorld(0).authority.trustRoot;
    const [refused] = await receiver.unseal([envelope], { trustRoots: [stranger], timestamp: 1 });
    expectDiscreet(refused?.ok === false && refused.error, 'ERR_INVALID_CERTIFICATE');
    await receiver.close();
  });

  test('of a key pair that does not match', async () => {
    const publicKey = recipientKey;
    const { privateKey } = sender;
    const error = await rejection(Sealer.create({ identityKeyPair: { publicKey, privateKey } }));
    expectDiscreet(error, 'ERR_INVALID_ARGUMENT');
  });

  test('of a lost worker', async () => {
    using hold = new WorkerHold();
    const sealing = sealer.seal(makeBatch(900));
    await hold.untilHeld(1);
    const exits = watch.alive.map((worker) => worker.terminate());
    await Promise.all(exits);
    hold.release();
    const results = await sealing;
    const errors = results.flatMap((result) => (result.ok ? [] : [result.error]));
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors.slice(0, 3)) expectDiscreet(error, 'ERR_WORKER_LOST');
  });

  test('of a full queue, an abort, a content that was transferred, a closed Sealer', async () => {
    const controller = new AbortController();
    const moved = content.slice();
    // First, so that it has been checked when it is taken away, however slow the machine is.
    const large = [{ recipientIdentityKey: recipientKey, content: moved }, ...makeBatch(2000)];
    const sealing = sealer.seal(large);
    structuredClone(moved, { transfer: [moved.buffer] });
    expectDiscreet(await rejection(sealer.seal(makeBatch(1))), 'ERR_QUEUE_FULL');
    const [result] = await sealing;
    expect(result).toMatchObject({ ok: false, error: { index: 0, field: 'content' } });
    expectDiscreet(result?.ok === false && result.error, 'ERR_INVALID_ARGUMENT');

    const aborting = sealer.seal(makeBatch(2000), { signal: controller.signal });
    controller.abort();
    expectDiscreet(await rejection(aborting), 'ERR_ABORTED');

    const pending = rejection(sealer.seal(makeBatch(2000)));
    await untilTrue(() => sealer.stats().queueLength > 0);
    await sealer.close();
    expectDiscreet(await pending, 'ERR_CLOSED');
    expectDiscreet(await rejection(sealer.seal(makeBatch(1))), 'ERR_CLOSED');
  });
});
