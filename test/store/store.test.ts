import { randomBytes } from 'node:crypto';
import { MemoryStore, openStore, type Change, type Store } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { refusedField } from '../harness/refusals.js';
import { temporaryDirectory } from '../harness/store-files.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const put = (key: string, value = key): Change => ({ table: 'contact', key, value: text(value) });
const remove = (key: string): Change => ({ table: 'contact', key, value: null });

async function read(store: Store, ...keys: string[]): Promise<(string | undefined)[]> {
  const values = await store.getMany('contact', keys);
  return values.map((value) => (value === undefined ? undefined : new TextDecoder().decode(value)));
}

/** toEqual takes seconds over a megabyte. */
function sameBytes(
  values: readonly (Uint8Array | undefined)[],
  expected: readonly (Uint8Array | null)[],
): boolean {
  return (
    values.length === expected.length &&
    values.every((value, i) => Buffer.compare(value!, expected[i]!) === 0)
  );
}

async function keysOf(store: Store, options: Parameters<Store['list']>[1]): Promise<string[]> {
  return (await store.list('contact', options)).map(({ key }) => key);
}

const KINDS: readonly [string, (path: string) => Promise<Store>][] = [
  ['MemoryStore', () => Promise.resolve(new MemoryStore())],
  ['openStore', (path) => openStore({ path })],
  [
    'openStore with an encryptionKey',
    (path) => openStore({ path, encryptionKey: randomBytes(32) }),
  ],
];

describe.each(KINDS)('%s', (_name, open) => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let store: Store;

  beforeEach(async () => {
    directory = temporaryDirectory();
    store = await open(directory.path);
  });
  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  test('gives back what was put in, in the order of the keys asked for, and undefined for what is not there', async () => {
    await store.commit([put('a', '1'), put('b', '2')]);
    expect(await read(store, 'b', 'none', 'a', 'b')).toEqual(['2', undefined, '1', '2']);
    expect(await store.getMany('contact', [])).toEqual([]);
  });

  test('keeps tables apart', async () => {
    await store.commit([
      put('a', 'contact'),
      { table: 'session', key: 'a', value: text('session') },
    ]);
    await store.commit([{ table: 'session', key: 'a', value: null }]);
    expect(await read(store, 'a')).toEqual(['contact']);
    expect(await store.getMany('session', ['a'])).toEqual([undefined]);
  });

  test('applies the changes of a commit in their order, and those of commits in the order of their calls', async () => {
    await store.commit([put('a', '1'), remove('a'), put('a', '2'), put('b', '1'), remove('b')]);
    expect(await read(store, 'a', 'b')).toEqual(['2', undefined]);
    const commits: Promise<void>[] = [];
    for (let i = 0; i < 100; i++)
      commits.push(store.commit([put('a', `${i}`), i % 2 === 0 ? put('b') : remove('b')]));
    await Promise.all(commits);
    expect(await read(store, 'a', 'b')).toEqual(['99', undefined]);
  });

  test('a commit of nothing, and one that removes what is not there, are fine', async () => {
    await store.commit([]);
    await store.commit([remove('none')]);
    expect(await keysOf(store, { limit: 10 })).toEqual([]);
  });

  test('keeps values of no bytes, of one, and of a megabyte', async () => {
    const large = new Uint8Array(randomBytes(2 ** 20));
    const changes = [new Uint8Array(), Uint8Array.of(7), large].map((value, i): Change => ({
      table: 'outbox',
      key: `${i}`,
      value,
    }));
    await store.commit(changes);
    const listed = (await store.list('outbox', { limit: 3 })).toSorted(
      (a, b) => Number(a.key) - Number(b.key),
    );
    for (const kept of [
      await store.getMany('outbox', ['0', '1', '2']),
      listed.map(({ value }) => value),
    ]) {
      expect(sameBytes(kept, [new Uint8Array(), Uint8Array.of(7), large])).toBe(true);
    }
  });

  test('takes a thousand changes in one commit, and a thousand keys in one read', async () => {
    const changes = Array.from({ length: 1000 }, (_, i) =>
      put(`key ${i}`, `value ${i}`.repeat(200)),
    );
    await store.commit(changes);
    const keys = changes.map(({ key }) => key);
    const expected = changes.map(({ value }) => value);
    expect(sameBytes(await store.getMany('contact', keys), expected)).toBe(true);
  });

  test('copies values when the call is made, and gives every caller an own copy', async () => {
    const value = text('before');
    const committed = store.commit([{ table: 'contact', key: 'a', value }]);
    value.fill(0);
    await committed;
    const [first] = await store.getMany('contact', ['a']);
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
    expect(first!.buffer.byteLength).toBe(first!.length);
    first!.fill(0);
    const [entry] = await store.list('contact', { limit: 1 });
    expect(entry!.value.buffer.byteLength).toBe(entry!.value.length);
    entry!.value.fill(0);
    expect(await read(store, 'a')).toEqual(['before']);
  });

  test("takes a Buffer from Node's pool, and a view into the middle of something else", async () => {
    const whole = new Uint8Array([1, 2, 3, 4, 5]);
    await store.commit([
      { table: 'account', key: 'pooled', value: Buffer.from('pooled') },
      { table: 'account', key: 'view', value: whole.subarray(1, 3) },
    ]);
    expect(await store.getMany('account', ['pooled', 'view'])).toEqual([
      text('pooled'),
      Uint8Array.of(2, 3),
    ]);
  });

  describe('list', () => {
    // In the order of their UTF-8; UTF-16 would have U+10000 before U+FFFF.
    const KEYS = [
      '\0',
      'a',
      'a\0',
      'ab',
      'ab.1',
      'ab.2',
      'ac',
      'b',
      'ä',
      '\ufb01',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ];

    /** All keys, in the store's order. */
    let ordered: readonly string[] = KEYS;
    beforeEach(async () => {
      await store.commit([...KEYS].reverse().map((key) => put(key)));
      const { orderOf } = store;
      const placeOf = (key: string): string => orderOf?.('contact', key) ?? '';
      ordered =
        orderOf === undefined ? KEYS : KEYS.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    });

    test('is in the order that the store says, of table inbox in that of UTF-8 bytes', async () => {
      expect(await keysOf(store, { limit: 100 })).toEqual(ordered);
      for (const { key, value } of await store.list('contact', { limit: 100 }))
        expect(value).toEqual(text(key));
      await store.commit(
        [...KEYS].reverse().map((key) => ({ ...put(key), table: 'inbox' as const })),
      );
      expect((await store.list('inbox', { limit: 100 })).map(({ key }) => key)).toEqual(KEYS);
      expect(KEYS.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))).toEqual(KEYS);
    });

    test('gives what begins with a prefix', async () => {
      for (const prefix of ['', 'a', 'ab', 'ab.', '\u{10ffff}', '\0', 'zz', 'ä']) {
        const expected = ordered.filter((key) => key.startsWith(prefix));
        expect(await keysOf(store, { prefix, limit: 100 })).toEqual(expected);
        expect(await keysOf(store, { prefix, limit: 1 })).toEqual(expected.slice(0, 1));
      }
    });

    test('gives what begins with many segments', async () => {
      const deep = Array.from({ length: 12 }, (_, i) => `${'s/'.repeat(i)}end.`);
      await store.commit(deep.flatMap((key) => [put(key), put(`${key}1`)]));
      for (const prefix of deep) {
        expect(new Set(await keysOf(store, { prefix, limit: 100 }))).toEqual(
          new Set([prefix, `${prefix}1`]),
        );
      }
      expect(await read(store, ...deep)).toEqual(deep);
    });

    test('goes on behind a key, whether that is there or not, page by page', async () => {
      const from = (key: string): readonly string[] => ordered.slice(ordered.indexOf(key) + 1);
      for (const after of KEYS) {
        expect(await keysOf(store, { after, limit: 2 })).toEqual(from(after).slice(0, 2));
        const behindWithin = from(after).filter((key) => key.startsWith('ab'));
        expect(await keysOf(store, { prefix: 'ab', after, limit: 9 })).toEqual(behindWithin);
        await store.commit([remove(after)]);
        expect(await keysOf(store, { after, limit: 2 })).toEqual(from(after).slice(0, 2));
        await store.commit([put(after)]);
      }
      const pages: string[] = [];
      for (let after = ''; ; after = pages.at(-1)!) {
        const page = await keysOf(store, { after, limit: 3 });
        if (page.length === 0) break;
        pages.push(...page);
      }
      expect(pages).toEqual(ordered);
    });

    test('gives nothing of an empty table', async () => {
      expect(await store.list('broadcast', { limit: 5 })).toEqual([]);
    });
  });

  describe('keys', () => {
    const longest = 'ä'.repeat(256);

    test('are 1 to 512 bytes of UTF-8', async () => {
      await store.commit([put('x'), put(longest)]);
      expect(await read(store, 'x', longest)).toEqual(['x', longest]);
    });

    test.each([
      ['empty', ''],
      ['of 513 bytes', `${longest}x`],
      ['of a million characters', 'x'.repeat(1_000_000)],
      ['with a lone surrogate', 'a\ud800b'],
      ['that is no string', 7 as unknown as string],
    ])(
      'a key %s is refused by its index, and nothing of the commit is there',
      async (_what, key) => {
        const refusal = { ...refusedField('key'), index: 1 };
        await expect(store.commit([put('a'), put(key, 'x')])).rejects.toMatchObject(refusal);
        await expect(store.getMany('contact', ['a', key])).rejects.toMatchObject(refusal);
        expect(await read(store, 'a')).toEqual([undefined]);
      },
    );
  });

  test.each([
    ['a table that is none', { table: 'toString', key: 'a', value: null }, 'table'],
    ['a value that is text', { table: 'contact', key: 'a', value: 'text' }, 'value'],
    ['a value that is missing', { table: 'contact', key: 'a' }, 'value'],
    [
      'a value that only inherits',
      { table: 'contact', key: 'a', value: Object.create(new Uint8Array(2)) as object },
      'value',
    ],
    ['no object', null, 'change'],
  ])(
    'a change with %s is refused by its index, and nothing of the commit is there',
    async (_what, change, field) => {
      const changes = [put('a'), put('b'), change as unknown as Change];
      await expect(store.commit(changes)).rejects.toMatchObject({
        ...refusedField(field),
        index: 2,
      });
      expect(await read(store, 'a', 'b')).toEqual([undefined, undefined]);
    },
  );

  test('wrong arguments are refused by their names', async () => {
    const wrong = store as unknown as Record<
      'commit' | 'getMany' | 'list',
      (...args: unknown[]) => Promise<unknown>
    >;
    await expect(wrong.commit('text')).rejects.toMatchObject(refusedField('changes'));
    await expect(wrong.getMany('nope', [])).rejects.toMatchObject(refusedField('table'));
    await expect(wrong.getMany('contact', 'a')).rejects.toMatchObject(refusedField('keys'));
    await expect(wrong.list('contact')).rejects.toMatchObject(refusedField('options'));
    for (const limit of [undefined, 0, -1, 1.5, NaN, Infinity, '3']) {
      await expect(wrong.list('contact', { limit })).rejects.toMatchObject(refusedField('limit'));
    }
    await expect(wrong.list('contact', { limit: 1, prefix: 7 })).rejects.toMatchObject(
      refusedField('prefix'),
    );
    await expect(wrong.list('contact', { limit: 1, after: '\udc00' })).rejects.toMatchObject(
      refusedField('after'),
    );
  });

  test('close waits for what is under way, may be called again, and ends everything else with ERR_CLOSED', async () => {
    const committed = store.commit([put('a')]);
    await Promise.all([store.close(), store.close()]);
    await committed;
    await store.close();
    const closed = { name: 'SealcastError', code: 'ERR_CLOSED' };
    await expect(store.commit([put('a')])).rejects.toMatchObject(closed);
    await expect(store.getMany('contact', ['a'])).rejects.toMatchObject(closed);
    await expect(store.list('contact', { limit: 1 })).rejects.toMatchObject(closed);
  });

  test('is closed at the end of an `await using`', async () => {
    await store[Symbol.asyncDispose]();
    await expect(store.commit([])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  test('has the number of its writer', () => {
    expect(store.epoch).toBe(1);
  });
});

test('one MemoryStore knows nothing of another', async () => {
  const [one, other] = [new MemoryStore(), new MemoryStore()];
  await one.commit([put('a')]);
  expect(await read(other, 'a')).toEqual([undefined]);
  await one.close();
  await other.commit([put('b')]);
});
