// A setup file of every test file (vitest.config.ts): the file fails when a process warning was emitted while it ran, in this
// process, in one of its worker threads, or in a process that it started.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';

/** Warnings that neither the library nor the tests cause. Each entry says whose they are. */
const NOT_OURS: readonly RegExp[] = [];

const directory = mkdtempSync(join(tmpdir(), 'sealcast-warnings-'));
const ofChildren = join(directory, 'children');
/** Node itself appends its warnings here, of all threads: the option that vitest.config.ts gives. */
const ofThreads = process.execArgv.find((arg) => arg.startsWith('--redirect-warnings='))?.split('=')[1];
const warnings: string[] = [];
const note = (warning: Error): void => {
  warnings.push(warning.stack ?? String(warning));
};

process.on('warning', note);
// Processes that tests start, and theirs, inherit it.
process.env['NODE_REDIRECT_WARNINGS'] = ofChildren;

afterAll(() => {
  process.off('warning', note);
  delete process.env['NODE_REDIRECT_WARNINGS'];
  const own = linesOf(ofThreads).filter((line) => line.startsWith(`(node:${process.pid}) `));
  const found = [...warnings, ...own, ...linesOf(ofChildren)];
  rmSync(directory, { recursive: true, force: true });
  expect(
    found.filter((warning) => !NOT_OURS.some((pattern) => pattern.test(warning))),
    'process warnings',
  ).toEqual([]);
});

function linesOf(file: string | undefined): string[] {
  if (file === undefined) return [];
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('(node:'));
  } catch (error) {
    // Node makes the file with its first warning.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
