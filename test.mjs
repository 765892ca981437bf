// `npm test`, once setup.mjs has installed what it needs: the build, then the tests and the check
// that needs the build. The checks of the sources go on beside both: the compiler keeps one CPU
// busy, and tests wait now and then. check.mjs and vitest.config.fast.ts say which checks and tests
// are left to `npm run test:all`.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Resolves with whether the program ended well. */
function run(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (status) => resolve(status === 0));
  });
}

const jobs = `--jobs=${Math.max(1, availableParallelism() - 1)}`;
const sources = run('check.mjs', 'sources', jobs);
const isBuilt = await run('build.mjs');
const results = await Promise.all([
  sources,
  ...(isBuilt
    ? [
        run('check.mjs', 'built'),
        run('node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.config.fast.ts'),
      ]
    : []),
]);
if (!isBuilt || !results.every(Boolean)) process.exitCode = 1;
