import { MemoryStore } from 'sealcast';
import { scan, scanPages } from '#dist/src/store/scan.js';
import { expect, test } from 'vitest';

const KEYS = ['a/1', 'a/2', 'a/3', 'a/4', 'b/1'];
async function storeOf(keys: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.commit(
    keys.map((key) => ({ table: 'outbox', key, value: new TextEncoder().encode(key) })),
  );
  return store;
}
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

test.each([1, 2, 4, 5, 6])(
  'a scan in pages of %i gives every entry once, in order',
  async (pageRows) => {
    await using store = await storeOf(KEYS);
    const entries = await collect(scan(store, 'outbox', { pageRows }));
    expect(entries.map(({ key, value }) => [key, Buffer.from(value).toString()])).toEqual(
      KEYS.map((key) => [key, key]),
    );
  },
);

test('a scan with a prefix gives the entries that begin with it', async () => {
  await using store = await storeOf(KEYS);
  const entries = await collect(scan(store, 'outbox', { prefix: 'a/', pageRows: 3 }));
  expect(entries.map(({ key }) => key)).toEqual(['a/1', 'a/2', 'a/3', 'a/4']);
});

test('a scan whose pages are removed while it goes on gives every entry', async () => {
  await using store = await storeOf(KEYS);
  const seen: string[] = [];
  for await (const page of scanPages(store, 'outbox', { pageRows: 2 })) {
    seen.push(...page.map(({ key }) => key));
    await store.commit(page.map(({ key }) => ({ table: 'outbox', key, value: null })));
  }
  expect(seen).toEqual(KEYS);
  expect(await store.list('outbox', { limit: 1 })).toEqual([]);
});
