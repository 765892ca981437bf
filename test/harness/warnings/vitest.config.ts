// The run that test/harness/warnings.test.ts starts: files that cause warnings, under the setup
// file that every test file has.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

export default defineConfig({
  root: packageRoot,
  test: {
    pool: 'forks',
    include: ['test/harness/warnings/*.fixture.ts'],
    execArgv: [`--redirect-warnings=${process.env['FIXTURE_WARNINGS_FILE'] ?? ''}`],
    setupFiles: ['test/harness/fail-on-warnings.ts'],
  },
});
