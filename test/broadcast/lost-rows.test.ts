import { MemoryStore } from 'sealcast';
import { expect, it } from 'vitest';
import { acis, openScene, subscribeKnown } from '../support/broadcasters.js';

/** A store that answers for an outcome that it never recorded. */
class ForgetfulStore extends MemoryStore {
  done: Uint8Array<ArrayBuffer> | undefined;

  override async getMany(...[table, keys]: Parameters<MemoryStore['getMany']>): ReturnType<MemoryStore['getMany']> {
    const values = await super.getMany(table, keys);
    const { done } = this;
    return table !== 'outbox' || done === undefined
      ? values
      : values.map((value) => (value === undefined ? undefined : Uint8Array.from(done)));
  }
}

it('a broadcast with fewer outcomes than recipients is an error, never a summary', async () => {
  const store = new ForgetfulStore();
  const scene = await openScene({ store });
  const [one, two] = await subscribeKnown(scene, 2);
  await scene.broadcaster.broadcast({ body: 'x' }, acis([one!]), { id: 'first' }).summary();
  const [done] = await store.list('outbox', { limit: 1 });
  // Cut off while its recipients are in the outbox and none was sent to.
  const run = scene.broadcaster.broadcast({ body: 'y' }, acis([one!, two!]), { id: 'second' });
  run.pause();
  while (!run.progress.ingested) await new Promise((resolve) => setImmediate(resolve));
  await scene.broadcaster.close();
  await run.summary().catch(() => undefined);
  store.done = done!.value;
  const again = await openScene({ store }, scene.service);
  const [resumed] = await again.broadcaster.resume();
  expect(resumed).toMatchObject({ id: 'second', status: 'failed', error: { code: 'ERR_STORE_FAILED' } });
  await again[Symbol.asyncDispose]();
});
