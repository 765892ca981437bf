import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openStore, type StoreOptions } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { openLmdbStore } from '#dist/src/store/lmdb/open.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { refusedField } from '../harness/refusals.js';
import { runNode } from '../harness/run-node.js';
import { withRawStore } from '../harness/store-files.js';
import {
  packageFile,
  marked,
  path,
  opened,
  open,
  refusal,
  dataFile,
  useStoreDirectory,
  setPath,
} from './lmdb-scene.js';

useStoreDirectory();

test('LMDB is loaded by opening a store, and not before', () => {
  const script = `
    const loaded = () => process.report.getReport().sharedObjects.some((name) => name.includes('lmdb'));
    const { openStore } = await import('sealcast');
    const before = loaded();
    await (await openStore({ path: ${JSON.stringify(path)} })).close();
    console.log(before, loaded());
  `;
  const { stdout } = runNode(dirname(packageFile), ['--input-type=module', '--eval', script]);
  expect(stdout).toBe('false true\n');
});

describe('opening', () => {
  test('makes the directory, and all in it, for its owner alone', async () => {
    setPath('not/there/yet.d');
    await open();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readdirSync(path).sort()).toEqual(['data.mdb', 'lock.mdb']);
    for (const name of readdirSync(path))
      expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === 'win32')(
    'takes the rights of others off files that are there',
    async () => {
      await (await open()).close();
      for (const name of readdirSync(path)) chmodSync(join(path, name), 0o664);
      await open();
      for (const name of readdirSync(path))
        expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
    },
  );

  test('finds what was there, under a higher epoch each time', async () => {
    for (let epoch = 1; epoch <= 4; epoch++) {
      const store = await open();
      expect(store.epoch).toBe(epoch);
      const [value] = await store.getMany('account', ['epoch']);
      expect(value).toEqual(epoch === 1 ? undefined : Uint8Array.of(epoch - 1));
      await store.commit([{ table: 'account', key: 'epoch', value: Uint8Array.of(epoch) }]);
      await store.close();
    }
  });

  test('is refused to a second opener of the same process, until the first closes', async () => {
    const first = await open();
    expect(await refusal(openStore({ path }))).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    // The refused one takes nothing from the first.
    await first.commit([{ table: 'account', key: 'a', value: marked() }]);
    expect(await first.getMany('account', ['a'])).toEqual([marked()]);
    await first.close();
    const second = await open();
    expect(second.epoch).toBe(2);
    expect(await second.getMany('account', ['a'])).toEqual([marked()]);
  });

  test('of two that open at once, one gets the store', async () => {
    const results = await Promise.allSettled([
      openStore({ path }),
      openStore({ path }),
      openStore({ path }),
    ]);
    const stores = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    opened.push(...stores);
    expect(stores).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'ERR_STORE_LOCKED' });
    }
  });

  test.each([
    ['options', undefined],
    ['path', {}],
    ['path', { path: '' }],
    ['path', { path: 'a\0b' }],
    ['encryptionKey', { path: 'never-made', encryptionKey: randomBytes(31) }],
    ['encryptionKey', { path: 'never-made', encryptionKey: 'x'.repeat(32) }],
    ['encryptionKey', { path: 'never-made', encryptionKey: null }],
  ])('refuses a wrong %s before it makes anything', async (field, options) => {
    await expect(openStore(options as unknown as StoreOptions)).rejects.toMatchObject(
      refusedField(field),
    );
    expect(existsSync('never-made')).toBe(false);
  });

  test('refuses a store of a newer schema, with both numbers, and leaves it as it is', async () => {
    await (await open()).close();
    await withRawStore(path, (raw) =>
      raw.writeMeta('layout', { ...raw.readMeta('layout'), schema: 5 }, 0),
    );
    const before = dataFile();
    const error = await refusal(openStore({ path }));
    expect(error).toMatchObject({ code: 'ERR_STORE_VERSION' });
    expect(error.message).toMatch(/schema 5;.* 4$/);
    expect(dataFile().equals(before)).toBe(true);
  });

  test.each([
    ['text', Buffer.from('This is a diary, and no database.\n'.repeat(1000))],
    ['a few bytes', Buffer.from('LMDB')],
    ['zeros', Buffer.alloc(100_000)],
  ])(
    'refuses a data.mdb of %s with ERR_STORE_FAILED, and leaves it as it is',
    async (_what, content) => {
      mkdirSync(path);
      writeFileSync(join(path, 'data.mdb'), content);
      const error = await refusal(openStore({ path }));
      expect(error).toMatchObject({ name: 'SealcastError', code: 'ERR_STORE_FAILED' });
      expect(error.cause).toBeInstanceOf(Error);
      expect(dataFile().equals(content)).toBe(true);
    },
  );

  test('refuses a store that was cut off within its first pages', async () => {
    await (await open()).close();
    writeFileSync(join(path, 'data.mdb'), dataFile().subarray(0, 5000));
    expect(await refusal(openStore({ path }))).toMatchObject({ code: 'ERR_STORE_FAILED' });
  });

  test('refuses a path that is a file, and one below a file', async () => {
    writeFileSync(path, 'a file');
    for (const wrong of [path, join(path, 'below')]) {
      const error = await refusal(openStore({ path: wrong }));
      expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
      expect(error.cause).toBeInstanceOf(Error);
    }
  });

  test('refuses an LMDB database that is not a store', async () => {
    const { open: openLmdb } = await import('lmdb');
    const other = openLmdb({ path, noSubdir: false });
    await other.put('somebody', 'else');
    await other.close();
    expect(await refusal(openStore({ path }))).toMatchObject({ code: 'ERR_STORE_FAILED' });
  });

  test.each([{}, { schema: 1 }, { schema: '1', id: 'AA==', keyCheck: null }])(
    'refuses a store whose layout record is damaged: %j',
    async (layout) => {
      await (await open()).close();
      await withRawStore(path, (raw) => raw.writeMeta('layout', layout, 0));
      expect(await refusal(openStore({ path }))).toMatchObject({ code: 'ERR_STORE_FAILED' });
    },
  );
});

test('reading again and again leaves the event loop its turns', async () => {
  const store = await open();
  const reads = { wanted: true };
  const reading = (async () => {
    while (reads.wanted) await store.list('outbox', { limit: 1 });
    return 'ended';
  })();
  setImmediate(() => (reads.wanted = false));
  expect(await reading).toBe('ended');
});

describe('the heartbeat', () => {
  test('renews the writer record every five seconds, and ends with the store', async () => {
    const clock = new ManualClock(1_000_000);
    const store = await openLmdbStore({ path }, undefined, clock);
    const heartbeat = (): Promise<number> =>
      withRawStore(path, (raw) => raw.readMeta('writer').owner!.heartbeatMs);
    expect(await heartbeat()).toBe(1_000_000);
    for (const beat of [1_005_000, 1_010_000]) {
      clock.pass(5_000);
      // Commits are written in order: when this one is there, so is the heartbeat.
      await store.commit([]);
      expect(await heartbeat()).toBe(beat);
    }
    await store.close();
    expect(clock.pending).toBe(0);
    expect(await withRawStore(path, (raw) => raw.readMeta('writer'))).toEqual({
      epoch: 1,
      owner: null,
    });
  });
});
