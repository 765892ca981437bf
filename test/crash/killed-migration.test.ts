import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { openStore } from 'sealcast';
import { TABLES } from '#dist/src/store/store.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtFile } from '../harness/built-file.js';
import { putStore01, type Store01Kind } from '../harness/store-0-1.js';
import { temporaryDirectory, withRawStore } from '../harness/store-files.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** What is on the disk: the schema, and all entries as they are kept. */
const onDisk = (path: string): Promise<object> =>
  withRawStore(path, (raw) => ({
    schema: raw.readMeta('layout').schema,
    entries: TABLES.map((name) =>
      [...raw.table(name).getRange()].map(({ key, value }) => [
        key.toString('hex'),
        value.toString('hex'),
      ]),
    ),
  }));

const KINDS: readonly Store01Kind[] = ['plain', 'encrypted'];
describe.each(KINDS)(
  'a process that dies while it migrates a store of version 0.1 (%s)',
  (kind) => {
    // Five broadcasts are migrated, one write each.
    test.each([1, 3, 5])(
      'at write %i leaves the store as it was, and the next one migrates it',
      async (fatalWrite) => {
        const path = join(directory.path, 'store');
        const options = putStore01(path, kind);
        const before = await onDisk(path);
        const keyHex = Buffer.from(options.encryptionKey ?? []).toString('hex');
        const script = builtFile('test/crash/killed-migration-process.js');
        const { signal } = spawnSync(process.execPath, [script, path, keyHex, String(fatalWrite)]);
        expect(signal).toBe('SIGKILL');
        expect(await onDisk(path)).toEqual(before);
        await (await openStore(options)).close();
        expect(await onDisk(path)).toMatchObject({ schema: 4 });
      },
    );
  },
);
