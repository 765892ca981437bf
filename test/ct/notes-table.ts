// Rewrites the table in assembly/notes/constant-time.md from the results in test/ct/results.
import { readFileSync, writeFileSync } from 'node:fs';
import { NOTES_PATH, readCtResults, renderNotesBlock, replaceNotesBlock } from './notes-block.js';

writeFileSync(
  NOTES_PATH,
  replaceNotesBlock(readFileSync(NOTES_PATH, 'utf8'), renderNotesBlock(readCtResults())),
);
