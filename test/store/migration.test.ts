import { join } from 'node:path';
import { openStore } from 'sealcast';
import {
  decodeBroadcast,
  loadBroadcast,
  migrateBroadcast,
} from '#dist/src/store/tables/broadcasts.js';
import { TABLES } from '#dist/src/store/store.js';
import { decodeContent } from '#dist/src/content/index.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { STORE_0_1, putStore01, type Store01Kind } from '../harness/store-0-1.js';
import { temporaryDirectory, withRawStore, type RawStore } from '../harness/store-files.js';

const KINDS: readonly Store01Kind[] = ['plain', 'encrypted'];

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'store');
});
afterEach(() => directory.remove());

const entriesIn = (raw: RawStore, table: string): string[][] =>
  [...raw.table(table).getRange()].map(({ key, value }) => [
    key.toString('hex'),
    value.toString('hex'),
  ]);
const unmigrated = TABLES.filter((table) => table !== 'broadcast');

describe.each(KINDS)('migration of a store of version 0.1 (%s)', (kind) => {
  test('changes the records of its broadcasts, and no other entry', async () => {
    const options = putStore01(path, kind);
    const before = await withRawStore(path, (raw) => TABLES.map((table) => entriesIn(raw, table)));
    await (await openStore(options)).close();
    await withRawStore(path, (raw) => {
      expect(raw.readMeta('layout').schema).toBe(4);
      for (const table of unmigrated)
        expect(entriesIn(raw, table)).toEqual(before[TABLES.indexOf(table)]);
      const kept = entriesIn(raw, 'broadcast');
      const keptBefore = before[TABLES.indexOf('broadcast')];
      expect(kept.map(([key]) => key)).toEqual(keptBefore?.map(([key]) => key));
      for (const [i, [, value]] of kept.entries()) expect(value).not.toBe(keptBefore?.[i]?.[1]);
    });
  });

  test('is done once', async () => {
    const options = putStore01(path, kind);
    await (await openStore(options)).close();
    const after = await withRawStore(path, (raw) => entriesIn(raw, 'broadcast'));
    await (await openStore(options)).close();
    expect(await withRawStore(path, (raw) => entriesIn(raw, 'broadcast'))).toEqual(after);
  });

  test('of a store that is damaged in another place than its broadcasts goes on', async () => {
    const options = putStore01(path, kind);
    await withRawStore(path, async (raw) => {
      const [first] = [...raw.table('contact').getKeys()];
      await raw.table('contact').put(first!, Buffer.from('no record'));
    });
    await using store = await openStore(options);
    expect(await loadBroadcast(store, 'news-2')).toMatchObject({ state: 'sending', recipients: 5 });
  });
});

test('a record that nothing can read stays as it is, and is refused when it is read', async () => {
  const options = putStore01(path, 'plain');
  const damaged = Buffer.from([0x12, 200, 1]);
  await withRawStore(path, (raw) => raw.table('broadcast').put(Buffer.from('news-2'), damaged));
  await using store = await openStore(options);
  const [value] = await store.getMany('broadcast', ['news-2']);
  expect(Buffer.from(value!)).toEqual(damaged);
  await expect(loadBroadcast(store, 'news-2')).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
});

test('a broadcast of version 0.1 in a store that is not migrated reads as one of today', async () => {
  putStore01(path, 'plain');
  const [value] = await withRawStore(path, (raw) => [
    Buffer.from(raw.table('broadcast').get(Buffer.from('news-2'))!),
  ]);
  const { body, timestamp } = STORE_0_1.tables.broadcast['news-2'] as {
    body: string;
    timestamp: number;
  };
  const { content, ...record } = decodeBroadcast(value);
  expect(record).toMatchObject({
    state: 'sending',
    timestamp,
    maxPerSecond: 1000,
    invalidRecipients: 2,
    recipients: 5,
  });
  expect(decodeContent(content).dataMessage).toMatchObject({ body, timestamp: BigInt(timestamp) });
  const migrated = migrateBroadcast(value)!;
  expect(decodeBroadcast(migrated)).toEqual({ content, ...record });
  expect(migrateBroadcast(migrated)).toBeUndefined();
});
