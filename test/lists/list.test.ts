import { MemoryStore, listLists, openList, type Store, type SubscriberList } from 'sealcast';
import { describe, expect, test } from 'vitest';
import { KEY, open, refusal, useStoreDirectory } from '../store/lmdb-scene.js';
import { aciOf, idsOf, itemsOf } from './list-scene.js';

useStoreDirectory();

const REFUSED = { code: 'ERR_INVALID_ARGUMENT' };
const [ada, ben, cem] = [aciOf(1), aciOf(2), aciOf(3)];

describe.each([
  ['in the clear', () => open()],
  ['encrypted', () => open({ encryptionKey: KEY })],
  ['in memory', () => Promise.resolve<Store>(new MemoryStore())],
])('a list in a store %s', (_form, openIt) => {
  test('has the members that were added, with their tags and fields', async () => {
    const list = await openList(await openIt(), 'news');
    expect(await list.add(ada, { tags: ['ferry', 'bus'], fields: { name: 'Ada' } })).toBe('added');
    expect(await list.add(ben)).toBe('added');
    expect(await list.get(ada.toUpperCase())).toEqual({
      serviceId: ada,
      joinedMs: expect.any(Number) as number,
      tags: ['ferry', 'bus'],
      fields: { name: 'Ada' },
    });
    expect(await list.get(cem)).toBeUndefined();
    expect(await list.count()).toBe(2);
    expect(await idsOf(list.members())).toEqual(new Set([ada, ben]));
  });

  test('iterates members in the order of its contacts', async () => {
    const store = await openIt();
    const list = await openList(store, 'news');
    const serviceIds = Array.from({ length: 40 }, (_, i) => aciOf(i));
    for (const serviceId of serviceIds) await list.add(serviceId);
    const placeOf = (serviceId: string): string =>
      store.orderOf?.('contact', serviceId) ?? serviceId;
    const sorted = serviceIds.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    expect(await itemsOf(list)).toEqual(sorted);
  });

  test('gives a segment by its tag, as members, count and recipients', async () => {
    const list = await openList(await openIt(), 'news');
    await list.add(ada, { tags: ['ferry'] });
    await list.add(ben, { tags: ['bus', 'ferry'] });
    await list.add(cem, { tags: ['bus'] });
    expect(await idsOf(list.members({ tag: 'ferry' }))).toEqual(new Set([ada, ben]));
    expect(await list.count({ tag: 'bus' })).toBe(2);
    expect(new Set(await itemsOf(list.recipients({ tag: 'bus' })))).toEqual(new Set([ben, cem]));
    expect(await list.count({ tag: 'train' })).toBe(0);
  });

  test('changes what is given of a member, and keeps the rest', async () => {
    const list = await openList(await openIt(), 'news');
    await list.add(ada, { tags: ['ferry'], fields: { name: 'Ada' } });
    expect(await list.add(ada, { tags: ['bus'] })).toBe('updated');
    expect(await list.get(ada)).toMatchObject({ tags: ['bus'], fields: { name: 'Ada' } });
    await list.add(ada, { fields: {} });
    expect(await list.get(ada)).toMatchObject({ tags: ['bus'], fields: {} });
    expect(await list.count()).toBe(1);
  });

  test('adds a removed person again, and one who left only on resubscribing', async () => {
    const list = await openList(await openIt(), 'news');
    await list.add(ada);
    expect(await list.remove(ada)).toBe(true);
    expect(await list.remove(ada)).toBe(false);
    expect(await list.add(ada)).toBe('added');
    expect(await list.remove(ada, { reason: 'stop' })).toBe(true);
    expect(await list.add(ada)).toBe('suppressed');
    expect(await list.count()).toBe(0);
    expect(await itemsOf(list.suppressed())).toEqual([
      { serviceId: ada, sinceMs: expect.any(Number) as number },
    ]);
    expect(await list.add(ada, { resubscribe: true })).toBe('added');
    expect(await itemsOf(list.suppressed())).toEqual([]);
    expect(await list.count()).toBe(1);
  });

  test('suppresses a person who was no member, until they are forgotten', async () => {
    const list = await openList(await openIt(), 'news');
    expect(await list.remove(ada, { reason: 'stop' })).toBe(false);
    expect(await list.add(ada)).toBe('suppressed');
    await list.forget(ada);
    expect(await list.add(ada)).toBe('added');
  });

  test('shares nothing with another list of the store', async () => {
    const store = await openIt();
    const [news, alerts] = [await openList(store, 'news'), await openList(store, 'alerts')];
    await news.add(ada);
    await alerts.add(ada);
    await news.remove(ada, { reason: 'stop' });
    expect(await alerts.count()).toBe(1);
    expect(await alerts.add(ada)).toBe('updated');
    const lists = await itemsOf(listLists(store));
    expect(new Map(lists.map(({ name, members }) => [name, members]))).toEqual(
      new Map([
        ['news', 0],
        ['alerts', 1],
      ]),
    );
  });

  test('counts what many calls at once add and remove', async () => {
    const store = await openIt();
    const lists = [await openList(store, 'news'), await openList(store, 'news')];
    const serviceIds = Array.from({ length: 60 }, (_, i) => aciOf(i));
    await Promise.all(serviceIds.flatMap((serviceId) => lists.map((list) => list.add(serviceId))));
    await Promise.all(
      serviceIds
        .slice(0, 20)
        .flatMap((serviceId) => lists.map((list) => list.remove(serviceId, { reason: 'stop' }))),
    );
    expect(await lists[0]?.count()).toBe(40);
    expect(await itemsOf(lists[1]!)).toHaveLength(40);
  });
});

test('a list is there again after the store was closed', async () => {
  const store = await open();
  const list = await openList(store, 'news', { unregisteredLimit: 5 });
  await list.add(ada, { tags: ['ferry'], fields: { name: 'Ada' } });
  await list.remove(ben, { reason: 'stop' });
  await store.close();
  await expect(list.count()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  const again = await openList(await open(), 'news');
  expect(await again.get(ada)).toMatchObject({ tags: ['ferry'], fields: { name: 'Ada' } });
  expect(await again.add(ben)).toBe('suppressed');
  expect(await again.count()).toBe(1);
});

describe('a list refuses', () => {
  const news = (): Promise<SubscriberList> => openList(new MemoryStore(), 'news');

  test.each(['', 'a b', 'a/b', 'a.b', 'x'.repeat(65)])('the name %j', async (name) => {
    expect(await refusal(openList(new MemoryStore(), name))).toMatchObject(REFUSED);
  });

  test.each([`PNI:${ada}`, '+4915112345678', '', 'ada.42'])('the member %j', async (serviceId) => {
    expect(await refusal((await news()).add(serviceId))).toMatchObject({
      ...REFUSED,
      field: 'serviceId',
    });
  });

  test.each([
    [{ tags: ['a;b'] }, 'tags'],
    [{ tags: ['a,b'] }, 'tags'],
    [{ tags: [' a'] }, 'tags'],
    [{ tags: ['x'.repeat(65)] }, 'tags'],
    [{ tags: Array.from({ length: 33 }, (_, i) => `t${i}`) }, 'tags'],
    [{ fields: { 'a b': 'x' } }, 'fields'],
    [{ fields: { name: 'ä'.repeat(513) } }, 'fields.name'],
    [{ fields: { name: '\0' } }, 'fields.name'],
    [{ fields: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`f${i}`, ''])) }, 'fields'],
    [{ tag: 'x' }, 'tag'],
  ])('%j', async (options, field) => {
    expect(await refusal((await news()).add(ada, options as object))).toMatchObject({
      ...REFUSED,
      field,
    });
  });

  test('a limit of absences that is no number from 0', async () => {
    const error = await refusal(openList(new MemoryStore(), 'news', { unregisteredLimit: -1 }));
    expect(error).toMatchObject({ ...REFUSED, field: 'unregisteredLimit' });
  });
});
