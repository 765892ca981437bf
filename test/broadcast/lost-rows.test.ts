import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outboxKey } from '#dist/src/store/tables/outbox.js';
import { untilTrue } from '../harness/await-condition.js';
import { acis, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

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

  it('that were none are not missed', async () => {
    await interrupted(0);
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 10, failed: 1 } },
    ]);
  });
});
