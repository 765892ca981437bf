import { test } from 'vitest';
import { ImportScene } from '../harness/import-scene.js';

test.each([
  ['copying', true],
  ['marked', false],
] as const)(
  'a move that is killed twice (%s) lets never both programs start, and the third one finishes it',
  async (moment, signalCli) => {
    using moves = new ImportScene();
    await moves.expectThirdToFinish(moment, signalCli);
  },
);
