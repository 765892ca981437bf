import { BroadcastReader, MemoryStore, openStore, type Store, type StoredDelivery } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { BroadcastChild } from '../harness/broadcast-child.js';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';
import { temporaryDirectory } from '../harness/store-files.js';
import { StandInService } from '../fakes/stand-in-service.js';

const UNKNOWN = '5d1a3c5e-9d43-4a0f-9a5e-0a5ad8f6d0a1';

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const collected: Value[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

const byRecipient = (deliveries: readonly StoredDelivery[]): Map<string, StoredDelivery> =>
  new Map(deliveries.map((delivery) => [delivery.recipient, delivery]));

/** Aborts a broadcast once the service has refused to answer its sends. */
async function cutOff(scene: Scene, recipients: readonly string[], id: string): Promise<void> {
  const stop = new AbortController();
  const before = scene.service.countOf('sendSealed');
  scene.service.intercepts.set('sendSealed', () => new Promise<never>(() => undefined));
  const { signal } = stop;
  const run = scene.broadcaster.broadcast({ body: 'x' }, recipients, { id, signal });
  await untilTrue(() => run.progress.ingested && scene.service.countOf('sendSealed') > before);
  stop.abort();
  await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  scene.service.intercepts.clear();
}

describe('the broadcasts of a store', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene();
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  it('are none in a new store', async () => {
    expect(await all(scene.broadcaster.broadcasts())).toEqual([]);
    expect(await scene.broadcaster.status('none')).toBeUndefined();
  });

  it('have state, times and counts, of entries that are no service ids too', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    const summary = await scene.broadcaster
      .broadcast({ body: 'x' }, [...acis(subscribers), 'no id', UNKNOWN], {
        id: 'first',
        maxPerSecond: 500,
      })
      .summary();
    const status = await scene.broadcaster.status('first');
    expect(status).toMatchObject({
      id: 'first',
      state: 'finished',
      timestamp: summary.timestamp,
      recipients: 5,
      sealed: 3,
      unsealed: 0,
      waiting: 0,
      invalid: 1,
      urgent: true,
      maxPerSecond: 500,
    });
    expect(status!.failed + status!.unregistered).toBe(2);
    expect(status!.createdAtMs).toBeLessThanOrEqual(status!.finishedAtMs!);
    await cutOff(scene, acis(subscribers), 'second');
    const listed = await all(scene.broadcaster.broadcasts());
    expect(listed.find(({ id }) => id === 'first')).toEqual(status);
    const second = listed.find(({ id }) => id === 'second');
    expect(second).toMatchObject({ state: 'sending', recipients: 3, waiting: 3, sealed: 0 });
    expect(second).not.toHaveProperty('finishedAtMs');
    expect(second).not.toHaveProperty('maxPerSecond');
  });

  it('are read without a broadcaster', async () => {
    const subscribers = await subscribeKnown(scene, 2);
    await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'b' }).summary();
    await scene.broadcaster.close();
    const reader = new BroadcastReader(scene.store);
    expect(await reader.status('b')).toMatchObject({ state: 'finished', sealed: 2 });
    expect(await all(reader.deliveries('b'))).toHaveLength(2);
  });

  it('refuse wrong arguments, and calls on a closed broadcaster', async () => {
    const { broadcaster } = scene;
    const invalid = { code: 'ERR_INVALID_ARGUMENT' };
    await expect(broadcaster.status('a b')).rejects.toMatchObject({ ...invalid, field: 'id' });
    expect(() => broadcaster.deliveries('a b')).toThrow(expect.objectContaining(invalid));
    expect(() => broadcaster.deliveries('b', { status: 'sent' as 'sealed' })).toThrow(
      expect.objectContaining({ ...invalid, field: 'status' }),
    );
    expect(() => broadcaster.deliveries('b', { state: 'sealed' } as object)).toThrow(
      expect.objectContaining({ ...invalid, field: 'state' }),
    );
    expect(() => new BroadcastReader({} as Store)).toThrow(expect.objectContaining(invalid));
    await broadcaster.close();
    const closed = { code: 'ERR_CLOSED' };
    expect(() => broadcaster.broadcasts()).toThrow(expect.objectContaining(closed));
    expect(() => broadcaster.deliveries('b')).toThrow(expect.objectContaining(closed));
    expect(() => broadcaster.resume('b')).toThrow(expect.objectContaining(closed));
    await expect(broadcaster.status('b')).rejects.toMatchObject(closed);
  });
});

describe('the deliveries of a broadcast', () => {
  it('have recipient, status and error code, and are filtered by status', async () => {
    await using scene = await openScene();
    const { broadcaster } = scene;
    const [one, other] = await subscribeKnown(scene, 2);
    await broadcaster.setBlocked(other!.aci, true);
    await broadcaster
      .broadcast({ body: 'x' }, [one!.aci, other!.aci, 'no id'], { id: 'b' })
      .summary();
    const deliveries = byRecipient(await all(broadcaster.deliveries('b')));
    expect([...deliveries.keys()].sort()).toEqual([one!.aci, other!.aci].sort());
    expect(deliveries.get(one!.aci)).toEqual({ recipient: one!.aci, status: 'sealed' });
    const blocked = {
      recipient: other!.aci,
      status: 'failed',
      errorCode: 'ERR_RECIPIENT_BLOCKED',
    };
    expect(await all(broadcaster.deliveries('b', { status: 'failed' }))).toEqual([blocked]);
    expect(await all(broadcaster.deliveries('b', { status: 'waiting' }))).toEqual([]);
  });

  it('of an unknown broadcast are refused when they are iterated', async () => {
    await using scene = await openScene();
    await expect(all(scene.broadcaster.deliveries('unknown'))).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'id',
    });
  });

  it('are read page by page', async () => {
    const store = new MemoryStore();
    const reads: number[] = [];
    const list = store.list.bind(store);
    store.list = async (table, options) => {
      const page = await list(table, options);
      if (table === 'outbox') reads.push(page.length);
      return page;
    };
    await using scene = await openScene({ store });
    const recipients = Array.from(
      { length: 2_500 },
      (_, i) => `${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
    );
    await cutOff(scene, [(await subscribeKnown(scene, 1))[0]!.aci, ...recipients], 'many');
    reads.length = 0;
    let count = 0;
    for await (const { status } of scene.broadcaster.deliveries('many')) {
      if (count === 0) expect(reads).toEqual([1024]);
      expect(['waiting', 'unregistered', 'failed']).toContain(status);
      count += 1;
    }
    expect(count).toBe(2_501);
    expect(reads).toEqual([1024, 1024, 453]);
  });
});

describe('one broadcast that is resumed', () => {
  it('shows its progress and its deliveries', async () => {
    await using scene = await openScene();
    const subscribers = await subscribeKnown(scene, 4);
    await cutOff(scene, acis(subscribers), 'cut');
    const run = scene.broadcaster.resume('cut');
    expect(run.id).toBe('cut');
    const deliveries = await collect(run);
    expect([...deliveries.keys()].sort()).toEqual(acis(subscribers).sort());
    expect(run.progress).toMatchObject({ recipients: 4, sealed: 4, pending: 0, ingested: true });
    expect(await run.summary()).toMatchObject({ id: 'cut', recipients: 4, sealed: 4 });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
  });

  it('that was finished ends at once, with the same counts', async () => {
    await using scene = await openScene();
    const subscribers = await subscribeKnown(scene, 2);
    await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'b' }).summary();
    expect(await scene.broadcaster.resume('b').summary()).toMatchObject({ sealed: 2 });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
  });

  it('is refused where it is unknown, under way, or lacks recipients', async () => {
    await using scene = await openScene();
    const { broadcaster } = scene;
    const invalid = { code: 'ERR_INVALID_ARGUMENT', field: 'id' };
    await expect(broadcaster.resume('unknown').summary()).rejects.toMatchObject(invalid);
    expect(() => broadcaster.resume('a b')).toThrow(expect.objectContaining(invalid));
    const subscribers = await subscribeKnown(scene, 1);
    const torn = (function* () {
      yield* acis(subscribers);
      throw new Error('the file ends here');
    })();
    await expect(
      broadcaster.broadcast({ body: 'x' }, torn, { id: 'torn' }).summary(),
    ).rejects.toThrow();
    await expect(broadcaster.resume('torn').summary()).rejects.toMatchObject(invalid);
    const run = broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'torn' });
    expect(() => broadcaster.resume('torn')).toThrow(expect.objectContaining(invalid));
    await run.summary();
  });

  it('is stopped by its signal, and can be resumed again', async () => {
    await using scene = await openScene();
    const subscribers = await subscribeKnown(scene, 2);
    await cutOff(scene, acis(subscribers), 'cut');
    const stopped = scene.broadcaster.resume('cut', { signal: AbortSignal.abort() });
    await expect(stopped.summary()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(await scene.broadcaster.resume('cut').summary()).toMatchObject({ sealed: 2 });
  });
});

describe('a store on the disk, whose process was killed in the middle of a broadcast', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(async () => {
    await BroadcastChild.killAll();
    directory.remove();
  });

  it.each([undefined, new Uint8Array(32).fill(7)])(
    'says what was sent and what waits, and the rest is watched',
    async (encryptionKey) => {
      const { path } = directory;
      const service = new StandInService();
      const subscribers = await Promise.all(Array.from({ length: 40 }, () => service.subscribe()));
      const key = encryptionKey && { encryptionKey };
      const opened = await openStore({ path, ...key });
      const scene = await openScene({ store: opened, chunkSize: 8, concurrency: 4 }, service);
      if (encryptionKey === undefined) {
        await scene.broadcaster.close();
        await opened.close();
        const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
        const recipients = acis(subscribers);
        const options = { chunkSize: 8, concurrency: 4 };
        const job = { path, id: 'b', body: 'x', profileKeys, recipients, options } as const;
        const end = await BroadcastChild.run(
          service,
          { ...job, ask: 'broadcast', dieAt: { moment: 'after done rows', count: 2 } },
          {},
        );
        expect(end.signal).toBe('SIGKILL');
      } else {
        await subscribeKnown(scene, 0);
        for (const { aci, profileKey } of subscribers)
          await scene.broadcaster.setProfileKey(aci, profileKey);
        await cutOff(scene, acis(subscribers), 'b');
        await scene.broadcaster.close();
        await opened.close();
      }

      await using store = await openStore({ path, ...key });
      const reader = new BroadcastReader(store);
      const status = await reader.status('b');
      expect(status).toMatchObject({ id: 'b', recipients: 40, failed: 0, invalid: 0 });
      expect(status!.sealed + status!.waiting).toBe(40);
      expect(status!.waiting).toBeGreaterThan(0);
      expect(await all(reader.broadcasts())).toEqual([status]);
      expect(await all(reader.deliveries('b', { status: 'waiting' }))).toHaveLength(
        status!.waiting,
      );
      expect(await all(reader.deliveries('b', { status: 'sealed' }))).toHaveLength(status!.sealed);

      await using again = await openScene({ store }, service);
      const run =
        status!.state === 'sending'
          ? again.broadcaster.resume('b')
          : again.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'b' });
      expect((await collect(run)).size).toBe(status!.waiting);
      expect(await run.summary()).toMatchObject({ recipients: 40, sealed: 40 });
      expect(await reader.status('b')).toMatchObject({ state: 'finished', sealed: 40 });
    },
  );
});
