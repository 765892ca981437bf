// A setup file of every test file (vitest.config.ts), which Vitest evaluates for each, also where
// several share a process: the file fails when a process warning was emitted while it ran, in this
// process, in one of its worker threads, or in a process that it started.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll } from 'vitest';

/** Warnings that neither the library nor the tests cause. Each entry says whose they are. */
const NOT_OURS: readonly RegExp[] = [
  // Node 22 and 24 warn of their own `node:sqlite`.
  /SQLite is an experimental feature/,
];

const directory = mkdtempSync(join(tmpdir(), 'sealcast-warnings-'));
const ofChildren = join(directory, 'children');
/**
 * Node itself appends its warnings here, of all threads: the option that vitest.config.ts gives.
 */
const ofThreads = process.execArgv
  .find((arg) => arg.startsWith('--redirect-warnings='))
  ?.split('=')[1];
if (ofThreads === undefined)
  throw new Error('the tests need --redirect-warnings: run them with vitest.config.ts');
/** Of earlier files in this process, which have failed by them. */
const earlierCount = ownLines(ofThreads).length;
const warnings: string[] = [];
const note = (warning: Error): void => {
  warnings.push(warning.stack ?? String(warning));
};

process.on('warning', note);
// Processes that tests start, and theirs, inherit it.
process.env['NODE_REDIRECT_WARNINGS'] = ofChildren;

afterAll(async () => {
  // Node emits a warning in a later tick than the one that caused it.
  await nextTurn();
  process.off('warning', note);
  delete process.env['NODE_REDIRECT_WARNINGS'];
  const own = ownLines(ofThreads).slice(earlierCount);
  const found = [...warnings, ...own, ...linesOf(ofChildren)];
  rmSync(directory, { recursive: true, force: true });
  const ours = found.filter((warning) => !NOT_OURS.some((pattern) => pattern.test(warning)));
  if (ours.length > 0) throw new Error(['process warnings:', ...ours].join('\n'));
});

function ownLines(file: string): string[] {
  return linesOf(file).filter((line) => line.startsWith(`(node:${process.pid}) `));
}

function linesOf(file: string): string[] {
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
