import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sealer, type SealRequest, type SealResult } from 'sealcast';
import { toHex } from '../reference/bytes.js';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { cyclic, openWithLibsignal } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { createWorld, usmcOfSize } from '../harness/signal-fixtures.js';
import { WorkerHold } from '../harness/worker-hold.js';
import { WorkerWatch } from '../harness/worker-watch.js';

const RECIPIENT_COUNT = 40;
const LARGEST_CHUNK_ENTRIES = 256;

const world = createWorld(RECIPIENT_COUNT);
const random = seededBytes('worker-death');
const contents = Array.from({ length: 7 }, (_, i) =>
  usmcOfSize(world.senderCertificate, 500 + i, random).serialize(),
);

function makeBatch(entryCount: number): SealRequest[] {
  return Array.from({ length: entryCount }, (_, i) => ({
    recipientIdentityKey: cyclic(world.recipients, i).identity.publicKey,
    content: cyclic(contents, i),
  }));
}

/**
 * Checks that every entry was sealed, to its own recipient and around its own content, or says that
 * its worker was lost.
 */
async function expectGoodOrLost(
  results: readonly SealResult[],
  entryCount: number,
): Promise<number[]> {
  expect(results).toHaveLength(entryCount);
  const lost: number[] = [];
  for (let index = 0; index < entryCount; index++) {
    const result = results[index];
    if (result?.ok === false) {
      expect(result.error).toMatchObject({ name: 'SealcastError', code: 'ERR_WORKER_LOST', index });
      lost.push(index);
    } else {
      const opened = await openWithLibsignal(cyclic(world.recipients, index), result);
      expect(toHex(opened)).toBe(toHex(cyclic(contents, index)));
    }
  }
  return lost;
}

async function expectAllGood(sealer: Sealer, entryCount: number): Promise<void> {
  const results = await neverHangs(sealer.seal(makeBatch(entryCount)), 'a batch after the deaths');
  expect(await expectGoodOrLost(results, entryCount)).toEqual([]);
}

describe.each([1, 2])('a Sealer with %i thread(s)', (threads) => {
  let sealer: Sealer;
  let watch: WorkerWatch;

  beforeEach(async () => {
    watch = new WorkerWatch();
    sealer = await Sealer.create({ identityKeyPair: world.sender, threads });
    await expectAllGood(sealer, 64);
    expect(watch.alive).toHaveLength(threads);
  });
  afterEach(async () => {
    await neverHangs(sealer.close(), 'close()');
    watch.stop();
  });

  /**
   * Starts a batch of which some chunks are sealed, many wait, and one is with each worker, which
   * has not begun it. Gives the batch's promise, and what lets the workers go on.
   */
  async function startLargeBatch(
    entryCount: number,
  ): Promise<{ results: Promise<SealResult[]>; hold: WorkerHold }> {
    const results = sealer.seal(makeBatch(entryCount));
    const atStart = sealer.stats().queueLength;
    await untilTrue(() => sealer.stats().queueLength < atStart);
    const hold = new WorkerHold();
    await hold.untilHeld(threads);
    expect(sealer.stats().queueLength).toBeGreaterThan(0);
    return { results, hold };
  }

  test('loses one chunk with a worker that is killed, and seals all other entries in order', async () => {
    const entryCount = 4000;
    const { results, hold } = await startLargeBatch(entryCount);
    await watch.alive[0]?.terminate();
    hold.release();
    const lost = await expectGoodOrLost(await neverHangs(results, 'the batch'), entryCount);

    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThanOrEqual(LARGEST_CHUNK_ENTRIES);
    const [firstLost = 0] = lost;
    expect(lost).toEqual(lost.map((_, i) => firstLost + i));
  });

  test('replaces the dead worker and goes on', async () => {
    const { results, hold } = await startLargeBatch(3000);
    await watch.alive[0]?.terminate();
    hold.release();
    await neverHangs(results, 'the batch');

    await expectAllGood(sealer, 600);
    await untilTrue(() => watch.alive.length === threads);
    expect(watch.started).toHaveLength(threads + 1);
  });

  test('survives the death of all workers at once', async () => {
    const entryCount = 4000;
    const { results, hold } = await startLargeBatch(entryCount);
    await Promise.all(watch.alive.map((worker) => worker.terminate()));
    hold.release();
    const lost = await expectGoodOrLost(await neverHangs(results, 'the batch'), entryCount);

    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThanOrEqual(threads * LARGEST_CHUNK_ENTRIES);
    await expectAllGood(sealer, 600);
  });

  test('never hangs while every new worker is killed as it starts', async () => {
    const killed: Promise<number>[] = [];
    let killsLeft = 12;
    const kill = (worker: Worker): void => {
      if (killsLeft-- > 0) killed.push(worker.terminate());
    };
    watch.onStart = kill;
    watch.alive.forEach(kill);
    while (killsLeft > 0) {
      const results = await neverHangs(sealer.seal(makeBatch(300)), 'a batch among deaths');
      await expectGoodOrLost(results, 300);
    }
    await Promise.all(killed);
    expect(killed).toHaveLength(12);

    // The deaths that are still being noticed may cost one more batch some entries, but no third
    // one.
    await expectGoodOrLost(await neverHangs(sealer.seal(makeBatch(300)), 'the next batch'), 300);
    await expectAllGood(sealer, 300);
  });

  test('does not care when idle workers die', async () => {
    const victims = watch.alive;
    const exits = victims.map((worker) => once(worker, 'exit'));
    for (const worker of victims) void worker.terminate();
    await Promise.all(exits);

    await expectAllGood(sealer, 600);
    expect(watch.alive).toHaveLength(threads);
  });

  test('fails an entry with ERR_WORKER_LOST when unsealing and preparing too', async () => {
    const recipient = cyclic(world.recipients, 0);
    const receiver = await Sealer.create({ identityKeyPair: recipient.identity, threads });
    try {
      const toOne = contents.map((content) => ({
        recipientIdentityKey: recipient.identity.publicKey,
        content,
      }));
      const sealed = await sealer.seal(toOne);
      const envelopes = Array.from({ length: 2000 }, (_, i) => {
        const result = cyclic(sealed, i);
        return result.ok ? result.envelope : new Uint8Array();
      });
      const receiverWorkers = watch.alive.slice(-threads);
      using hold = new WorkerHold();
      const unsealing = receiver.unseal(envelopes);
      await hold.untilHeld(threads);
      await Promise.all(receiverWorkers.map((worker) => worker.terminate()));
      hold.release();
      const results = await neverHangs(unsealing, 'unseal()');

      const lost = results.filter((result) => !result.ok);
      expect(lost.length).toBeGreaterThan(0);
      results.forEach((result, index) => {
        if (result.ok) expect(toHex(result.content)).toBe(toHex(cyclic(contents, index)));
        else expect(result.error).toMatchObject({ code: 'ERR_WORKER_LOST', index });
      });
    } finally {
      await neverHangs(receiver.close(), 'close()');
    }

    const keys = Array.from({ length: 2000 }, (_, i) =>
      Uint8Array.of(5, ...random(29), i >> 8, i & 0xff, 0),
    );
    using hold = new WorkerHold();
    const preparing = sealer.prepare(keys);
    await hold.untilHeld(threads);
    await Promise.all(watch.alive.map((worker) => worker.terminate()));
    hold.release();
    const prepared = await neverHangs(preparing, 'prepare()');
    expect(prepared).toHaveLength(keys.length);
    const failed = [...prepared.entries()].filter(([, result]) => !result.ok);
    expect(failed.length).toBeGreaterThan(0);
    for (const [index, result] of failed)
      expect(result).toMatchObject({ error: { code: 'ERR_WORKER_LOST', index } });
  });
});
