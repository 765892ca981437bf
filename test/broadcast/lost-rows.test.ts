import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { broadcastChange, loadBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { outboxKey } from '#dist/src/store/tables/outbox.js';
import { untilTrue } from '../harness/await-condition.js';
import { acis, failTest, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** A broadcast to ten, `sending`, of which the store loses two rows; opened anew. */
async function interrupted(lost: number): Promise<string[]> {
  const ids = acis(await subscribeKnown(scene, 10));
  const { service, store, broadcaster } = scene;
  service.intercepts.set('sendSealed', () => new Promise<never>(() => undefined));
  const run = broadcaster.broadcast({ body: 'x' }, [...ids, 'no service id'], { id: 'a' });
  run.summary().catch(() => undefined);
  await untilTrue(() => run.progress.ingested && service.countOf('sendSealed') > 0);
  await broadcaster.close();
  await store.commit(
    ids.slice(0, lost).map((id) => ({ table: 'outbox', key: outboxKey('a', id), value: null })),
  );
  service.intercepts.clear();
  scene = await openScene({ store }, service);
  return ids;
}

describe('rows of a broadcast that the store lost while nothing ran', () => {
  it('are no summary when it is resumed, but ERR_STORE_FAILED', async () => {
    await interrupted(2);
    const [resumed] = await scene.broadcaster.resume();
    expect(resumed).toMatchObject({ status: 'failed', error: { code: 'ERR_STORE_FAILED' } });
    expect(scene.service.arrivals.length).toBeLessThanOrEqual(10);
  });

  it('come in again where the recipients are given again', async () => {
    const ids = await interrupted(2);
    const summary = await scene.broadcaster.broadcast({ body: 'x' }, ids, { id: 'a' }).summary();
    expect(summary).toMatchObject({ sealed: 10 });
  });

  it('are missed where the recipients are given again without them', async () => {
    const ids = await interrupted(2);
    const run = scene.broadcaster.broadcast({ body: 'x' }, ids.slice(2), { id: 'a' });
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' });
  });

  it('are missed among recipients that came with a second call', async () => {
    const ids = await interrupted(0);
    const more = acis(await subscribeKnown(scene, 2));
    const { broadcaster, store } = scene;
    const run = broadcaster.broadcast({ body: 'x' }, [...ids, ...more], { id: 'a' });
    expect(await run.summary()).toMatchObject({ sealed: 12 });
    await store.commit(
      more.map((id) => ({ table: 'outbox', key: outboxKey('a', id), value: null })),
    );
    await expect(broadcaster.resume('a').summary()).rejects.toMatchObject({
      code: 'ERR_STORE_FAILED',
    });
  });

  it('that were none are not missed', async () => {
    await interrupted(0);
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 10, failed: 1 } },
    ]);
  });
});

/** Broadcasts `a`, `b` and `c`, cut off as they began; `b` has no well-formed message then. */
async function withDamagedMessage(state: 'ingesting' | 'sending'): Promise<void> {
  const ids = acis(await subscribeKnown(scene, 2));
  const { service, store, broadcaster } = scene;
  service.intercepts.set('sendSealed', () => new Promise<never>(() => undefined));
  for (const id of ['a', 'b', 'c']) {
    const run = broadcaster.broadcast({ body: id }, ids, { id });
    run.summary().catch(() => undefined);
    await untilTrue(() => run.progress.ingested);
  }
  await broadcaster.close();
  const record = (await loadBroadcast(store, 'b')) ?? failTest('broadcast');
  const content = Uint8Array.of(0x0a, 0xff, 0x01);
  await store.commit([broadcastChange('b', { ...record, state, content })]);
  service.intercepts.clear();
  scene = await openScene({ store }, service);
}

describe('a broadcast whose message is not well-formed in the store', () => {
  it.each(['ingesting', 'sending'] as const)(
    'and that was %s fails alone when it is resumed',
    async (state) => {
      await withDamagedMessage(state);
      const resumed = await scene.broadcaster.resume();
      expect(resumed).toMatchObject([
        { id: 'a', status: 'finished', summary: { sealed: 2 } },
        { id: 'b', status: 'failed', error: { code: 'ERR_STORE_FAILED' } },
        { id: 'c', status: 'finished', summary: { sealed: 2 } },
      ]);
    },
  );
});
