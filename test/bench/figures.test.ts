import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FULL_PLAN } from '../../bench/envelope/plan.js';
import { CHART_FILES, renderChart, type Theme } from '../../bench/report/chart.js';
import { PACKAGE_ROOT, RESULTS_DIRECTORY } from '../../bench/report/environment.js';
import {
  END_MARKER,
  FIGURE_DOCUMENTS,
  replaceBlock,
  START_MARKER,
} from '../../bench/report/documents.js';
import { BENCHMARKS, nodeLine, readResults, resultsOf } from '../../bench/report/results.js';

/** Benchmarks that are newer than the latest full run. */
const LATEST: ReadonlySet<string> = new Set(['strangers', 'broadcast-memory']);

describe('the figures in the documents', () => {
  const results = readResults(RESULTS_DIRECTORY);

  it.each(FIGURE_DOCUMENTS)('are those of the committed results: $path', ({ path, render }) => {
    const text = readFileSync(join(PACKAGE_ROOT, path), 'utf8');
    expect(replaceBlock(text, render(results))).toBe(text);
  });

  it.each(Object.keys(CHART_FILES) as Theme[])('are those of the chart, %s', (theme) => {
    const committed = readFileSync(join(RESULTS_DIRECTORY, CHART_FILES[theme]), 'utf8');
    expect(renderChart(resultsOf(results, 'envelope'), theme)).toBe(committed);
  });

  it('come from a full run of every benchmark on each line of Node', () => {
    const lines = new Set(results.map(({ environment }) => nodeLine(environment)));
    const found = results.map(
      ({ benchmark, environment }) => `${benchmark} ${nodeLine(environment)}`,
    );
    // Where a benchmark has no result on any line, no document has a figure of it.
    const measured = BENCHMARKS.filter(
      (benchmark) => !LATEST.has(benchmark) || resultsOf(results, benchmark).length > 0,
    );
    const wanted = [...lines].flatMap((line) =>
      measured.map((benchmark) => `${benchmark} ${line}`),
    );
    expect(found.sort()).toEqual(wanted.sort());

    const cases = [FULL_PLAN.full, ...FULL_PLAN.others].map(({ contentBytes, recipientCount }) => ({
      contentBytes,
      recipientCount,
    }));
    for (const result of resultsOf(results, 'envelope')) expect(result.cases).toMatchObject(cases);
    for (const result of resultsOf(results, 'start-up')) expect(result.envelopeCount).toBe(1_000);
    for (const result of resultsOf(results, 'scan')) expect(result.recipientCount).toBe(10_000);
    for (const result of resultsOf(results, 'memory')) expect(result.recipientCount).toBe(10_000);
    for (const { rows } of resultsOf(results, 'broadcast')) {
      expect(new Set(rows.map(({ recipients }) => recipients))).toEqual(
        new Set([1_000, 10_000, 100_000]),
      );
    }
    for (const { recipients, rounds } of resultsOf(results, 'strangers'))
      expect([recipients, rounds]).toEqual([10_000, 3]);
    for (const { rows, broadcasts } of resultsOf(results, 'broadcast-memory')) {
      expect(rows.map(({ recipients }) => recipients)).toEqual([10_000, 100_000]);
      expect(broadcasts).toBe(5);
    }
    for (const { messages, rounds } of resultsOf(results, 'receive'))
      expect([messages, rounds]).toEqual([10_000, 3]);
    for (const result of resultsOf(results, 'event-loop')) {
      expect(result.rows.map(({ envelopeCount }) => envelopeCount)).toContain(10_000);
    }
  });
});

describe('replacing the figures', () => {
  it('leaves everything outside of the markers as it was', () => {
    const text = `before\n${START_MARKER}\nold\n${END_MARKER}\nafter\n`;
    expect(replaceBlock(text, 'new')).toBe(
      `before\n${START_MARKER}\n\nnew\n\n${END_MARKER}\nafter\n`,
    );
  });

  it('fails without the markers rather than writing nowhere', () => {
    expect(() => replaceBlock(`${END_MARKER} ${START_MARKER}`, 'new')).toThrow(/bench:start/);
  });
});
