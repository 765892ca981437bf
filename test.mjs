// `npm test`, once setup.mjs has installed what it needs: the build, and beside it the checks that
// need none; then the tests, and beside them the check that needs the build. The compiler keeps one
// CPU busy, and tests wait now and then. check.mjs and vitest.config.fast.ts say which checks and
// tests are left to `npm run test:all`.
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

/** Runs programs at the same time; ends this one if one of them did not end well. */
async function runAll(...programs) {
  const results = await Promise.all(programs.map((args) => run(...args)));
  if (!results.every(Boolean)) process.exit(1);
}

const jobs = `--jobs=${Math.max(1, availableParallelism() - 1)}`;
await runAll(['build.mjs'], ['check.mjs', 'sources', jobs]);
await runAll(
  ['check.mjs', 'built'],
  ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.config.fast.ts'],
);
