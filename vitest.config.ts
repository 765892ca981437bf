import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/**
 * Ends a test that hangs. No verdict depends on it: on a machine that is busy with other things,
 * tests take their time.
 */
const HANG_MS = 600_000;
/**
 * Where Node writes the warnings of every thread of the tests' processes;
 * test/harness/fail-on-warnings.ts reads it.
 */
const warningsFile = fileURLToPath(new URL('build/test-warnings.txt', import.meta.url));
rmSync(warningsFile, { force: true });
const redirectWarnings = `--redirect-warnings=${warningsFile}`;
const SETUP_FILES = ['test/harness/fail-on-warnings.ts', 'test/harness/compare-bytes.ts'];
const WITH_ACCOUNTS = [...SETUP_FILES, 'test/harness/cold-workers.ts'];
/**
 * `npm run dev` sets it: Vitest's watcher finds the tests that a change touches by the modules that
 * Vitest loads itself, so none of them is Node's to load.
 */
const isWatching = process.env['SEALCAST_WATCH'] === '1';
const loadedByNode = isWatching
  ? {}
  : { server: { deps: { external: [/\/dist\/(?:src|workers|assembly)\//] } } };
// Tests run the built package (dist/), worker threads and all. `npm test` (vitest.config.fast.ts)
// leaves some out, which `npm run test:all` (test/lines/all.mjs) runs.
const isolated = {
  pool: 'forks' as const,
  testTimeout: HANG_MS,
  hookTimeout: HANG_MS,
  // No verdict depends on the clock: two test files may share the smallest machine.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  execArgv: [redirectWarnings],
  setupFiles: SETUP_FILES,
  ...loadedByNode,
} satisfies TestProjectInlineConfiguration['test'];
/**
 * One process runs file after file: half of the CPU time of a small file is its process and its
 * imports (docs/decisions/0014-test-processes.md).
 */
const usual = { ...isolated, isolate: isWatching };

/** What differs with the kernel, and so what every Node line runs (test/lines). */
const KERNEL_TESTS = [
  'test/kernel/**/*.test.ts',
  'test/interop/**/*.test.ts',
  'test/property/**/*.test.ts',
];
const ofKernels = { ...usual, include: KERNEL_TESTS };
/**
 * Test files that look at the whole process (its workers, memory, warnings, uncaught errors), or
 * change its globals or its prototypes: each has a process.
 */
const OWN_PROCESS = [
  'test/**/*.long.test.ts',
  'test/crash/**/*.test.ts',
  'test/engine/**/*.test.ts',
  'test/harness/**/*.test.ts',
  'test/package/**/*.test.ts',
  'test/sealer/**/*.test.ts',
  'test/runtime/daily-schedule.test.ts',
  'test/broadcast/discretion.test.ts',
  'test/broadcast/run.test.ts',
  'test/receive/ending.test.ts',
  'test/receive/limits.test.ts',
  'test/receive/poison.test.ts',
  'test/receive/store-at-rest.test.ts',
  'test/receive/workers.test.ts',
  'test/runtime/store-claims.test.ts',
  'test/store/lmdb.test.ts',
  'test/store/process-identity.test.ts',
  'test/transport/chat-transport-incoming.test.ts',
  'test/util/event-relay.test.ts',
];

export const projects: TestProjectInlineConfiguration[] = [
  {
    test: {
      ...isolated,
      name: 'own process',
      include: OWN_PROCESS,
      exclude: KERNEL_TESTS,
      setupFiles: WITH_ACCOUNTS,
    },
  },
  { test: { ...ofKernels, name: 'kernels' } },
  {
    test: {
      ...usual,
      name: 'all else',
      setupFiles: [...WITH_ACCOUNTS, 'test/harness/shared-session-thread.ts'],
      include: ['test/**/*.test.ts'],
      exclude: [...KERNEL_TESTS, ...OWN_PROCESS],
    },
  },
];
// Node 20 has relaxed SIMD, which the fma kernel wants, behind a flag. It holds for the tests'
// worker threads too.
if (process.version.startsWith('v20.')) {
  const execArgv = [redirectWarnings, '--experimental-wasm-relaxed-simd'];
  projects.push({ test: { ...ofKernels, name: 'relaxed SIMD', execArgv } });
}

export default defineConfig({
  test: {
    projects,
    reporters: ['default', 'json'],
    outputFile: { json: 'build/test-results.json' },
  },
});
