import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sealer, type SealResult } from 'sealcast';
import { RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import { planMemory, TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { Broadcasts, keysOf } from '../harness/broadcasts.js';
import { MemoryWatch } from '../harness/memory-watch.js';
import { WorkerHold } from '../harness/worker-hold.js';
import { WorkerWatch } from '../harness/worker-watch.js';

// Chunks that are cut off while they have tables, or build some. Whatever becomes of them: no place
// is lost, none is given away too early, and nothing half-built is ever used.

const TABLES = 48;
const THREADS = 2;
const LARGE_BATCH_ENTRIES = 6000;
const broadcasts = new Broadcasts(3 * TABLES, 'interrupted');
const regulars = broadcasts.recipients(0, TABLES);
const newcomers = broadcasts.recipients(TABLES, 2 * TABLES);
const recipientCacheBytes = TABLES * TABLES_COST_BYTES;

let watch: WorkerWatch;
let memoryWatch: MemoryWatch;
let sealer: Sealer;

beforeEach(async () => {
  watch = new WorkerWatch();
  memoryWatch = new MemoryWatch();
  sealer = await Sealer.create({
    identityKeyPair: broadcasts.world.sender,
    threads: THREADS,
    recipientCacheBytes,
  });
  // The first sealing: from now on their tables are wanted.
  await broadcasts.send(sealer, regulars);
});
afterEach(async () => {
  await neverHangs(sealer.close(), 'close()');
  watch.stop();
  memoryWatch.stop();
});

/**
 * All is as if nothing had been cut off: all tables can be the regulars', and then, when these stay
 * away, others'.
 */
async function expectNothingLost(): Promise<void> {
  await broadcasts.takeOver(sealer, regulars);
  await broadcasts.takeOver(sealer, newcomers);
}

/** Everybody again and again, so that some chunks build tables and others have them at any time. */
const manyTimes = Array.from(
  { length: LARGE_BATCH_ENTRIES },
  (_, i) => regulars[(i * 5 + (i >> 6)) % TABLES]!,
);

async function startLarge(signal?: AbortSignal): Promise<{ results: Promise<SealResult[]> }> {
  const results = sealer.seal(
    broadcasts.requests(manyTimes),
    signal === undefined ? {} : { signal },
  );
  results.catch(() => undefined);
  const atStart = sealer.stats().queueLength;
  await untilTrue(() => sealer.stats().queueLength < atStart);
  return { results };
}

describe('workers that die', () => {
  test.each(['seal', 'prepare'] as const)(
    'before %s() has built what it was to build leave room for the next recipient',
    async (call) => {
      const list = regulars.slice(0, 16);
      using hold = new WorkerHold();
      const building =
        call === 'seal' ? sealer.seal(broadcasts.requests(list)) : sealer.prepare(keysOf(list));
      await hold.untilHeld(1);
      const exits = watch.alive.map((worker) => worker.terminate());
      const results = await neverHangs(building, 'the batch');
      await Promise.all(exits);
      hold.release();
      for (const result of results)
        expect(result).toMatchObject({ ok: false, error: { code: 'ERR_WORKER_LOST' } });
      expect(sealer.stats().tables).toBe(0);
      expect(await broadcasts.send(sealer, regulars)).toEqual({ byTable: TABLES, byLadder: 0 });
      await expectNothingLost();
    },
  );

  test('amid building and sealing, at any moment, cost nothing but their chunks', async () => {
    for (let death = 0; death < 5; death++) {
      // A new broadcast to others as well, so that there is always something to be built.
      const others = broadcasts.recipients(2 * TABLES, 3 * TABLES).slice(0, 8 * death);
      const preparing = sealer.prepare(keysOf([...regulars, ...others]));
      const list = manyTimes.slice(0, 1500);
      const sealing = sealer.seal(broadcasts.requests(list));
      const atStart = sealer.stats().queueLength;
      await untilTrue(() => sealer.stats().queueLength < atStart - 150 * death);
      const exits = watch.alive.slice(0, 1 + (death % 2)).map((worker) => worker.terminate());
      const results = await neverHangs(sealing, 'the batch');
      await neverHangs(preparing, 'prepare()');
      await Promise.all(exits);
      await broadcasts.open(list, results);
      expect(sealer.stats().tables).toBeLessThanOrEqual(TABLES);
    }
    await expectNothingLost();
  });
});

describe('an abort', () => {
  test('amid building gives back all tables that its chunks had', async () => {
    const controller = new AbortController();
    const { results } = await startLarge(controller.signal);
    controller.abort();
    await expect(results).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    // Chunks that were in the workers' hands are still there: nobody may be given their tables yet.
    await broadcasts.send(sealer, [...newcomers, ...newcomers, ...regulars]);
    await expectNothingLost();
  });

  test('of prepare() does so too, whenever it comes', async () => {
    const list = [...regulars, ...newcomers];
    for (const turns of [0, 1, 2, 3]) {
      const controller = new AbortController();
      const preparing = sealer.prepare(keysOf(list), { signal: controller.signal });
      // Chunks are laid within this turn of the event loop; their results come in another.
      await Promise.resolve();
      await manyTurns(turns);
      controller.abort();
      const aborted = expect(preparing).rejects.toMatchObject({ code: 'ERR_ABORTED' });
      if (turns === 0) await aborted;
      else await aborted.catch(() => undefined);
      await broadcasts.send(sealer, list);
    }
    await expectNothingLost();
  });
});

describe('close()', () => {
  const { tablesPtr, tablesCount } = planMemory(recipientCacheBytes, 0);
  const tablesBytes = (): Buffer => {
    const memory = memoryWatch.memories.find(({ buffer }) => buffer.byteLength > 2 * 1024 * 1024);
    return Buffer.from(memory!.buffer, tablesPtr, tablesCount * RECIPIENT_TABLES_BYTES);
  };

  test('amid building ends in peace, and leaves zeros where tables were', async () => {
    await broadcasts.send(sealer, regulars);
    expect(sealer.stats().tables).toBe(TABLES);
    expect(tablesBytes().some((byte) => byte !== 0)).toBe(true);
    await sealer.seal(broadcasts.requests(newcomers));
    const { results } = await startLarge();
    const closing = sealer.close();
    await expect(results).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await neverHangs(closing, 'close()');
    expect(tablesBytes().every((byte) => byte === 0)).toBe(true);
  });
});
