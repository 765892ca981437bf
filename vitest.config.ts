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
// Tests run the built package (dist/), worker threads and all. `npm test` (vitest.config.fast.ts)
// leaves some out, which `npm run test:all` (test/lines/all.mjs) runs.
const shared = {
  pool: 'forks' as const,
  testTimeout: HANG_MS,
  hookTimeout: HANG_MS,
  // No verdict depends on the clock: two test files may share the smallest machine.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  execArgv: [redirectWarnings],
  setupFiles: ['test/harness/fail-on-warnings.ts', 'test/harness/compare-bytes.ts'],
} satisfies TestProjectInlineConfiguration['test'];

/** What differs with the kernel, and so what every Node line runs (test/lines). */
const KERNEL_TESTS = [
  'test/kernel/**/*.test.ts',
  'test/interop/**/*.test.ts',
  'test/property/**/*.test.ts',
];
const ofKernels = { ...shared, include: KERNEL_TESTS };

export const projects: TestProjectInlineConfiguration[] = [
  { test: { ...ofKernels, name: 'kernels' } },
  {
    test: {
      ...shared,
      name: 'all else',
      include: ['test/**/*.test.ts'],
      exclude: KERNEL_TESTS,
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
