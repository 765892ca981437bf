import { copyFileSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, type Store } from 'sealcast';
import { checkExtent } from '#dist/src/store/lmdb-extent.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededBytes, seededInteger } from '../support/seeded-random.js';
import { runNode } from '../support/run-node.js';
import { temporaryDirectory } from '../support/store-files.js';

const PAGE_BYTES = 4096;
const ROWS = 400;

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Opens a store, reads all of it, and says what came of it: a count of rows, or an error's code. */
const READER = `
  import { openStore } from ${JSON.stringify(import.meta.resolve('sealcast'))};
  try {
    const store = await openStore({ path: process.argv[2] });
    const rows = await store.list('session', { limit: 10_000 });
    await store.close();
    console.log(rows.length);
  } catch (error) {
    console.log(error.code);
  }
`;

function readCopy(path: string): { readonly exitCode: number | null; readonly said: string } {
  const { exitCode, stdout } = runNode(directory.path, ['--input-type=module', '-e', READER, 'reader', path]);
  return { exitCode, said: stdout.trim() };
}

describe('a data file that was cut short', () => {
  test('is refused with ERR_STORE_FAILED, or whole but for free pages: no process dies of it', async () => {
    const whole = join(directory.path, 'whole');
    const store = await openStore({ path: whole });
    // Values of all sizes: in pages of the tree, and in pages of their own.
    for (let batch = 0; batch < 4; batch++) {
      const rows = Array.from({ length: ROWS / 4 }, (_, i) => `${batch * (ROWS / 4) + i}`);
      await store.commit(rows.map((key, i) => ({ table: 'session', key, value: new Uint8Array(40 * i + 1) })));
    }
    await store.close();
    const sizeBytes = readFileSync(join(whole, 'data.mdb')).length;
    const refused: number[] = [];
    for (let cut = 0; cut < 30; cut++) {
      const path = join(directory.path, `cut-${cut}`);
      mkdirSync(path);
      copyFileSync(join(whole, 'data.mdb'), join(path, 'data.mdb'));
      truncateSync(join(path, 'data.mdb'), Math.floor((sizeBytes * (cut + 1)) / 31));
      const { exitCode, said } = readCopy(path);
      expect({ cut, exitCode }).toEqual({ cut, exitCode: 0 });
      expect(['ERR_STORE_FAILED', `${ROWS}`]).toContain(said);
      if (said === 'ERR_STORE_FAILED') refused.push(cut);
    }
    expect(refused.length).toBeGreaterThan(20);
    expect(readCopy(whole)).toEqual({ exitCode: 0, said: `${ROWS}` });
  });
});

describe('a data file that is shorter than its last page, since its last pages are free', () => {
  test('is no cut one', async () => {
    const { path } = directory;
    const store: Store = await openStore({ path });
    const file = await open(join(path, 'data.mdb'), 'r');
    const bytes = seededBytes('shorter');
    const below = (bound: number): number => seededInteger(bytes, bound);
    let shorter = 0;
    for (let commit = 0; commit < 4_000 && shorter < 1; commit++) {
      const changes = Array.from({ length: 1 + below(8) }, () => ({
        table: 'session' as const,
        key: `${below(2_000)}`,
        value: below(3) === 0 ? null : new Uint8Array(1 + below(below(10) === 0 ? 60_000 : 5_000)),
      }));
      await store.commit(changes);
      // LMDB's meta pages: last page at 144, transaction at 152.
      const metas = [0, 1].map(() => Buffer.alloc(160));
      for (const [i, meta] of metas.entries()) await file.read(meta, { position: i * PAGE_BYTES });
      const [newest] = metas.sort((a, b) => Number(b.readBigUInt64LE(152) - a.readBigUInt64LE(152)));
      const { size } = await file.stat();
      if ((Number(newest!.readBigUInt64LE(144)) + 1) * PAGE_BYTES <= size) continue;
      shorter += 1;
      await checkExtent(path, file, { pageBytes: PAGE_BYTES, little: true });
    }
    await file.close();
    await store.close();
    expect(shorter).toBe(1);
  });
});
