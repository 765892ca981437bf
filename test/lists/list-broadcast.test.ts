import { MemoryStore, openList, type Broadcaster, type SubscriberList } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  collect,
  contactOf,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { RequestName, Subscriber } from '../fakes/stand-in-service.js';

const LEFT = { status: 'failed', error: { code: 'ERR_RECIPIENT_UNSUBSCRIBED' } };

let scene: Scene;
let list: SubscriberList;
beforeEach(async () => {
  scene = await openScene();
  list = await openList(scene.store, 'news');
});
afterEach(() => scene[Symbol.asyncDispose]());

async function reopen(options: Parameters<typeof openScene>[0] = {}): Promise<void> {
  await scene.broadcaster.close();
  scene = await openScene({ ...options, store: scene.store }, scene.service);
}

/** Members of the list, with whom there are sessions. */
async function members(count: number): Promise<Subscriber[]> {
  const subscribers = await subscribeKnown(scene, count);
  for (const { aci } of subscribers) await list.add(aci);
  await scene.broadcaster.broadcast({ body: 'welcome' }, list).summary();
  scene.service.requests.length = 0;
  return subscribers;
}

const first = ([subscriber]: readonly Subscriber[]): Subscriber =>
  subscriber ?? failTest('subscriber');
const requestsTo = ({ aci }: Subscriber): RequestName[] =>
  scene.service.requests.filter(({ destination }) => destination === aci).map(({ name }) => name);
const stop = ({ aci }: Subscriber): Promise<boolean> => list.remove(aci, { reason: 'stop' });

type Run = ReturnType<Broadcaster['broadcast']>;

/** A broadcast to the list that is paused, once everything is encrypted. */
async function paused(count: number): Promise<Run> {
  const run = scene.broadcaster.broadcast({ body: 'paused' }, list, { id: 'paused' });
  run.pause();
  await expect
    .poll(async () => {
      const rows = await scene.store.list('outbox', { prefix: 'paused/', limit: 1000 });
      return rows.filter(({ value }) => value.length > 100).length;
    })
    .toBe(count);
  return run;
}

describe('a broadcast to a list', () => {
  it('goes to its members', async () => {
    const subscribers = await members(3);
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'news' }, list));
    expect(deliveries.size).toBe(3);
    for (const { aci } of subscribers)
      expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
  });

  it('goes to a segment of it', async () => {
    const [one, ...others] = await members(3);
    await list.add(one?.aci ?? '', { tags: ['ferry'] });
    const recipients = list.recipients({ tag: 'ferry' });
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'ferry' }, recipients));
    expect([...deliveries.keys()]).toEqual([one?.aci]);
    for (const other of others) expect(requestsTo(other)).toEqual([]);
  });

  it('is refused where the list is in another store', async () => {
    const elsewhere = await openList(new MemoryStore(), 'news');
    expect(() => scene.broadcaster.broadcast({ body: 'x' }, elsewhere)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'recipients' }) as Error,
    );
  });

  it('is of that list for good', async () => {
    await members(1);
    await scene.broadcaster.broadcast({ body: 'x' }, list, { id: 'b' }).summary();
    const other = await openList(scene.store, 'alerts');
    await expect(
      scene.broadcaster.broadcast({ body: 'x' }, other, { id: 'b' }).summary(),
    ).rejects.toMatchObject({ code: 'ERR_BROADCAST_MISMATCH', field: 'recipients' });
  });
});

describe('a member who says STOP while a broadcast is under way', () => {
  it('gets no request, and the others get theirs', async () => {
    const subscribers = await members(3);
    const [leaver, ...others] = subscribers;
    if (leaver === undefined) return failTest('subscriber');
    const run = await paused(3);
    const collected = collect(run);
    await stop(leaver);
    run.resume();
    const deliveries = await collected;
    expect(deliveries.get(leaver.aci)).toMatchObject(LEFT);
    expect(requestsTo(leaver)).toEqual([]);
    for (const { aci } of others) expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
  });

  it('gets no request once its turn has come', async () => {
    await reopen({ concurrency: 1 });
    list = await openList(scene.store, 'news');
    const [one, two] = await members(2);
    if (one === undefined || two === undefined) return failTest('subscribers');
    let leaver: Subscriber | undefined;
    scene.service.intercepts.set('sendSealed', async (aci) => {
      if (leaver !== undefined) return undefined;
      leaver = aci === one.aci ? two : one;
      await stop(leaver);
      return undefined;
    });
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'x' }, list));
    expect(deliveries.get(leaver?.aci ?? '')).toMatchObject(LEFT);
    expect(requestsTo(leaver ?? failTest('leaver'))).toEqual([]);
  });

  it('gets none where it has no session yet, and its prekeys were just fetched', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    await list.add(subscriber.aci);
    scene.service.intercepts.set('fetchPreKeys', async () => {
      await stop(subscriber);
      return undefined;
    });
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'x' }, list));
    expect(deliveries.get(subscriber.aci)).toMatchObject(LEFT);
    expect(requestsTo(subscriber)).toEqual(['fetchPreKeys']);
  });

  it('gets none after the broadcast is resumed', async () => {
    const subscribers = await members(2);
    const leaver = first(subscribers);
    await paused(2);
    await scene.broadcaster.close();
    // Between two runs of the program, with no account open on the store.
    await stop(leaver);
    scene = await openScene({ store: scene.store }, scene.service);
    const deliveries = await collect(scene.broadcaster.resume('paused'));
    expect(deliveries.get(leaver.aci)).toMatchObject(LEFT);
    expect(requestsTo(leaver)).toEqual([]);
  });

  it('still gets a message to them alone, and one of another list', async () => {
    const leaver = first(await members(1));
    const alerts = await openList(scene.store, 'alerts');
    await alerts.add(leaver.aci);
    await stop(leaver);
    const answer = await scene.broadcaster
      .broadcast({ body: 'You have left.' }, [leaver.aci])
      .summary();
    expect(answer.sealed).toBe(1);
    expect((await scene.broadcaster.broadcast({ body: 'alert' }, alerts).summary()).sealed).toBe(1);
  });

  it('gets the next one after they have joined again', async () => {
    const leaver = first(await members(1));
    await stop(leaver);
    expect((await contactOf(scene, leaver)).leftLists).toEqual(['news']);
    await list.add(leaver.aci, { resubscribe: true });
    expect((await contactOf(scene, leaver)).leftLists).toBeUndefined();
    expect((await scene.broadcaster.broadcast({ body: 'x' }, list).summary()).sealed).toBe(1);
  });

  it('is not written over by what the broadcast learns of the contact', async () => {
    const subscribers = await members(20);
    scene.service.intercepts.set('sendSealed', async (aci) => {
      await list.remove(aci, { reason: 'stop' });
      return undefined;
    });
    await scene.broadcaster.broadcast({ body: 'x' }, list).summary();
    for (const subscriber of subscribers)
      expect((await contactOf(scene, subscriber)).leftLists).toEqual(['news']);
    expect(await list.count()).toBe(0);
  });
});

describe('a member whose account is gone', () => {
  /** Makes the service answer for these people that they have no account. */
  function unregister(...gone: readonly Subscriber[]): void {
    const acis = new Set(gone.map(({ aci }) => aci));
    const answer = (aci: string) =>
      Promise.resolve(acis.has(aci) ? ({ status: 'not-found' } as const) : undefined);
    scene.service.intercepts.set('sendSealed', answer);
    scene.service.intercepts.set('fetchPreKeys', answer);
  }
  const send = async (id: string): Promise<number> => {
    const { unregistered } = await scene.broadcaster
      .broadcast({ body: id }, list, { id })
      .summary();
    return unregistered;
  };

  it('leaves after three broadcasts in a row', async () => {
    const [gone, ...others] = await members(3);
    if (gone === undefined) return failTest('subscriber');
    unregister(gone);
    expect(await send('1')).toBe(1);
    expect(await send('2')).toBe(1);
    expect(await list.count()).toBe(3);
    await reopen();
    expect(await send('3')).toBe(1);
    expect(await list.get(gone.aci)).toBeUndefined();
    expect(await list.count()).toBe(others.length);
    expect(await list.add(gone.aci)).toBe('added');
  });

  it('is counted once a broadcast, also where it is sent again', async () => {
    const gone = first(await members(1));
    unregister(gone);
    for (let time = 0; time < 5; time++) await send('same');
    await scene.broadcaster.resume();
    expect(await list.count()).toBe(1);
  });

  it('begins again from one that reached them', async () => {
    const gone = first(await members(1));
    unregister(gone);
    await send('1');
    await send('2');
    unregister();
    expect(await send('3')).toBe(0);
    unregister(gone);
    await send('4');
    await send('5');
    expect(await list.count()).toBe(1);
    await send('6');
    expect(await list.count()).toBe(0);
  });

  it('stays where the limit is 0, and leaves at once where it is 1', async () => {
    const gone = first(await members(1));
    unregister(gone);
    await openList(scene.store, 'news', { unregisteredLimit: 0 });
    for (const id of ['1', '2', '3', '4']) await send(id);
    expect(await list.count()).toBe(1);
    await openList(scene.store, 'news', { unregisteredLimit: 1 });
    await send('5');
    expect(await list.count()).toBe(0);
  });

  it('is counted by resume() where a crash came before the count', async () => {
    const gone = first(await members(1));
    unregister(gone);
    await openList(scene.store, 'news', { unregisteredLimit: 1 });
    const commit = scene.store.commit.bind(scene.store);
    // The count cannot be written, as after a crash at that moment.
    scene.store.commit = (changes) =>
      changes.some(({ table, key }) => table === 'list' && key.startsWith('m/'))
        ? Promise.reject(new Error('crashed'))
        : commit(changes);
    await send('1');
    expect(await list.count()).toBe(1);
    scene.store.commit = commit;
    await reopen();
    await scene.broadcaster.resume();
    expect(await list.count()).toBe(0);
  });
});
