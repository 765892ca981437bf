import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type {
  BroadcastMemoryOptions,
  BroadcastMemoryResult,
} from '../../bench/broadcast-memory/broadcast-memory.js';
import type { StrangersBenchOptions, StrangersResult } from '../../bench/strangers/strangers.js';
import { builtFile } from '../harness/built-file.js';

// Compiled: they start processes of their own.
const { runStrangersBench } = (await import(builtFile('bench/strangers/strangers.js'))) as {
  readonly runStrangersBench: (options: StrangersBenchOptions) => Promise<StrangersResult>;
};
const { runBroadcastMemoryBench } = (await import(
  builtFile('bench/broadcast-memory/broadcast-memory.js')
)) as {
  readonly runBroadcastMemoryBench: (
    options: BroadcastMemoryOptions,
  ) => Promise<BroadcastMemoryResult>;
};
const population = mkdtempSync(join(tmpdir(), 'sealcast-bench-test-'));
const common = { threads: 1, population, onProgress: () => undefined };
afterAll(() => rmSync(population, { recursive: true, force: true }));

it('the benchmark of strangers reads two broadcasts and the loop, and keeps the bundles', async () => {
  const options = { ...common, recipientCount: 20, roundCount: 1 };
  const result = await runStrangersBench(options);
  const kept = (): number => statSync(join(population, 'strangers-40', 'bundles')).mtimeMs;
  const keptMs = kept();
  expect(result).toMatchObject({ benchmark: 'strangers', recipients: 20, threads: 1, rounds: 1 });
  expect(result.rows.map(({ broadcast }) => broadcast)).toEqual(['first', 'later']);
  for (const name of ['first', 'later'] as const) {
    expect(result.loop[name].median).toBeGreaterThan(0);
    expect(result.timesLoop[name].median).toBeGreaterThan(0);
  }
  await runStrangersBench(options);
  expect(kept()).toBe(keptMs);
});

it('the benchmark of a broadcast’s memory reads every broadcast for each number of recipients', async () => {
  const result = await runBroadcastMemoryBench({
    ...common,
    recipientCounts: [10, 20],
    broadcasts: 2,
  });
  expect(result).toMatchObject({ benchmark: 'broadcast-memory', threads: 1, broadcasts: 2 });
  expect(result.rows.map(({ recipients }) => recipients)).toEqual([10, 20]);
  for (const { anonymousMegabytes, loopP99Ms, settled } of result.rows) {
    expect([anonymousMegabytes.length, loopP99Ms.length]).toEqual([2, 2]);
    expect(settled.heapMegabytes).toBeGreaterThan(0);
  }
  expect(result.growth).toBeGreaterThan(0);
});
