import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

test('uses what is deprecated in a worker thread', async () => {
  const worker = new Worker("process.emitWarning('of a worker', 'DeprecationWarning')", {
    eval: true,
  });
  expect(await once(worker, 'exit')).toEqual([0]);
});
