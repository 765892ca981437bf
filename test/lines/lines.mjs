// The tests of kernels and envelopes on the Node lines that sealcast is for: each line's V8 makes
// other machine code of a kernel, and may choose another kernel.
import { LINES, hasBinaries, installNodes, platform } from './nodes.mjs';
import { runVitest } from './vitest.mjs';

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
const ownLine = Number(process.versions.node.split('.')[0]);

/** Runs them on the Node that runs this. */
export function runOwnLine() {
  const name = `Node ${process.version}`;
  return new Map([[name, runVitest(process.execPath, name, TESTS)]]);
}

/** Runs them on every line but that of the Node that runs this; returns the counts of each. */
export function runOtherLines() {
  const results = new Map();
  const others = LINES.filter((line) => line !== ownLine);
  if (!hasBinaries) {
    console.log(
      `Node ${others.join(', ')}: not run, since no binaries of Node for ${platform} are pinned here.`,
    );
    return results;
  }
  try {
    const binaryOf = installNodes();
    for (const line of others) {
      const name = `Node v${line}`;
      results.set(name, runVitest(binaryOf(line), name, TESTS));
    }
  } catch (error) {
    console.error(error);
    results.set(`Node ${others.join(', ')}`, { passed: 0, failed: 1, skipped: 0 });
  }
  return results;
}
