import { copyFileSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import { openStore } from 'sealcast';
import { checkExtent } from '#dist/src/store/lmdb/file-extent.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { runNode } from '../harness/run-node.js';
import { temporaryDirectory } from '../harness/store-files.js';

const PAGE_BYTES = 4096;
const ROWS = 400;

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/**
 * Bytes of the file up to its last page. LMDB's meta pages: last page at 144, transaction at 152.
 */
function extentOf(file: string): number {
  const bytes = readFileSync(file);
  const metas = [0, 1].map((page) => bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  const [newest] = metas.sort((a, b) => Number(b.readBigUInt64LE(152) - a.readBigUInt64LE(152)));
  return (Number(newest!.readBigUInt64LE(144)) + 1) * PAGE_BYTES;
}

/**
 * Opens a store, reads all of it, and says what came of it: a count of rows, or an error's code.
 */
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
  const { exitCode, stdout } = runNode(directory.path, [
    '--input-type=module',
    '-e',
    READER,
    'reader',
    path,
  ]);
  return { exitCode, said: stdout.trim() };
}

describe('a data file that was cut short', () => {
  test('is refused with ERR_STORE_FAILED, or whole but for free pages: no process dies of it', async () => {
    const whole = join(directory.path, 'whole');
    const store = await openStore({ path: whole });
    // Values of all sizes: in pages of the tree, and in pages of their own.
    for (let batch = 0; batch < 4; batch++) {
      const rows = Array.from({ length: ROWS / 4 }, (_, i) => `${batch * (ROWS / 4) + i}`);
      await store.commit(
        rows.map((key, i) => ({ table: 'session', key, value: new Uint8Array(40 * i + 1) })),
      );
    }
    await store.close();
    const sizeBytes = extentOf(join(whole, 'data.mdb'));
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
    // LMDB alone, as stores were written before they reserved room: now a file has the room for its
    // last page.
    const database = openLmdb<Uint8Array, number>({
      path,
      noSubdir: false,
      encoding: 'binary',
      overlappingSync: false,
    });
    const dataFile = join(path, 'data.mdb');
    const file = await open(dataFile, 'r');
    const bytes = seededBytes('shorter');
    const below = (bound: number): number => seededInteger(bytes, bound);
    let shorter = 0;
    for (let commit = 0; commit < 4_000 && shorter < 1; commit++) {
      const written = Array.from({ length: 1 + below(8) }, () => {
        const key = below(2_000);
        if (below(3) === 0) return database.remove(key);
        return database.put(key, new Uint8Array(1 + below(below(10) === 0 ? 60_000 : 5_000)));
      });
      await Promise.all(written);
      const { size } = await file.stat();
      if (extentOf(dataFile) <= size) continue;
      shorter += 1;
      await checkExtent(path, file, { pageBytes: PAGE_BYTES, little: true });
    }
    await file.close();
    await database.close();
    expect(shorter).toBe(1);
  });
});
