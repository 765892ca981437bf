// `npm run test:all`: the rest of `npm test`. It is the checks of the group "rest" (check.mjs),
// which count as one test, the long tests (*.long.test.ts), the relaxed-SIMD project on a Node that
// has one (vitest.config.ts), and the other Node lines. `--after <report>`: this report of `npm
// test` counts, too. The last line counts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runOtherLines } from './lines.mjs';
import { countResults, endWithCounts, runVitest } from './vitest.mjs';

const RELAXED = 'relaxed SIMD';
const { values } = parseArgs({ options: { after: { type: 'string' } } });
const results = new Map();
if (values.after !== undefined) results.set('npm test', countResults(values.after));
const check = fileURLToPath(new URL('../../check.mjs', import.meta.url));
const { status } = spawnSync(process.execPath, [check, 'rest'], { stdio: 'inherit' });
results.set('checks', { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 });
results.set(
  'long tests',
  runVitest(process.execPath, 'long tests', ['.long.test', `--project=!${RELAXED}`]),
);
if (process.version.startsWith('v20.')) {
  results.set(RELAXED, runVitest(process.execPath, RELAXED, [`--project=${RELAXED}`]));
}
for (const [name, counts] of runOtherLines()) results.set(name, counts);
endWithCounts(results);
