// Rewrites the figures in README.md from the results in bench/results; with --check, says whether they are the same.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT, RESULTS_DIRECTORY } from './report/environment.js';
import { readResults, renderReadmeBlock, replaceBlock } from './report/readme-block.js';

const path = join(PACKAGE_ROOT, 'README.md');
const readme = readFileSync(path, 'utf8');
const updated = replaceBlock(readme, renderReadmeBlock(readResults(RESULTS_DIRECTORY)));
if (process.argv.includes('--check')) {
  if (updated !== readme) {
    console.error('The figures in README.md are not those of bench/results: run node build/bench/readme-table.js');
    process.exitCode = 1;
  }
} else if (updated !== readme) {
  writeFileSync(path, updated);
}
