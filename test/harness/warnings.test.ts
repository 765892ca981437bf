import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runProcess } from './run-process.js';

// fail-on-warnings.ts is a setup file of every test file: here it runs on files that cause
// warnings.

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
  }[];
}

const packageRoot = dirname(createRequire(import.meta.url).resolve('sealcast/package.json'));
const directory = mkdtempSync(join(tmpdir(), 'sealcast-warnings-test-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

test('a test file fails when it, a worker thread or a process of its own causes a warning', async () => {
  const report = join(directory, 'report.json');
  const args = ['run', '--config', 'test/harness/warnings/vitest.config.ts', '--reporter=json'];
  process.env['FIXTURE_WARNINGS_FILE'] = join(directory, 'warnings.txt');
  try {
    const vitest = join(packageRoot, 'node_modules/vitest/vitest.mjs');
    const { exitCode } = await runProcess(vitest, [
      ...args,
      `--outputFile=${report}`,
      `--root=${packageRoot}`,
    ]);
    expect(exitCode).toBe(1);
  } finally {
    delete process.env['FIXTURE_WARNINGS_FILE'];
  }
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const results = testResults.map(({ name, status, message }) => [
    basename(name, '.fixture.ts'),
    status,
    /(MaxListenersExceeded|Deprecation|Experimental)Warning/.exec(message)?.[0],
  ]);
  expect(results.sort()).toEqual([
    ['child', 'failed', 'ExperimentalWarning'],
    ['none', 'passed', undefined],
    ['process', 'failed', 'MaxListenersExceededWarning'],
    ['worker', 'failed', 'DeprecationWarning'],
  ]);
});

test('this run has Node write the warnings of every thread to a file', () => {
  expect(process.execArgv).toContainEqual(expect.stringMatching(/^--redirect-warnings=./));
});
