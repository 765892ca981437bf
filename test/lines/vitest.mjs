// Runs vitest on a Node, and counts what its JSON report says.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const reports = join(root, 'build/reports');

/**
 * Runs the tests that the arguments select; returns their counts. `name` is the report's, in
 * build/reports.
 */
export function runVitest(node, name, args) {
  console.log(`\n${name}`);
  const report = join(reports, `${name.replaceAll(' ', '-')}.json`);
  rmSync(report, { force: true });
  mkdirSync(reports, { recursive: true });
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const allArgs = [
    vitest,
    'run',
    ...args,
    '--slowTestThreshold=60000',
    `--outputFile.json=${report}`,
  ];
  const { status } = spawnSync(node, allArgs, { cwd: root, stdio: 'inherit' });
  const counts = countResults(report);
  // What goes wrong outside of any test fails the run all the same.
  return status === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

/** Counts a report. One that is missing, because its run broke off, is a failure. */
export function countResults(file) {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  // A file that does not even load has no tests to count.
  const isBroken = ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed');
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.testResults.filter(isBroken).length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * Prints the counts of each run and, in the last line, of all; exits with 1 if one of them failed
 * or ran nothing.
 */
export function endWithCounts(results) {
  for (const [name, counts] of results) console.log(`${name}: ${formatCounts(counts)}`);
  const counts = [...results.values()];
  const total = (key) => counts.reduce((all, count) => all + count[key], 0);
  console.log(
    formatCounts({ passed: total('passed'), failed: total('failed'), skipped: total('skipped') }),
  );
  process.exit(counts.every(({ passed, failed }) => passed > 0 && failed === 0) ? 0 : 1);
}

const formatCounts = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;
