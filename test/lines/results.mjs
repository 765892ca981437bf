// What vitest's JSON reports say.
import { existsSync, readFileSync } from 'node:fs';

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

export function sum(counts) {
  const total = (key) => counts.reduce((all, count) => all + count[key], 0);
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped') };
}

export const isGood = ({ passed, failed }) => passed > 0 && failed === 0;
export const sayCounts = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;
