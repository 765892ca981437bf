import { randomUUID } from 'node:crypto';
import { MemoryStore, type Store } from 'sealcast';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import {
  acis,
  collect,
  deliveryTo,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { Clock } from '#dist/src/util/clock.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { StandInService } from '../fakes/stand-in-service.js';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function reopen(options: Parameters<typeof openScene>[0] = {}, clock?: Clock): Promise<void> {
  await scene.broadcaster.close();
  scene = await openScene({ ...options, store: scene.store }, scene.service, clock);
}

async function stateOf(store: Store, id: string): Promise<string | undefined> {
  const [bytes] = await store.getMany('broadcast', [id]);
  return bytes && decodeBroadcast(bytes).state;
}

describe('recipients', () => {
  it('that are no service ids count as failed in a resumed broadcast too', async () => {
    const subscribers = await subscribeKnown(scene, 2);
    const stop = new AbortController();
    scene.service.intercepts.set('sendSealed', () => {
      // Once all recipients have been read, and before any of them has the message.
      return new Promise<never>(() => undefined);
    });
    const given = ['no service id', ...acis(subscribers), 'nor this'];
    const run = scene.broadcaster.broadcast({ body: 'x' }, given, { id: 'i', signal: stop.signal });
    await untilTrue(() => run.progress.ingested && scene.service.countOf('sendSealed') === 2);
    stop.abort();
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    scene.service.intercepts.clear();
    const [resumed] = await scene.broadcaster.resume();
    expect(resumed).toMatchObject({
      status: 'finished',
      summary: { recipients: 4, sealed: 2, failed: 2 },
    });
  });

  it('of a broadcast with another one’s timestamp are refused with it', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    const recipients = [subscriber?.aci ?? ''];
    await scene.broadcaster
      .broadcast({ body: 'x' }, recipients, { id: 'a', timestamp: 5 })
      .summary();
    const again = (): unknown =>
      scene.broadcaster.broadcast({ body: 'y' }, recipients, { id: 'b', timestamp: 5 });
    expect(again).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'timestamp' }),
    );
    await scene.broadcaster
      .broadcast({ body: 'x' }, recipients, { id: 'a', timestamp: 5 })
      .summary();
  });

  it('given more than once, in any letter case, get one message', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    const given = [
      ...acis(subscribers),
      ...acis(subscribers).map((aci) => aci.toUpperCase()),
      ...acis(subscribers),
    ];
    const deliveries: string[] = [];
    const run = scene.broadcaster.broadcast({ body: 'once' }, given);
    for await (const { recipient } of run) deliveries.push(recipient);
    expect(deliveries.sort()).toEqual(acis(subscribers).sort());
    expect(await run.summary()).toMatchObject({ recipients: 3, sealed: 3 });
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber)).toEqual(['once']);
  });

  it('may come from an async iterable', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    async function* give(): AsyncGenerator<string> {
      for (const aci of acis(subscribers)) {
        await Promise.resolve();
        yield aci;
      }
    }
    expect(await scene.broadcaster.broadcast({ body: 'x' }, give()).summary()).toMatchObject({
      sealed: 3,
    });
  });

  it('may be none', async () => {
    const run = scene.broadcaster.broadcast({ body: 'x' }, []);
    expect(await collect(run)).toEqual(new Map());
    expect(await run.summary()).toMatchObject({ recipients: 0, sealed: 0, failed: 0 });
    expect(scene.service.requests).toEqual([]);
  });

  it('that are no service ids are failures of their own', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    const given = [
      '+15550100',
      subscriber?.aci,
      7,
      '',
      null,
      `PNI:PNI:${randomUUID()}`,
    ] as string[];
    const deliveries = [];
    for await (const delivery of scene.broadcaster.broadcast({ body: 'x' }, given))
      deliveries.push(delivery);
    const failed = deliveries.filter(({ status }) => status === 'failed');
    expect(failed).toHaveLength(5);
    expect(failed.map(({ error }) => [error?.code, error?.index])).toEqual(
      [0, 2, 3, 4, 5].map((index) => ['ERR_RECIPIENT_INVALID', index]),
    );
    expect(deliveries.filter(({ status }) => status === 'sealed')).toHaveLength(1);
  });

  it('that are the account itself, or blocked, cost no request', async () => {
    const blocked = await scene.service.subscribe();
    await scene.broadcaster.setBlocked(blocked.aci, true);
    expect(await deliveryTo(scene, blocked)).toMatchObject({
      error: { code: 'ERR_RECIPIENT_BLOCKED' },
    });
    expect(await deliveryTo(scene, scene.service.sender)).toMatchObject({
      error: { code: 'ERR_RECIPIENT_INVALID' },
    });
    expect(scene.service.requests).toEqual([]);
    await scene.broadcaster.setBlocked(blocked.aci, false);
    await scene.broadcaster.setProfileKey(blocked.aci, blocked.profileKey);
    expect(await deliveryTo(scene, blocked)).toMatchObject({ status: 'sealed' });
  });

  it('that cannot be read to their end reject the run, which the same id resumes', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    const cause = new Error('the list is torn');
    function* torn(): Generator<string> {
      yield* acis(subscribers).slice(0, 2);
      throw cause;
    }
    const options = { id: 'torn' };
    const summary = scene.broadcaster.broadcast({ body: 'x' }, torn(), options).summary();
    await expect(summary).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'recipients',
      cause,
    });
    expect(await stateOf(scene.store, 'torn')).toBe('ingesting');
    expect(await scene.broadcaster.resume()).toEqual([{ id: 'torn', status: 'needs-recipients' }]);
    const again = await scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), options)
      .summary();
    expect(again).toMatchObject({ recipients: 3, sealed: 3 });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
  });

  it.each(['an abort', 'close()'])('that never come hold up %s in no way', async (how) => {
    const controller = new AbortController();
    const never: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: () => new Promise(() => undefined),
      }),
    };
    const summary = scene.broadcaster
      .broadcast({ body: 'x' }, never, { id: 'n', signal: controller.signal })
      .summary();
    summary.catch(() => undefined);
    await untilTrue(async () => (await stateOf(scene.store, 'n')) === 'ingesting');
    if (how === 'an abort') controller.abort();
    else await neverHangs(scene.broadcaster.close(), 'close()');
    const code = how === 'an abort' ? 'ERR_ABORTED' : 'ERR_CLOSED';
    await expect(neverHangs(summary, 'the run')).rejects.toMatchObject({ code });
  });
});

describe('a broadcast with an id', () => {
  it('sends nothing twice when it is given again, and goes on with new recipients', async () => {
    const subscribers = await subscribeKnown(scene, 4);
    const first = await scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers).slice(0, 2), { id: 'a' })
      .summary();
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'a' });
    const deliveries = await collect(run);
    expect(new Set(deliveries.keys())).toEqual(new Set(acis(subscribers).slice(2)));
    expect(await run.summary()).toMatchObject({
      recipients: 4,
      sealed: 4,
      timestamp: first.timestamp,
    });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
    expect(scene.service.countOf('sendSealed')).toBe(4);
  });

  it.each([
    ['body', { body: 'y' }, {}],
    ['timestamp', { body: 'x' }, { timestamp: 2 }],
    ['urgency', { body: 'x' }, { urgent: false }],
  ])('rejects another %s', async (_, message, options) => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    await scene.broadcaster
      .broadcast({ body: 'x' }, [subscriber.aci], { id: 'a', timestamp: 1 })
      .summary();
    const other = scene.broadcaster.broadcast(message, [subscriber.aci], { id: 'a', ...options });
    await expect(other.summary()).rejects.toMatchObject({
      code: 'ERR_BROADCAST_MISMATCH',
      field: 'id',
    });
    expect(scene.service.countOf('sendSealed')).toBe(1);
    expect(await stateOf(scene.store, 'a')).toBe('finished');
  });

  it('is refused while it is under way, and taken again as soon as its last delivery was iterated', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    const send = (): ReturnType<typeof scene.broadcaster.broadcast> =>
      scene.broadcaster.broadcast({ body: 'x' }, [subscriber.aci], { id: 'a' });
    const run = send();
    expect(send).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'id' }));
    await collect(run);
    expect(await collect(send())).toEqual(new Map());
  });

  it('that was cut off by close() is finished by resume(), with nothing sent twice', async () => {
    const subscribers = await subscribeKnown(scene, 10);
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count > 4 ? new Promise(() => undefined) : undefined,
    );
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'a' });
    const delivered: string[] = [];
    const iterating = (async () => {
      for await (const { recipient } of run) delivered.push(recipient);
    })();
    iterating.catch(() => undefined);
    await untilTrue(() => delivered.length === 4);
    await reopen();
    await expect(iterating).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(await stateOf(scene.store, 'a')).toBe('sending');
    scene.service.intercepts.clear();
    const [resumed] = await scene.broadcaster.resume();
    expect(resumed).toMatchObject({
      id: 'a',
      status: 'finished',
      summary: { recipients: 10, sealed: 10 },
    });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
    expect(scene.service.arrivals).toHaveLength(10);
    expect(await scene.broadcaster.resume()).toEqual([]);
  });

  it('is resumed once where two ask for it at the same time', async () => {
    const subscribers = await subscribeKnown(scene, 6);
    scene.service.intercepts.set('sendSealed', () => new Promise(() => undefined));
    for (const id of ['a', 'b']) {
      scene.broadcaster
        .broadcast({ body: id }, acis(subscribers), { id })
        .summary()
        .catch(() => undefined);
    }
    await untilTrue(() => scene.service.countOf('sendSealed') === 12);
    await reopen();
    scene.service.intercepts.clear();
    scene.service.requests.splice(0);
    const resumed = (
      await Promise.all([scene.broadcaster.resume(), scene.broadcaster.resume()])
    ).flat();
    expect(resumed.map(({ id }) => id).sort()).toEqual(['a', 'b']);
    expect(scene.service.countOf('sendSealed')).toBe(12);
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber).sort()).toEqual(['a', 'b']);
  });
});

describe('finished broadcasts', () => {
  it('are taken out of the store by their age when it is opened again, rows and all', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    await deliveryTo(scene, subscriber);
    await reopen({ keepFinishedMs: 3_600_000 });
    expect(await scene.store.list('broadcast', { limit: 10 })).toHaveLength(1);
    await reopen({ keepFinishedMs: 3_600_000 }, new ManualClock(Date.now() + 3_700_000));
    expect(await scene.store.list('broadcast', { limit: 10 })).toEqual([]);
    expect(await scene.store.list('outbox', { limit: 10 })).toEqual([]);
    expect(await scene.store.list('session', { limit: 10 })).toHaveLength(1);
  });

  it('of another account than the one given refuse to be opened', async () => {
    const stranger = new StandInService();
    const opening = openScene({ store: scene.store }, stranger);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_ACCOUNT_MISMATCH' });
    expect(scene.store).toBeInstanceOf(MemoryStore);
  });
});
