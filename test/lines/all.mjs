// `npm run test:all`: the tests that `npm test` leaves out. They are the long ones
// (*.long.test.ts), the relaxed-SIMD project on a Node that has one (vitest.config.ts), and the
// other Node lines. `--after <report>`: this report of `npm test` counts, too. The last line
// counts.
import { parseArgs } from 'node:util';
import { runOtherLines } from './lines.mjs';
import { countResults, endWithCounts, runVitest } from './vitest.mjs';

const RELAXED = 'relaxed SIMD';
const { values } = parseArgs({ options: { after: { type: 'string' } } });
const results = new Map();
if (values.after !== undefined) results.set('npm test', countResults(values.after));
results.set(
  'long tests',
  runVitest(process.execPath, 'long tests', ['.long.test', `--project=!${RELAXED}`]),
);
if (process.version.startsWith('v20.')) {
  results.set(RELAXED, runVitest(process.execPath, RELAXED, [`--project=${RELAXED}`]));
}
for (const [name, counts] of runOtherLines()) results.set(name, counts);
endWithCounts(results);
