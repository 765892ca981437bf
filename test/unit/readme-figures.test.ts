import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PACKAGE_ROOT, RESULTS_DIRECTORY } from '../../bench/report/environment.js';
import {
  END_MARKER,
  readResults,
  renderReadmeBlock,
  replaceBlock,
  START_MARKER,
} from '../../bench/report/readme-block.js';

describe("README's figures", () => {
  const readme = readFileSync(join(PACKAGE_ROOT, 'README.md'), 'utf8');
  const results = readResults(RESULTS_DIRECTORY);

  it('are those of the committed results', () => {
    expect(replaceBlock(readme, renderReadmeBlock(results))).toBe(readme);
  });

  it('come from a full run of every benchmark', () => {
    expect(new Set(results.map(({ benchmark }) => benchmark))).toEqual(new Set(['envelope', 'event-loop', 'memory']));
    for (const result of results) {
      if (result.benchmark === 'envelope') expect(result.recipientCount).toBe(1024);
      else if (result.benchmark === 'memory') expect(result.recipientCount).toBe(10_000);
      else expect(result.rows.map(({ envelopeCount }) => envelopeCount)).toContain(10_000);
    }
  });
});

describe('replacing the figures', () => {
  it('leaves everything outside of the markers as it was', () => {
    const readme = `before\n${START_MARKER}\nold\n${END_MARKER}\nafter\n`;
    expect(replaceBlock(readme, 'new')).toBe(`before\n${START_MARKER}\n\nnew\n\n${END_MARKER}\nafter\n`);
  });

  it('fails without the markers rather than writing nowhere', () => {
    expect(() => replaceBlock(`${END_MARKER} ${START_MARKER}`, 'new')).toThrow(/bench:start/);
  });
});
