// Rewrites what README.md shows of the results in bench/results, its chart included; with --check,
// says whether it is up to date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART_FILES, renderChart, type Theme } from './report/chart.js';
import { FIGURE_DOCUMENTS, replaceBlock } from './report/documents.js';
import { PACKAGE_ROOT, RESULTS_DIRECTORY } from './report/environment.js';
import { readResults, resultsOf } from './report/results.js';

const results = readResults(RESULTS_DIRECTORY);
const files = [
  ...FIGURE_DOCUMENTS.map((document) => {
    const path = join(PACKAGE_ROOT, document.path);
    return { path, contents: replaceBlock(readFileSync(path, 'utf8'), document.render(results)) };
  }),
  ...(Object.keys(CHART_FILES) as Theme[]).map((theme) => ({
    path: join(RESULTS_DIRECTORY, CHART_FILES[theme]),
    contents: renderChart(resultsOf(results, 'envelope'), theme),
  })),
];
const stale = files.filter(
  ({ path, contents }) => !existsSync(path) || readFileSync(path, 'utf8') !== contents,
);
if (process.argv.includes('--check')) {
  for (const { path } of stale)
    console.error(`${path} does not show bench/results: run node build/bench/write-figures.js`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const { path, contents } of stale) writeFileSync(path, contents);
}
