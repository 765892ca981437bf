import type { Sealer } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import { planMemory } from '#dist/src/kernel/control.js';
import { manyTurns, neverHangs } from '../harness/await-condition.js';
import { keysOf, type Broadcasts } from '../harness/broadcasts.js';
import {
  newcomers,
  recipientCacheBytes,
  regulars,
  TABLES,
  TablesScene,
} from '../harness/tables-scene.js';
import { WorkerHold } from '../harness/worker-hold.js';

// Deaths at other moments: tables-interrupted.long.test.ts.
let scene: TablesScene;
let sealer: Sealer;
let broadcasts: Broadcasts;
beforeEach(async () => {
  scene = await TablesScene.open();
  ({ sealer, broadcasts } = scene);
});
afterEach(() => scene[Symbol.asyncDispose]());

describe('workers that die', () => {
  test.each(['seal', 'prepare'] as const)(
    'before %s() has built what it was to build leave room for the next recipient',
    async (call) => {
      const list = regulars.slice(0, 16);
      using hold = new WorkerHold();
      const building =
        call === 'seal' ? sealer.seal(broadcasts.requests(list)) : sealer.prepare(keysOf(list));
      await hold.untilHeld(1);
      const exits = scene.watch.alive.map((worker) => worker.terminate());
      const results = await neverHangs(building, 'the batch');
      await Promise.all(exits);
      hold.release();
      for (const result of results)
        expect(result).toMatchObject({ ok: false, error: { code: 'ERR_WORKER_LOST' } });
      expect(sealer.stats().tables).toBe(0);
      expect(await broadcasts.send(sealer, regulars)).toEqual({ byTable: TABLES, byLadder: 0 });
      await scene.expectNothingLost();
    },
  );
});

describe('an abort', () => {
  test('amid building gives back all tables that its chunks had', async () => {
    const controller = new AbortController();
    const { results } = await scene.startLarge(controller.signal);
    controller.abort();
    await expect(results).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    // Chunks that were in the workers' hands are still there: nobody may be given their tables yet.
    await broadcasts.send(sealer, [...newcomers, ...newcomers, ...regulars]);
    await scene.expectNothingLost();
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
    await scene.expectNothingLost();
  });
});

describe('close()', () => {
  const { tablesPtr, tablesCount } = planMemory(recipientCacheBytes, 0);
  const tablesBytes = (): Buffer => {
    const memory = scene.memoryWatch.memories.find(
      ({ buffer }) => buffer.byteLength > 2 * 1024 * 1024,
    );
    return Buffer.from(memory!.buffer, tablesPtr, tablesCount * RECIPIENT_TABLES_BYTES);
  };

  test('amid building ends in peace, and leaves zeros where tables were', async () => {
    await broadcasts.send(sealer, regulars);
    expect(sealer.stats().tables).toBe(TABLES);
    expect(tablesBytes().some((byte) => byte !== 0)).toBe(true);
    await sealer.seal(broadcasts.requests(newcomers));
    const { results } = await scene.startLarge();
    const closing = sealer.close();
    await expect(results).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await neverHangs(closing, 'close()');
    expect(tablesBytes().every((byte) => byte === 0)).toBe(true);
  });
});
