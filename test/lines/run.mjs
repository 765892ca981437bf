// Runs the tests of kernels and envelopes on every Node line that sealcast is for, since each line's V8 makes other machine
// code of a kernel, and may choose another kernel. `--after <report>`: the line of the Node that runs this has had all its
// tests already, with this report; only the other lines are left, and the report counts with theirs. The last line counts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LINES, hasBinaries, installNodes, platform } from './nodes.mjs';
import { countResults, isGood, sayCounts, sum } from './results.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const reports = join(root, 'build/lines');
/**
 * Beside kernels and envelopes: what chunks are cut into, and what an engine that lacks something is told, and a process
 * that forbids something. */
const TESTS = [
  'test/kernel/',
  'test/interop/',
  'test/property/',
  'test/engine/chunks.test',
  'test/package/no-simd.test',
  'test/package/surroundings.test',
];

/** Runs the tests on a Node; gives their counts. */
function runLine(node, version) {
  console.log(`\nNode ${version}`);
  const report = join(reports, `${version}.json`);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', ...TESTS, '--slowTestThreshold=60000', `--outputFile.json=${report}`];
  const { status } = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
  const counts = countResults(report);
  // What goes wrong outside of any test fails the run all the same.
  return status === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

const { values } = parseArgs({ options: { after: { type: 'string' } } });
const ownLine = Number(process.versions.node.split('.')[0]);
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

const { version } = process;
const results = new Map();
if (values.after === undefined) results.set(version, runLine(process.execPath, version));
else results.set(`${version}, all tests`, countResults(join(root, values.after)));
const others = LINES.filter((line) => line !== ownLine);
if (!hasBinaries) {
  console.log(`Node ${others.join(', ')}: not run, since no binaries of Node for ${platform} are pinned here.`);
} else {
  try {
    const binaryOf = installNodes();
    for (const line of others) results.set(`v${line}`, runLine(binaryOf(line), `v${line}`));
  } catch (error) {
    console.error(error);
    results.set(others.join(', '), { passed: 0, failed: 1, skipped: 0 });
  }
}

for (const [line, counts] of results) console.log(`Node ${line}: ${sayCounts(counts)}`);
const counts = [...results.values()];
console.log(sayCounts(sum(counts)));
process.exit(counts.every(isGood) ? 0 : 1);
