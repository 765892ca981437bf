import type { Broadcaster } from 'sealcast';
import { deriveAccessKey, MemoryStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { WatchedStore, type StoreWatch } from '../fakes/watched-store.js';
import {
  acis,
  collect,
  contactOf,
  deliveryTo,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { RequestName, Subscriber } from '../fakes/stand-in-service.js';

const BLOCKED = { status: 'failed', error: { code: 'ERR_RECIPIENT_BLOCKED' } };

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function reopen(options: Parameters<typeof openScene>[0]): Promise<void> {
  await scene.broadcaster.close();
  scene = await openScene({ ...options, store: scene.store }, scene.service);
}

/** Subscribers with whom there are sessions, and who take sealed messages. */
async function subscribeReached(count: number): Promise<Subscriber[]> {
  const subscribers = await subscribeKnown(scene, count);
  await scene.broadcaster.broadcast({ body: 'welcome' }, acis(subscribers)).summary();
  scene.service.requests.length = 0;
  return subscribers;
}

const first = ([subscriber]: readonly Subscriber[]): Subscriber =>
  subscriber ?? failTest('subscriber');
const requestsTo = ({ aci }: Subscriber): RequestName[] =>
  scene.service.requests.filter(({ destination }) => destination === aci).map(({ name }) => name);

/** A broadcast that is paused before it sends anything, with everything encrypted. */
async function pausedBroadcast(subscribers: readonly Subscriber[]): Promise<{
  readonly run: ReturnType<Broadcaster['broadcast']>;
  readonly deliveries: ReturnType<typeof collect>;
}> {
  const run = scene.broadcaster.broadcast({ body: 'paused' }, acis(subscribers), { id: 'paused' });
  run.pause();
  const deliveries = collect(run);
  await expect
    .poll(async () => {
      const rows = await scene.store.list('outbox', { prefix: 'paused/', limit: 1000 });
      return rows.filter(({ value }) => value.length > 100).length;
    })
    .toBe(subscribers.length);
  return { run, deliveries };
}

describe('a contact that is blocked once its message is encrypted', () => {
  it('gets no request while the broadcast is paused, and none when it goes on', async () => {
    const subscribers = await subscribeReached(3);
    const [blocked, ...others] = subscribers;
    if (blocked === undefined) return failTest('subscriber');
    const { run, deliveries } = await pausedBroadcast(subscribers);
    await scene.broadcaster.setBlocked(blocked.aci, true);
    run.resume();
    expect((await deliveries).get(blocked.aci)).toMatchObject(BLOCKED);
    expect(requestsTo(blocked)).toEqual([]);
    for (const other of others)
      expect((await deliveries).get(other.aci)).toMatchObject({ status: 'sealed' });
  });

  it('gets no second request after an outage that came between', async () => {
    const subscriber = first(await subscribeReached(1));
    scene.service.intercepts.set('sendSealed', async (aci, count) => {
      if (count > 1) return undefined;
      await scene.broadcaster.setBlocked(aci, true);
      return { status: 'unavailable' };
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject(BLOCKED);
    expect(requestsTo(subscriber)).toEqual(['sendSealed']);
  });

  it('gets no request when the window has room for it again', async () => {
    await reopen({ concurrency: 1 });
    const [one, two] = await subscribeReached(2);
    if (one === undefined || two === undefined) return failTest('subscribers');
    let blocked: string | undefined;
    scene.service.intercepts.set('sendSealed', async (aci) => {
      if (blocked !== undefined) return undefined;
      blocked = aci === one.aci ? two.aci : one.aci;
      await scene.broadcaster.setBlocked(blocked, true);
      return undefined;
    });
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'x' }, acis([one, two])));
    expect(deliveries.get(blocked ?? '')).toMatchObject(BLOCKED);
    expect(scene.service.requests.filter(({ destination }) => destination === blocked)).toEqual([]);
  });

  it('gets no request while a sender certificate is waited for', async () => {
    const subscriber = first(await subscribeKnown(scene, 1));
    scene.service.intercepts.set('fetchSenderCertificate', async () => {
      await scene.broadcaster.setBlocked(subscriber.aci, true);
      return undefined;
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject(BLOCKED);
    expect(requestsTo(subscriber)).toEqual(['fetchPreKeys']);
  });

  it('gets nothing unsealed either', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    const subscriber = first(await subscribeReached(1));
    subscriber.access = 'none';
    await deliveryTo(scene, subscriber);
    scene.service.requests.length = 0;
    const { run, deliveries } = await pausedBroadcast([subscriber]);
    await scene.broadcaster.setBlocked(subscriber.aci, true);
    run.resume();
    expect((await deliveries).get(subscriber.aci)).toMatchObject(BLOCKED);
    expect(requestsTo(subscriber)).toEqual([]);
  });

  it('is not asked for prekeys when its turn for them comes', async () => {
    await reopen({ preKeyConcurrency: 1 });
    const [one, two] = await subscribeKnown(scene, 2);
    if (one === undefined || two === undefined) return failTest('subscribers');
    let blocked: string | undefined;
    scene.service.intercepts.set('fetchPreKeys', async (aci) => {
      if (blocked !== undefined) return undefined;
      blocked = aci === one.aci ? two.aci : one.aci;
      await scene.broadcaster.setBlocked(blocked, true);
      return undefined;
    });
    const deliveries = await collect(scene.broadcaster.broadcast({ body: 'x' }, acis([one, two])));
    expect(deliveries.get(blocked ?? '')).toMatchObject(BLOCKED);
    expect(scene.service.requests.filter(({ destination }) => destination === blocked)).toEqual([]);
  });

  it('gets no request while another one is being answered with what it was denied for', async () => {
    const subscriber = first(await subscribeReached(1));
    subscriber.access = 'none';
    scene.service.intercepts.set('accountExists', async (aci) => {
      await scene.broadcaster.setBlocked(aci, true);
      return undefined;
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject(BLOCKED);
    expect(requestsTo(subscriber)).toEqual(['sendSealed', 'accountExists']);
  });
});

describe('a contact whose access changes once its message is sealed', () => {
  it('is sent to with the access key of the profile key that it has by then', async () => {
    const subscriber = first(await subscribeReached(1));
    const { run, deliveries } = await pausedBroadcast([subscriber]);
    subscriber.profileKey = new Uint8Array(32).fill(5);
    await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    run.resume();
    expect((await deliveries).get(subscriber.aci)).toMatchObject({ status: 'sealed' });
    const keys = scene.service.requests.map(({ accessKey }) => accessKey);
    expect(keys).toEqual([deriveAccessKey(subscriber.profileKey)]);
  });

  it('is sent to sealed where it was to be sent to unsealed', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    const subscriber = first(await subscribeReached(1));
    subscriber.access = 'none';
    await deliveryTo(scene, subscriber);
    scene.service.requests.length = 0;
    const { run, deliveries } = await pausedBroadcast([subscriber]);
    subscriber.access = 'key';
    subscriber.profileKey = new Uint8Array(32).fill(6);
    await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    run.resume();
    expect((await deliveries).get(subscriber.aci)).toMatchObject({ status: 'sealed' });
    expect(requestsTo(subscriber)).toEqual(['sendSealed']);
  });
});

describe('a profile key that is replaced once messages are encrypted', () => {
  const former = (): Uint8Array => scene.service.sender.profileKey;
  const profileKey = new Uint8Array(32).fill(0x11);
  /** Profile keys that came since, in their order. */
  const arrivedKeys = (): unknown[] =>
    scene.service.arrivals.map(({ message }) => message.profileKey?.at(0));

  /** Another user of the account gives another profile key. */
  async function replaceProfileKey(): Promise<void> {
    const account = { ...scene.service.sender, profileKey };
    const { broadcaster } = await openScene({ store: scene.store, account }, scene.service);
    await broadcaster.close();
  }

  it('goes out with none of the messages that wait', async () => {
    const subscribers = await subscribeReached(3);
    scene.service.arrivals.length = 0;
    const { run, deliveries } = await pausedBroadcast(subscribers);
    await replaceProfileKey();
    run.resume();
    expect(new Set([...(await deliveries).values()].map(({ status }) => status))).toEqual(
      new Set(['sealed']),
    );
    expect(arrivedKeys()).toEqual([0x11, 0x11, 0x11]);
    for (const subscriber of subscribers) expect(requestsTo(subscriber)).toEqual(['sendSealed']);
  });

  it('goes out with no message again that the service could not take', async () => {
    const subscriber = first(await subscribeReached(1));
    scene.service.arrivals.length = 0;
    scene.service.intercepts.set('sendSealed', async (_aci, count) => {
      if (count > 1) return undefined;
      await replaceProfileKey();
      return { status: 'unavailable' };
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(arrivedKeys()).toEqual([0x11]);
  });

  it('goes to no device that had the message already where another one was added', async () => {
    const subscriber = first(await subscribeReached(1));
    scene.service.arrivals.length = 0;
    await scene.service.addDevice(subscriber, 2);
    scene.service.intercepts.set('fetchPreKeys', async () => {
      await replaceProfileKey();
      return undefined;
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(former().at(0)).toBe(0x99);
    expect(arrivedKeys()).toEqual([0x11, 0x11]);
  });
});

describe('a store that another process has taken over', () => {
  class LosableStore extends MemoryStore {
    isLost = false;
    override mayAct(): boolean {
      return !this.isLost;
    }
  }

  it('stops the broadcast before its next request', async () => {
    const store = new LosableStore();
    await scene.broadcaster.close();
    scene = await openScene({ store }, scene.service);
    const subscribers = await subscribeReached(4);
    const { run, deliveries } = await pausedBroadcast(subscribers);
    deliveries.catch(() => undefined);
    store.isLost = true;
    run.resume();
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    await expect(deliveries).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(scene.service.requests).toEqual([]);
  });

  it('stops it before it asks for prekeys', async () => {
    const store = new LosableStore();
    await scene.broadcaster.close();
    scene = await openScene({ store }, scene.service);
    const [subscriber] = await subscribeKnown(scene, 1);
    store.isLost = true;
    const run = scene.broadcaster.broadcast({ body: 'x' }, [subscriber?.aci ?? '']);
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(scene.service.requests).toEqual([]);
  });
});

describe('a first session', () => {
  it('is begun once where two broadcasts find the same stranger, with one bundle, and both texts arrive', async () => {
    const subscriber = first(await subscribeKnown(scene, 1));
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    scene.service.intercepts.set('fetchPreKeys', async () => {
      await released;
      return undefined;
    });
    const runs = ['one', 'two'].map((body) =>
      scene.broadcaster.broadcast({ body }, [subscriber.aci]),
    );
    await untilTrue(() => scene.service.countOf('fetchPreKeys') > 0);
    await untilTrue(() => runs.every(({ progress }) => progress.ingested));
    release();
    for (const run of runs) expect(await run.summary()).toMatchObject({ sealed: 1 });
    expect(scene.service.textsOf(subscriber).sort()).toEqual(['one', 'two']);
    expect(scene.service.countOf('fetchPreKeys')).toBe(1);
  });

  /**
   * Calls back each time sessions of the recipient are read, which is right before workers begin or
   * continue one.
   */
  async function reopenWatched(onRead: (aci: string) => Promise<void>): Promise<void> {
    const beforeRead: StoreWatch['beforeRead'] = (table, keys) =>
      table === 'session' && keys[0] !== undefined ? onRead(keys[0].slice(0, 36)) : undefined;
    await scene.broadcaster.close();
    scene = await openScene(
      { store: new WatchedStore(new MemoryStore(), { beforeRead }) },
      scene.service,
    );
  }

  it('is dropped where the contact is blocked while workers compute it', async () => {
    const blocked: Promise<void>[] = [];
    await reopenWatched(async (aci) => {
      if (blocked.length > 0) return;
      blocked.push(scene.broadcaster.setBlocked(aci, true));
      await neverHangs(Promise.all(blocked), 'setBlocked');
    });
    const subscriber = first(await subscribeKnown(scene, 1));
    expect(await deliveryTo(scene, subscriber)).toMatchObject(BLOCKED);
    expect(requestsTo(subscriber)).toEqual(['fetchPreKeys']);
    expect(await scene.store.getMany('session', [`${subscriber.aci}.1`])).toEqual([undefined]);
  });

  it('is computed with the lock held after three rounds that changes of the contact spoiled', async () => {
    const changes: Promise<void>[] = [];
    const change = async (aci: string): Promise<void> => {
      await scene.broadcaster.setBlocked(aci, true);
      await scene.broadcaster.setBlocked(aci, false);
    };
    await reopenWatched(async (aci) => {
      if (changes.length === 4) return;
      const changed = change(aci);
      changes.push(changed);
      // The fourth waits for the lock.
      if (changes.length < 4) await neverHangs(changed, 'setBlocked');
    });
    const subscriber = first(await subscribeKnown(scene, 1));
    const { aci } = subscriber;
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(requestsTo(subscriber).filter((name) => name === 'fetchPreKeys')).toHaveLength(4);
    await Promise.all(changes);
    expect(scene.service.textsOf(subscriber)).toEqual(['a text']);
    expect(await contactOf(scene, { aci })).toMatchObject({ blocked: false });
  });
});

describe('a session that is begun again', () => {
  it('is computed again where another broadcast used the old one meanwhile', async () => {
    let isRepairing = false;
    const others: Promise<unknown>[] = [];
    const afterRead: StoreWatch['afterRead'] = async (table, [key]) => {
      if (table !== 'session' || key === undefined || !isRepairing || others.length > 0) return;
      others.push(scene.broadcaster.broadcast({ body: 'other' }, [key.slice(0, 36)]).summary());
      await neverHangs(Promise.all(others), 'another broadcast');
    };
    await scene.broadcaster.close();
    const store = new WatchedStore(new MemoryStore(), { afterRead });
    scene = await openScene({ store }, scene.service);
    const subscriber = first(await subscribeReached(1));
    scene.service.intercepts.set('sendSealed', async () => {
      await Promise.resolve();
      if (isRepairing) return undefined;
      isRepairing = true;
      return { status: 'mismatched-devices', missing: [], extra: [], stale: [1] };
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(requestsTo(subscriber).filter((name) => name === 'fetchPreKeys')).toHaveLength(2);
    expect(scene.service.textsOf(subscriber)).toEqual(['welcome', 'other', 'a text']);
  });
});

describe('a device that was added', () => {
  it('gets the messages of ten broadcasts that repair it in the same moment', async () => {
    const subscriber = first(await subscribeReached(1));
    await scene.service.addDevice(subscriber, 2);
    let askedCount = 0;
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    scene.service.intercepts.set('fetchPreKeys', async () => {
      askedCount += 1;
      if (askedCount === 10) answer();
      await answered;
      return undefined;
    });
    const texts = Array.from({ length: 10 }, (_, i) => `text ${i}`);
    const runs = texts.map((body) => scene.broadcaster.broadcast({ body }, [subscriber.aci]));
    const summaries = await Promise.all(runs.map((run) => run.summary()));
    expect(summaries.map(({ sealed }) => sealed)).toEqual(texts.map(() => 1));
    expect(scene.service.textsOf(subscriber, 2).sort()).toEqual(texts);
  });
});
