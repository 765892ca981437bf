import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('uses what is experimental in a process of its own', () => {
  const code = "process.emitWarning('of a child', 'ExperimentalWarning')";
  expect(spawnSync(process.execPath, ['--eval', code]).status).toBe(0);
});
