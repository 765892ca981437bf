import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest } from 'sealcast';
import { toHex } from '../reference/bytes.js';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, usmcOfSize } from '../harness/signal-fixtures.js';
import { WorkerWatch } from '../harness/worker-watch.js';

const THREADS = 2;
/** Seconds of work, so that what is aborted is never over before. */
const LARGE_BATCH_ENTRIES = 20_000;
/** v1 envelopes above 256 KiB are opened with libsignal on the main thread. */
const OVERSIZED_CONTENT_BYTES = 300_000;

const world = createWorld(8);
const content = usmcOfSize(world.senderCertificate, 600, seededBytes('cancel')).serialize();
const recipient = cyclic(world.recipients, 0);

function makeBatch(entryCount: number): SealRequest[] {
  return Array.from({ length: entryCount }, (_, i) => ({
    recipientIdentityKey: cyclic(world.recipients, i).identity.publicKey,
    content,
  }));
}

describe('cancelling', () => {
  let sealer: Sealer;
  let receiver: Sealer;
  let envelopes: Uint8Array[];
  const watch = new WorkerWatch();

  beforeAll(async () => {
    sealer = await Sealer.create({ identityKeyPair: world.sender, threads: THREADS });
    receiver = await Sealer.create({ identityKeyPair: recipient.identity, threads: THREADS });
    const request = { recipientIdentityKey: recipient.identity.publicKey, content };
    const sealed = await sealer.seal(Array.from({ length: 64 }, () => request));
    envelopes = sealed.map((result) => (result.ok ? result.envelope : new Uint8Array()));
  });
  afterAll(async () => {
    await Promise.all([sealer.close(), receiver.close()]);
    watch.stop();
  });

  async function expectStillWorking(): Promise<void> {
    const batch = makeBatch(100);
    const results = await neverHangs(sealer.seal(batch), 'a later batch');
    expect(results).toHaveLength(100);
    for (const [index, result] of results.entries()) {
      expect(toHex(await openWithLibsignal(cyclic(world.recipients, index), result))).toBe(
        toHex(content),
      );
    }
    expect(sealer.stats().queueLength).toBe(0);
  }

  const manyEnvelopes = (): Uint8Array[] =>
    Array.from({ length: LARGE_BATCH_ENTRIES }, (_, i) => cyclic(envelopes, i));
  const manyKeys = (): Uint8Array[] => {
    const random = seededBytes('cancel-keys');
    return Array.from({ length: LARGE_BATCH_ENTRIES }, () => Uint8Array.of(5, ...random(32)));
  };
  const calls = [
    [
      'seal',
      () => sealer,
      (signal: AbortSignal) => sealer.seal(makeBatch(LARGE_BATCH_ENTRIES), { signal }),
    ],
    [
      'unseal',
      () => receiver,
      (signal: AbortSignal) => receiver.unseal(manyEnvelopes(), { signal }),
    ],
    ['prepare', () => sealer, (signal: AbortSignal) => sealer.prepare(manyKeys(), { signal })],
  ] as const;

  describe.each(calls)('%s()', (_name, which, call) => {
    let reason: Error;
    let workersBefore: number;

    beforeEach(() => {
      reason = new Error('the user went away');
      workersBefore = watch.started.length;
    });

    test('rejects with ERR_ABORTED, and queues nothing, when the signal has fired before', async () => {
      const cachedBefore = which().stats().cachedRecipients;
      const promise = call(AbortSignal.abort(reason));
      expect(which().stats().queueLength).toBe(0);
      await expect(promise).rejects.toMatchObject({
        name: 'SealcastError',
        code: 'ERR_ABORTED',
        cause: reason,
      });
      expect(which().stats().cachedRecipients).toBe(cachedBefore);
    });

    test('rejects with ERR_ABORTED once the signal fires, drops what waits, and spares the workers', async () => {
      const controller = new AbortController();
      const promise = call(controller.signal);
      const atStart = which().stats().queueLength;
      expect(atStart).toBeGreaterThan(0);
      await untilTrue(() => which().stats().queueLength < atStart);
      expect(which().stats().queueLength).toBeGreaterThan(0);

      controller.abort(reason);
      expect(which().stats().queueLength).toBe(0);
      await expect(promise).rejects.toMatchObject({
        name: 'SealcastError',
        code: 'ERR_ABORTED',
        cause: reason,
      });

      await expectStillWorking();
      await manyTurns();
      expect(watch.started).toHaveLength(workersBefore);
      expect(watch.exited).toHaveLength(0);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    });

    test('passes any reason on as it is', async () => {
      for (const odd of ['text', null, 0, false]) {
        const controller = new AbortController();
        const promise = call(controller.signal);
        controller.abort(odd);
        const error: unknown = await promise.catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'ERR_ABORTED' });
        expect((error as Error).cause).toBe(odd);
      }
    });
  });

  test('aborting one of two batches leaves the other whole', async () => {
    const controller = new AbortController();
    const aborted = sealer.seal(makeBatch(LARGE_BATCH_ENTRIES), { signal: controller.signal });
    const kept = sealer.seal(makeBatch(2000));
    controller.abort();
    await expect(aborted).rejects.toMatchObject({
      code: 'ERR_ABORTED',
      cause: { name: 'AbortError' },
    });
    const results = await neverHangs(kept, 'the other batch');
    expect(results.filter((result) => result.ok)).toHaveLength(2000);
  });

  test('ends envelopes that libsignal opens on the main thread too', async () => {
    const oversized = usmcOfSize(
      world.senderCertificate,
      OVERSIZED_CONTENT_BYTES,
      seededBytes('oversized'),
    );
    const { sealedSenderEncrypt } = await import('@signalapp/libsignal-client');
    const envelope = await sealedSenderEncrypt(oversized, recipient.address, world.senderStore);
    const controller = new AbortController();
    const promise = receiver.unseal(
      Array.from({ length: 200 }, () => envelope),
      { signal: controller.signal },
    );
    controller.abort('enough');
    await expect(promise).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    expect(await receiver.unseal([envelope])).toMatchObject([{ ok: true, version: 1 }]);
  });

  test('aborting after the end changes nothing', async () => {
    const controller = new AbortController();
    const results = await sealer.seal(makeBatch(20), { signal: controller.signal });
    const copies = results.map((result) => (result.ok ? toHex(result.envelope) : ''));
    controller.abort();
    await manyTurns();
    expect(results.map((result) => (result.ok ? toHex(result.envelope) : ''))).toEqual(copies);
    await expectStillWorking();
  });

  test('leaves no listener on a signal that 1,000 calls shared', async () => {
    const { signal } = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => {
      warnings.push(warning);
    };
    process.on('warning', onWarning);
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < 250; i++) {
      pending.push(sealer.seal(makeBatch(i % 3), { signal }));
      pending.push(receiver.unseal(envelopes.slice(0, i % 3), { signal }));
      pending.push(sealer.prepare([recipient.identity.publicKey], { signal }));
      pending.push(
        expect(sealer.seal([null as unknown as SealRequest], { signal })).rejects.toThrow(
          'entry 0',
        ),
      );
      if (i % 10 === 9) await Promise.all(pending.splice(0));
    }
    await Promise.all(pending);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await manyTurns(10);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('a full queue', () => {
  test('refuses further calls with ERR_QUEUE_FULL, touches no signal of theirs, and takes calls again once it drains', async () => {
    const sealer = await Sealer.create({
      identityKeyPair: world.sender,
      threads: 1,
      maxQueue: 100,
    });
    try {
      const first = sealer.seal(makeBatch(2000));
      expect(sealer.stats().queueLength).toBeGreaterThanOrEqual(100);
      const { signal } = new AbortController();
      await expect(sealer.seal(makeBatch(1), { signal })).rejects.toMatchObject({
        code: 'ERR_QUEUE_FULL',
      });
      await expect(sealer.prepare([recipient.identity.publicKey])).rejects.toMatchObject({
        code: 'ERR_QUEUE_FULL',
      });
      await expect(sealer.unseal(envelopesFor(3))).rejects.toMatchObject({
        code: 'ERR_QUEUE_FULL',
      });
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      // Nothing to do is no load.
      expect(await sealer.seal([])).toEqual([]);
      expect(await sealer.prepare([])).toEqual([]);
      expect(await sealer.unseal([])).toEqual([]);

      expect((await first).filter((result) => result.ok)).toHaveLength(2000);
      expect(sealer.stats().queueLength).toBe(0);
      expect((await sealer.seal(makeBatch(150))).filter((result) => result.ok)).toHaveLength(150);
    } finally {
      await sealer.close();
    }
  });

  /** Not for this identity, but of the right form: the kernel would have to look at them. */
  function envelopesFor(count: number): Uint8Array[] {
    const field = (tag: number, bytes: Uint8Array): Uint8Array =>
      Uint8Array.of(tag, bytes.length, ...bytes);
    const random = seededBytes('foreign');
    return Array.from({ length: count }, () =>
      Uint8Array.of(
        0x11,
        ...field(0x0a, Uint8Array.of(5, ...random(32))),
        ...field(0x12, random(43)),
        ...field(0x1a, random(60)),
      ),
    );
  }
});
