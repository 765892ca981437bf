import { expect, test } from 'vitest';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { keysOf } from '../harness/broadcasts.js';
import { manyTimes, others, regulars, TABLES, TablesScene } from '../harness/tables-scene.js';

test('workers that die amid building and sealing, at any moment, cost nothing but their chunks', async () => {
  await using scene = await TablesScene.open();
  const { broadcasts, sealer, watch } = scene;
  for (let death = 0; death < 5; death++) {
    // A new broadcast to others as well, so that there is always something to be built.
    const strangers = others.slice(0, 8 * death);
    const preparing = sealer.prepare(keysOf([...regulars, ...strangers]));
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
  await scene.expectNothingLost();
});
