import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { BroadcastReader, type Delivery, type Store, type TableName } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboxKey } from '#dist/src/store/tables/outbox.js';
import { untilTrue } from '../harness/await-condition.js';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';
import { DamagedStore, STORE_KINDS } from '../harness/damaged-stores.js';

const BODY = 'a text that is in no error';
const DAMAGED = { code: 'ERR_STORE_FAILED', table: 'broadcast' };

async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const collected: Value[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

describe.each(STORE_KINDS)('with damaged records in a %s store', (kind) => {
  let kept: DamagedStore;
  let scene: Scene;
  let recipients: string[];
  const lines: unknown[] = [];
  const write = (...line: unknown[]): void => void lines.push(line);
  const logger = { debug: write, info: write, warn: write, error: write };

  beforeEach(async () => {
    lines.length = 0;
    kept = await DamagedStore.make(kind);
    scene = await openScene({ store: kept.store });
    recipients = acis(await subscribeKnown(scene, 4)).sort();
  });
  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
    await kept.remove();
  });

  /** Damages records while no broadcaster is open. */
  async function damage(...records: [TableName, string][]): Promise<Store> {
    await scene.broadcaster.close();
    const store = await kept.damage(records);
    scene.service.intercepts.clear();
    scene = await openScene({ store, logger }, scene.service);
    return store;
  }

  /** Begins broadcasts that none of the recipients gets before the broadcaster is closed. */
  async function cutOff(...ids: string[]): Promise<void> {
    const { service, broadcaster } = scene;
    service.intercepts.set('sendSealed', () => new Promise<never>(() => undefined));
    for (const id of ids) {
      const run = broadcaster.broadcast({ body: BODY }, recipients, { id });
      run.summary().catch(() => undefined);
      await untilTrue(() => run.progress.ingested);
    }
    // Each of them is encrypted, and on the disk.
    await untilTrue(() => service.countOf('sendSealed') === ids.length * recipients.length);
  }

  it('a broadcast fails alone when all are resumed', async () => {
    await cutOff('a', 'b', 'c');
    await damage(['broadcast', 'b']);
    const { broadcaster } = scene;
    expect((await all(broadcaster.broadcasts())).map(({ id }) => id).sort()).toEqual(['a', 'c']);
    const resumed = await broadcaster.resume();
    expect(resumed.toSorted((x, y) => (x.id < y.id ? -1 : 1))).toMatchObject([
      { id: 'a', status: 'finished', summary: { sealed: 4 } },
      { id: 'b', status: 'failed', error: DAMAGED },
      { id: 'c', status: 'finished', summary: { sealed: 4 } },
    ]);
    const error = await broadcaster.status('b').catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject(DAMAGED);
    expect((error as Error).message).toContain('broadcast');
    await expect(broadcaster.resume('b').summary()).rejects.toMatchObject(DAMAGED);
    const again = broadcaster.broadcast({ body: BODY }, recipients, { id: 'b' });
    await expect(again.summary()).rejects.toMatchObject(DAMAGED);
  });

  it('a broadcast and all its deliveries fail without an id where none is left', async () => {
    await cutOff('a', 'b');
    await damage(
      ['broadcast', 'b'],
      ...recipients.map((aci): [TableName, string] => ['outbox', outboxKey('b', aci)]),
    );
    const resumed = await scene.broadcaster.resume();
    const failed = resumed.filter(({ status }) => status === 'failed');
    expect(resumed).toHaveLength(2);
    expect(failed).toMatchObject([{ error: DAMAGED }]);
    expect(failed[0]!.id).toMatch(kind === 'plain' ? /^b$/ : /^damaged:[0-9a-f]{32}$/);
  });

  it('a contact fails alone, and its other messages are not sent either', async () => {
    const [damaged = '', ...others] = recipients;
    const store = await damage(['contact', damaged]);
    const run = scene.broadcaster.broadcast({ body: BODY }, recipients, { id: 'a' });
    const deliveries = await collect(run);
    for (const aci of others) expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
    expect(deliveries.get(damaged)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_STORE_FAILED', table: 'contact', serviceId: damaged },
    });
    const failed = await all(new BroadcastReader(store).deliveries('a', { status: 'failed' }));
    expect(failed).toEqual([
      { recipient: damaged, status: 'failed', errorCode: 'ERR_STORE_FAILED' },
    ]);
    expect(await scene.broadcaster.resume()).toEqual([]);
  });

  it('a contact that was removed is a new one', async () => {
    const [damaged = '', ...others] = recipients;
    const store = await damage(['contact', damaged]);
    await store.commit([{ table: 'contact', key: damaged, value: null }]);
    const { profileKey } = scene.service.subscribers.get(damaged)!;
    await scene.broadcaster.setProfileKey(damaged, profileKey);
    const run = scene.broadcaster.broadcast({ body: BODY }, recipients);
    expect(await run.summary()).toMatchObject({ sealed: others.length + 1 });
  });

  it('a session is begun again', async () => {
    const [damaged = ''] = recipients;
    await scene.broadcaster.broadcast({ body: BODY }, recipients).summary();
    await damage(['session', `${damaged}.1`]);
    const run = scene.broadcaster.broadcast({ body: BODY }, recipients);
    expect(await run.summary()).toMatchObject({ sealed: 4 });
  });

  it('a delivery fails alone when its broadcast is resumed', async () => {
    await cutOff('a');
    const [damaged = ''] = recipients;
    await damage(['outbox', outboxKey('a', damaged)]);
    const { broadcaster } = scene;
    expect(await broadcaster.status('a')).toMatchObject({
      recipients: 4,
      waiting: 3,
      failed: 0,
      damaged: 1,
    });
    expect(await all(broadcaster.deliveries('a'))).toHaveLength(3);
    expect(await broadcaster.resume()).toMatchObject([
      { id: 'a', status: 'finished', summary: { recipients: 4, sealed: 3, failed: 1 } },
    ]);
    expect(await all(broadcaster.deliveries('a', { status: 'failed' }))).toEqual([
      { recipient: damaged, status: 'failed', errorCode: 'ERR_STORE_FAILED' },
    ]);
    const status = await broadcaster.status('a');
    expect(status).toMatchObject({ state: 'finished', sealed: 3, failed: 1 });
    expect(status).not.toHaveProperty('damaged');
  });

  it('a delivery fails alone when its broadcast is given again', async () => {
    await cutOff('a');
    const [damaged = ''] = recipients;
    await damage(['outbox', outboxKey('a', damaged)]);
    const run = scene.broadcaster.broadcast({ body: BODY }, recipients, { id: 'a' });
    const deliveries: Delivery[] = await all(run);
    expect(deliveries.find(({ recipient }) => recipient === damaged)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_STORE_FAILED', table: 'outbox' },
    });
    expect(deliveries).toHaveLength(4);
    expect(await scene.broadcaster.status('a')).toMatchObject({ sealed: 3, failed: 1 });
  });

  it('a delivery that nothing names is no summary, until its recipients are given again', async () => {
    await cutOff('a');
    const [damaged = ''] = recipients;
    await damage(
      ['outbox', outboxKey('a', damaged)],
      ['contact', damaged],
      ['session', `${damaged}.1`],
    );
    const { broadcaster, service } = scene;
    const counts = { recipients: 4, sealed: 3, failed: 1 };
    const [resumed] = await broadcaster.resume();
    if (kind === 'plain') {
      expect(resumed).toMatchObject({ status: 'finished', summary: counts });
      return;
    }
    expect(resumed).toMatchObject({ status: 'failed', error: { code: 'ERR_STORE_FAILED' } });
    expect(service.arrivals.filter(({ recipient }) => recipient !== damaged)).toHaveLength(3);
    const run = broadcaster.broadcast({ body: BODY }, recipients, { id: 'a' });
    expect(await run.summary()).toMatchObject(counts);
  });

  it('the log and the metrics tell the table and the number, and no id', async () => {
    const published: unknown[] = [];
    const listen = (message: unknown): void => void published.push(message);
    subscribe('sealcast:store:damaged', listen);
    try {
      const [one = '', other = ''] = recipients;
      await damage(['contact', one], ['contact', other]);
      await scene.broadcaster.broadcast({ body: BODY }, recipients).summary();
    } finally {
      unsubscribe('sealcast:store:damaged', listen);
    }
    expect(published).toEqual([
      { table: 'contact', records: 1 },
      { table: 'contact', records: 2 },
    ]);
    const warnings = JSON.stringify(lines);
    expect(warnings).toContain('damaged records are left out');
    for (const aci of recipients) expect(warnings).not.toContain(aci);
  });
});
