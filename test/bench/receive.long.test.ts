import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { ReceiveBenchOptions, ReceiveResult } from '../../bench/receive/receive.js';
import { formatReceiveResult, receiveTable } from '../../bench/receive/report.js';
import { builtFile } from '../harness/built-file.js';

// Compiled: it starts processes of its own.
const { runReceiveBench } = (await import(builtFile('bench/receive/receive.js'))) as {
  readonly runReceiveBench: (options: ReceiveBenchOptions) => Promise<ReceiveResult>;
};
const population = mkdtempSync(join(tmpdir(), 'sealcast-bench-test-'));
afterAll(() => rmSync(population, { recursive: true, force: true }));

it('the benchmark of receiving opens every message of a small population, and keeps it for the next run', async () => {
  const options = { messageCount: 30, threads: 1, population, onProgress: () => undefined };
  const result = await runReceiveBench({ ...options, roundCount: 2 });
  const kept = (): number => statSync(join(population, 'received-30', 'acis')).mtimeMs;
  const keptMs = kept();
  expect(result).toMatchObject({
    benchmark: 'receive',
    messages: 30,
    threads: 1,
    rounds: 2,
    serviceWindow: 256,
  });
  expect(result.rows.map(({ batch, window }) => `${batch} ${window}`)).toEqual([
    'first service',
    'later service',
    'receipts service',
    'first all',
    'later all',
    'receipts all',
  ]);
  const { unseal, decrypt, store, whole } = result.stages;
  const figures = [
    ...Object.values(result.loop).map(({ median }) => median),
    ...[unseal, decrypt, store, whole],
    ...result.rows.flatMap((row) => [
      row.microsecondsEach.median,
      row.timesLoop.median,
      row.anonymousMegabytes.median,
    ]),
  ];
  for (const figure of figures) expect(figure).toBeGreaterThan(0);
  expect(formatReceiveResult(result)).toContain('30 messages of as many senders, 1 threads');
  expect(receiveTable([result])).toContain('replies, later ones, all at once: a second');

  await runReceiveBench({ ...options, roundCount: 1 });
  expect(kept()).toBe(keptMs);
});
