// Broadcasts whose workers read contacts and sessions in the store on disk themselves.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, SealcastError, type Store, type TableName } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workerReadable } from '#dist/src/store/lmdb/lmdb-store.js';
import { encodeContact } from '#dist/src/store/tables/contacts.js';
import { serviceIdIn } from '#dist/src/store/tables/sessions.js';
import { manyTurns } from '../harness/await-condition.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import {
  acis,
  changeContact,
  collect,
  contactOf,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import { DamagedStore, STORE_KINDS } from '../harness/damaged-stores.js';
import { temporaryDirectory } from '../harness/store-files.js';

/** Field 17 of a contact, its access key: tag and length. */
const ACCESS_KEY_FIELD = Buffer.of(0x8a, 0x01, 16);

/** Counts the values that are read through a store, by table. */
function countReads(store: Store): Map<TableName, number> {
  const reads = new Map<TableName, number>();
  const getMany = store.getMany.bind(store);
  store.getMany = (table, keys) => {
    reads.set(table, (reads.get(table) ?? 0) + keys.length);
    return getMany(table, keys);
  };
  return reads;
}

describe.each(STORE_KINDS)('a broadcast from a %s store on disk', (kind) => {
  let kept: DamagedStore;
  let scene: Scene;
  const lines: unknown[] = [];
  const write = (...line: unknown[]): void => void lines.push(line);
  const logger = { debug: write, info: write, warn: write, error: write };

  beforeEach(async () => {
    lines.length = 0;
    kept = await DamagedStore.make(kind);
    scene = await openScene({ store: kept.store, logger });
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await kept.remove();
  });

  /** Subscribers with sessions, from a first broadcast. */
  async function withSessions(...deviceIds: readonly (readonly number[])[]): Promise<Subscriber[]> {
    const { service, broadcaster } = scene;
    const subscribers: Subscriber[] = [];
    for (const ids of deviceIds) subscribers.push(await service.subscribe(ids));
    for (const { aci, profileKey } of subscribers) await broadcaster.setProfileKey(aci, profileKey);
    const { sealed } = await broadcaster.broadcast({ body: 'first' }, acis(subscribers)).summary();
    expect(sealed).toBe(subscribers.length);
    return subscribers;
  }

  it('reads no contact and no session on the main thread', async () => {
    const subscribers = await withSessions([1], [1, 2], [1]);
    const reads = countReads(kept.store);
    const run = scene.broadcaster.broadcast({ body: 'second' }, acis(subscribers));
    expect(await run.summary()).toMatchObject({ sealed: 3, failed: 0 });
    expect([reads.get('contact'), reads.get('session')]).toEqual([undefined, undefined]);
    for (const subscriber of subscribers)
      for (const deviceId of subscriber.devices.keys())
        expect(scene.service.textsOf(subscriber, deviceId)).toEqual(['first', 'second']);
  });

  it('goes on with each session where the one before ended', async () => {
    const [subscriber] = await withSessions([1]);
    const bodies = ['a', 'b', 'c', 'd'];
    for (const body of bodies)
      await scene.broadcaster.broadcast({ body }, [subscriber!.aci]).summary();
    expect(scene.service.textsOf(subscriber!)).toEqual(['first', ...bodies]);
  });

  it('leaves what is to be decided about a recipient to the main thread', async () => {
    const [plain, blocked, denied, renewed, timed, before] = await withSessions(
      ...Array.from({ length: 6 }, () => [1]),
    );
    const stranger = await scene.service.subscribe();
    await scene.broadcaster.setProfileKey(stranger.aci, stranger.profileKey);
    await scene.broadcaster.setBlocked(blocked!.aci, true);
    const nowMs = Date.now();
    await changeContact(scene, denied!, { accessMode: 'disabled', accessDeniedMs: nowMs });
    await changeContact(scene, renewed!, { needsPniSignature: true });
    await changeContact(scene, timed!, { expireTimer: 60, expireTimerVersion: 2 });
    await changeContact(scene, before!, { unanswered: true });
    const all = [plain!, blocked!, denied!, renewed!, timed!, before!, stranger];
    const run = scene.broadcaster.broadcast({ body: 'second' }, acis(all));
    const deliveries = await collect(run);
    expect(all.map(({ aci }) => deliveries.get(aci)?.status)).toEqual([
      'sealed',
      'failed',
      'failed',
      'sealed',
      'sealed',
      'sealed',
      'sealed',
    ]);
    expect(deliveries.get(blocked!.aci)?.error?.code).toBe('ERR_RECIPIENT_BLOCKED');
    expect(deliveries.get(denied!.aci)?.error?.code).toBe('ERR_ACCESS_DENIED');
    expect(scene.service.textsOf(timed!)).toEqual(['first', 'second']);
    expect((await contactOf(scene, before!)).unanswered).toBeUndefined();
  });

  it('begins another session where a device has none, and keeps those of its others', async () => {
    const [subscriber] = await withSessions([1, 2]);
    await kept.store.commit([{ table: 'session', key: `${subscriber!.aci}.2`, value: null }]);
    const run = scene.broadcaster.broadcast({ body: 'second' }, [subscriber!.aci]);
    expect(await run.summary()).toMatchObject({ sealed: 1 });
    for (const deviceId of [1, 2])
      expect(scene.service.textsOf(subscriber!, deviceId)).toEqual(['first', 'second']);
  });

  it('fails a recipient alone whose contact is damaged', async () => {
    const subscribers = await withSessions([1], [1]);
    const { service, broadcaster } = scene;
    await broadcaster.close();
    const store = await kept.damage([['contact', subscribers[0]!.aci]]);
    scene = await openScene({ store, logger }, service);
    const deliveries = await collect(
      scene.broadcaster.broadcast({ body: 'second' }, acis(subscribers)),
    );
    expect(subscribers.map(({ aci }) => deliveries.get(aci)?.status)).toEqual(['failed', 'sealed']);
  });

  it('stores the access key of a contact whose record has none', async () => {
    const [subscriber] = await withSessions([1]);
    const bytes = Buffer.from(encodeContact(await contactOf(scene, subscriber!)));
    const at = bytes.indexOf(ACCESS_KEY_FIELD);
    expect(at).toBeGreaterThan(0);
    const value = Buffer.concat([
      bytes.subarray(0, at),
      bytes.subarray(at + ACCESS_KEY_FIELD.length + 16),
    ]);
    await kept.store.commit([{ table: 'contact', key: subscriber!.aci, value }]);
    expect((await contactOf(scene, subscriber!)).stored).toBeUndefined();
    await scene.broadcaster.broadcast({ body: 'second' }, [subscriber!.aci]).summary();
    expect((await contactOf(scene, subscriber!)).stored?.accessKey).toHaveLength(16);
    expect(scene.service.textsOf(subscriber!)).toEqual(['first', 'second']);
  });

  it.each(['nothing', 'another store'] as const)(
    'is encrypted on the main thread where workers find %s at its place, and says so',
    async (found) => {
      const subscribers = await withSessions([1], [1]);
      const place = temporaryDirectory();
      const path = join(place.path, 'store');
      if (found === 'another store') await (await openStore({ path })).close();
      const { location } = workerReadable(kept.store) ?? failTest('store that workers read');
      Object.defineProperty(kept.store, 'location', { value: { ...location, path } });
      const run = scene.broadcaster.broadcast({ body: 'second' }, acis(subscribers));
      expect(await run.summary()).toMatchObject({ sealed: 2 });
      expect(JSON.stringify(lines)).toContain('workers do not read the store');
      expect(existsSync(path)).toBe(found === 'another store');
      for (const subscriber of subscribers)
        expect(scene.service.textsOf(subscriber)).toEqual(['first', 'second']);
      place.remove();
    },
  );
});

describe('a store that stands before one on disk', () => {
  it('is read through itself', async () => {
    const kept = await DamagedStore.make('plain');
    const counted = { commits: 0 };
    const store = new Proxy(kept.store, {
      get: (target, name) => {
        if (name === 'commit') counted.commits += 1;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const scene = await openScene({ store });
    const ids = acis(await subscribeKnown(scene, 2));
    await scene.broadcaster.broadcast({ body: 'first' }, ids).summary();
    const before = counted.commits;
    const reads = countReads(store);
    const { sealed } = await scene.broadcaster.broadcast({ body: 'second' }, ids).summary();
    expect(sealed).toBe(2);
    expect(counted.commits).toBeGreaterThan(before);
    expect(reads.get('session')).toBeGreaterThan(0);
    await scene[Symbol.asyncDispose]();
    await kept.remove();
  });
});

describe('a chunk with a share that cannot be written', () => {
  it('keeps the recipients of the other share locked until that one has ended', async () => {
    const kept = await DamagedStore.make('plain');
    const scene = await openScene({ store: kept.store, threads: 2 });
    const ids = acis(await subscribeKnown(scene, 32));
    await scene.broadcaster.broadcast({ body: 'first' }, ids).summary();

    const store = workerReadable(kept.store) ?? failTest('store that workers read');
    const commitStored = store.commitStored.bind(store);
    let tellHeld!: (owners: readonly string[]) => void;
    const held = new Promise<readonly string[]>((resolve) => (tellHeld = resolve));
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let shares = 0;
    store.commitStored = async (changes) => {
      const owners = changes
        .filter(({ table }) => table === 'session')
        .map(({ keyBytes }) => serviceIdIn(Buffer.from(keyBytes).toString()));
      if (owners.length > 0) {
        shares += 1;
        if (shares === 1) throw new SealcastError('ERR_STORE_FAILED', 'the disk is full');
        tellHeld(owners);
        await gate;
      }
      return commitStored(changes);
    };
    const ended = scene.broadcaster.broadcast({ body: 'second' }, ids).summary();
    ended.catch(() => undefined);
    const [recipient = failTest('recipient')] = await held;
    let isBlocked = false;
    const blocking = scene.broadcaster.setBlocked(recipient, true).then(() => (isBlocked = true));
    // As many round trips to the disk as would let it through, were its lock free.
    for (let i = 0; i < 20; i++) {
      await kept.store.commit([{ table: 'certificate', key: 'other', value: Uint8Array.of(i) }]);
      await manyTurns();
    }
    expect(isBlocked).toBe(false);
    open();
    await blocking;
    await expect(ended).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
    await scene[Symbol.asyncDispose]();
    await kept.remove();
  });
});
