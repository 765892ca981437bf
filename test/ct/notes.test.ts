import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NOTES_PATH, readCtResults, renderNotesBlock, replaceNotesBlock } from './notes-block.js';
import { isGood } from './report.js';
import { LEAKY_ROUTINES, ROUTINES } from './routines.js';

describe('the committed results of the timing test', () => {
  const results = readCtResults();

  it('are those in the notes', () => {
    const notes = readFileSync(NOTES_PATH, 'utf8');
    expect(replaceNotesBlock(notes, renderNotesBlock(results))).toBe(notes);
  });

  it('are of every routine, where none leaks, and of controls that were caught', () => {
    expect(results.length).toBeGreaterThan(0);
    for (const result of results) {
      expect(isGood(result)).toBe(true);
      for (const { routines, controls } of result.kernels) {
        expect(routines.map(({ routine }) => routine)).toEqual(ROUTINES.map(({ name }) => name));
        expect(controls.map(({ routine }) => routine)).toEqual(
          LEAKY_ROUTINES.map(({ name }) => name),
        );
      }
    }
  });
});
