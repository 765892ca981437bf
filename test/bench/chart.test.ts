import { describe, expect, it } from 'vitest';
import { renderChart } from '../../bench/report/chart.js';
import { chartPanels } from '../../bench/report/chart-data.js';
import { RESULTS_DIRECTORY } from '../../bench/report/environment.js';
import { readResults, resultsOf } from '../../bench/report/results.js';

const results = resultsOf(readResults(RESULTS_DIRECTORY), 'envelope');

describe('the chart', () => {
  const panels = chartPanels(results);

  it('shows sealing and unsealing, sealcast and its peers, on every line of Node', () => {
    expect(panels.map(({ title }) => title)).toEqual(['Sealing', 'Unsealing']);
    for (const { rows } of panels) {
      const names = rows.map(({ name }) => name).join('\n');
      for (const who of ['sealcast, 1 thread', 'node:crypto', '@noble'])
        expect(names).toContain(who);
      for (const { values } of rows) expect(values).toHaveLength(results.length);
    }
  });

  it('is the same however often it is drawn, and whatever was drawn before it', () => {
    const light = renderChart(results, 'light');
    expect(renderChart(results, 'dark')).not.toBe(light);
    expect(renderChart(results, 'light')).toBe(light);
  });

  it('says what it shows, and reaches for nothing outside of itself', () => {
    const svg = renderChart(results, 'light');
    for (const { rows } of panels) for (const { name } of rows) expect(svg).toContain(name);
    for (const { environment } of results)
      expect(svg).toContain(`Node ${Number.parseInt(environment.node, 10)}`);
    expect(svg).not.toMatch(/<script|<image|href=/);
    // Attributes are quoted with ", so nothing inside of them may be.
    expect(svg).not.toMatch(/="[^"]*"[^\s>/]/);
  });
});
