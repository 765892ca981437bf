import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openStore, type DamagedEntry, type SealcastError, type TableName } from 'sealcast';
import { beforeEach, describe, expect, test } from 'vitest';
import { DamageLog } from '#dist/src/store/damage.js';
import { withRawStore } from '../harness/store-files.js';
import {
  KEY,
  MARKER,
  marked,
  path,
  open,
  refusal,
  keptKey,
  dataFile,
  useStoreDirectory,
  setPath,
} from './lmdb-scene.js';

useStoreDirectory();

describe('encryption', () => {
  const changes = [
    { table: 'session', key: 'a', value: marked() },
    { table: 'session', key: 'b', value: marked() },
    { table: 'contact', key: 'a', value: marked() },
  ] as const;

  test('leaves no value in the clear on the disk, and no key; without a key, values are as they are', async () => {
    const plain = await open();
    await plain.commit(changes);
    expect(dataFile().includes(MARKER)).toBe(true);
    setPath('encrypted');
    const store = await open({ encryptionKey: KEY });
    await store.commit(changes);
    expect(await store.getMany('session', ['a', 'b'])).toEqual([marked(), marked()]);
    await store.close();
    expect(dataFile().includes(MARKER)).toBe(false);
    expect(dataFile().includes(Buffer.from(KEY))).toBe(false);
    expect(dataFile().includes(Buffer.from(KEY).toString('base64'))).toBe(false);
  });

  test('copies the key: the caller may wipe the original', async () => {
    const encryptionKey = Uint8Array.from(KEY);
    const opening = open({ encryptionKey });
    encryptionKey.fill(0);
    await (await opening).close();
    await open({ encryptionKey: KEY });
  });

  test('encrypts the same value differently each time, and under a key of its own for each writer', async () => {
    const kept: Buffer[] = [];
    for (let i = 0; i < 3; i++) {
      const store = await open({ encryptionKey: KEY });
      await store.commit(changes);
      await store.close();
      await withRawStore(path, (raw) => {
        for (const key of ['a', 'b'])
          kept.push(raw.table('session').get(keptKey(store, 'session', key))!);
      });
    }
    expect(new Set(kept.map((value) => value.toString('hex'))).size).toBe(6);
    for (const [i, value] of kept.entries()) {
      // Epoch of the writer, nonce, ciphertext, tag.
      expect(value.readBigUInt64BE(0)).toBe(BigInt(Math.floor(i / 2) + 1));
      expect(value).toHaveLength(8 + 12 + 2 + 1 + MARKER.length + 16);
    }
  });

  test('reads what earlier writers wrote, a hundred of them', async () => {
    for (let epoch = 1; epoch <= 100; epoch++) {
      const store = await open({ encryptionKey: KEY });
      await store.commit([{ table: 'outbox', key: `${epoch}`, value: Uint8Array.of(epoch) }]);
      await store.close();
    }
    const store = await open({ encryptionKey: KEY });
    const entries = await store.list('outbox', { limit: 200 });
    expect(entries).toHaveLength(100);
    for (const { key, value } of entries) expect(value).toEqual(Uint8Array.of(Number(key)));
  });

  test.each([
    ['another key', KEY, new Uint8Array(randomBytes(32))],
    ['no key', KEY, undefined],
    ['a key for a store that has none', undefined, KEY],
  ])('opening with %s is ERR_STORE_KEY, and writes nothing', async (_what, made, given) => {
    const options = (encryptionKey?: Uint8Array): object =>
      encryptionKey === undefined ? {} : { encryptionKey };
    await (await open(options(made))).close();
    const before = dataFile();
    const error = await refusal(openStore({ path, ...options(given) }));
    expect(error).toMatchObject({ name: 'SealcastError', code: 'ERR_STORE_KEY' });
    expect(dataFile().equals(before)).toBe(true);
    const store = await open(options(made));
    expect(store.epoch).toBe(2);
  });

  /** What a read says after somebody who has the file, but not the key, changed a value. */
  async function afterTampering(
    change: (
      kept: Buffer,
      raw: { table: (name: string) => Tampered },
      at: (table: TableName, key: string) => Buffer,
    ) => void,
  ): Promise<SealcastError> {
    const store = await open({ encryptionKey: KEY });
    await store.commit(changes);
    await store.close();
    const at = keptKey.bind(null, store);
    await withRawStore(path, (raw) =>
      change(Buffer.from(raw.table('session').get(at('session', 'a'))!), raw, at),
    );
    const again = await open({ encryptionKey: KEY });
    expect(await again.getMany('contact', ['a'])).toEqual([marked()]);
    const error = await refusal(again.getMany('session', ['a']));
    expect(error).toMatchObject({ table: 'session' });
    const damaged: (string | undefined)[] = [];
    const onDamaged = ({ key: known }: DamagedEntry): void => void damaged.push(known);
    const listed = await again.list('session', { limit: 5, onDamaged });
    const others = changes.filter(({ table, key }) => table === 'session' && key !== 'a');
    expect(listed.map(({ key: known }) => known)).toEqual(others.map(({ key }) => key));
    expect(damaged).toHaveLength(1);
    return error;
  }
  interface Tampered {
    get: (key: Buffer) => Buffer | undefined;
    putSync: (key: Buffer, value: Buffer) => unknown;
  }

  test.each([
    ['of another key of its table', 'session', 'b'],
    ['of the same key of another table', 'contact', 'a'],
  ] as const)('a value %s, moved, does not open', async (_what, table, key) => {
    const error = await afterTampering((_kept, raw, at) => {
      raw.table('session').putSync(at('session', 'a'), raw.table(table).get(at(table, key))!);
    });
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
    expect(error.message).toContain('session');
    expect(error.message).not.toContain(MARKER);
  });

  test.each([
    ['its epoch, one that was', 7],
    ['its epoch, one that never was', 0],
    ['its nonce', 8],
    ['its ciphertext', 20],
    ['its tag', -1],
  ])('a value with a wrong bit in %s does not open', async (_what, index) => {
    const error = await afterTampering((kept, raw, at) => {
      kept[index < 0 ? kept.length + index : index]! ^= 1;
      raw.table('session').putSync(at('session', 'a'), kept);
    });
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
  });

  test.each([0, 1, 8, 20, 35, 36])('a value cut off to %i bytes does not open', async (length) => {
    const error = await afterTampering((kept, raw, at) => {
      raw.table('session').putSync(at('session', 'a'), kept.subarray(0, length));
    });
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' });
  });
});

describe('an encrypted store of schema 1, which kept its keys as they are', () => {
  /** Written by the last commit before schema 2: see {@link valueOf}. */
  const FIXTURE = new URL('../fixtures/encrypted-store-schema-1.mdb.gz', import.meta.url);
  const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
  const encryptionKey = sha256('key of the store of schema 1');
  const ids = Array.from({ length: 16 }, (_, i) => {
    const hex = sha256(`subscriber ${i}`).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  });
  const contents: Readonly<Record<TableName, readonly string[]>> = {
    account: ['own', 'preKeys'],
    contact: ids,
    session: ids.flatMap((id) => [`${id}.1`, `${id}.2`]),
    senderKey: ids.slice(0, 5).map((id) => `${id}.1.5f8a0e06-7d0f-4c1b-9f2e-7a3f0c1d2e3f`),
    preKey: ['1', '2', '10'],
    signedPreKey: ['1'],
    kyberPreKey: ['1', '1/2/abc', '10'],
    certificate: ['without-phone-number'],
    broadcast: ['news 2026-11', 'a/b.c'],
    outbox: ids.flatMap((id) => [`news 2026-11/${id}`, `a/b.c/${id}`]),
    inbox: ['m/00000000000001/000000', 'm/00000000000001/000001', 'r/00000000000002/000000'],
    list: [],
  };
  // Schema 1 had no lists.
  const tables = (Object.entries(contents) as [TableName, readonly string[]][]).filter(
    ([table]) => table !== 'list',
  );

  function valueOf(table: TableName, key: string): Uint8Array {
    const hash = sha256(`${table} ${key}`);
    return new Uint8Array(Buffer.concat([hash, Buffer.alloc(hash[0]! * 2, hash)]));
  }

  beforeEach(() => {
    mkdirSync(path);
    writeFileSync(join(path, 'data.mdb'), gunzipSync(readFileSync(FIXTURE)));
  });

  test('opens with all its contents, in the form of today, and keeps no key in the clear', async () => {
    for (let epoch = 4; epoch <= 5; epoch++) {
      const store = await open({ encryptionKey });
      expect(store.epoch).toBe(epoch);
      for (const [table, keys] of tables) {
        expect(await store.getMany(table, keys)).toEqual(keys.map((key) => valueOf(table, key)));
        const listed = await store.list(table, { limit: 1000 });
        expect(new Set(listed.map(({ key }) => key))).toEqual(new Set(keys));
        for (const { key, value } of listed) expect(value).toEqual(valueOf(table, key));
      }
      expect(await store.list('outbox', { prefix: 'a/b.c/', limit: 1000 })).toHaveLength(
        ids.length,
      );
      await store.close();
    }
    await withRawStore(path, (raw) => {
      for (const [table, keys] of tables) {
        const kept = [...raw.table(table).getKeys()].map(String);
        expect(kept).toHaveLength(keys.length);
        if (table === 'inbox') expect(kept).toEqual(keys);
        else expect(kept.filter((key) => keys.some((clear) => key.includes(clear)))).toEqual([]);
      }
    });
  });

  test('opens with one damaged record in each table: they are moved unchanged, and keep no other record back', async () => {
    const damagedBytes = Buffer.of(0xff);
    await withRawStore(path, async (raw) => {
      for (const [table, [first]] of tables)
        await raw.table(table).put(Buffer.from(first!), damagedBytes);
    });
    const store = await open({ encryptionKey });
    for (const [table, [first, ...others]] of tables) {
      expect(await store.getMany(table, others)).toEqual(others.map((key) => valueOf(table, key)));
      const listed = await store.list(table, { limit: 1000 });
      expect(new Set(listed.map(({ key }) => key))).toEqual(new Set(others));
      expect(await refusal(store.getMany(table, [first!]))).toMatchObject({
        code: 'ERR_STORE_FAILED',
        table,
      });
      expect(DamageLog.of(store).countOf(table)).toBe(1);
    }
    const places = tables.map(([table, [first]]): [TableName, Buffer] => [
      table,
      table === 'inbox' ? Buffer.from(first!) : keptKey(store, table, first!),
    ]);
    await store.close();
    await withRawStore(path, (raw) => {
      for (const [table, place] of places)
        expect(raw.table(table).get(place)).toEqual(damagedBytes);
    });
  });

  test('is not touched with another key, and refused without one', async () => {
    const before = dataFile();
    const other = await refusal(openStore({ path, encryptionKey: KEY }));
    expect(other).toMatchObject({ code: 'ERR_STORE_KEY' });
    expect(await refusal(openStore({ path }))).toMatchObject({ code: 'ERR_STORE_KEY' });
    expect(dataFile().subarray(0, before.length).equals(before)).toBe(true);
  });
});
