import { Broadcaster, MemoryStore } from 'sealcast';
import { loadBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import { acis, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

let scene: Scene;
let second: Broadcaster;
let ids: string[];
beforeEach(async () => {
  scene = await openScene({ store: new MemoryStore() });
  ids = acis(await subscribeKnown(scene, 3));
  const { store, service } = scene;
  second = await Broadcaster.open({ store, transport: service, trustRoots: [service.trustRoot] });
});
afterEach(async () => {
  vi.useRealTimers();
  await second.close();
  await scene[Symbol.asyncDispose]();
});

/** Sends of the service wait until the call that is returned. */
function holdSends(): () => void {
  let release!: () => void;
  const held = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
  scene.service.intercepts.set('sendSealed', () => held);
  return release;
}
const refused = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'id' }) as Error;

describe('two Broadcasters on one store', () => {
  it('give two broadcasts that begin in one moment timestamps of their own', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const runs = [scene.broadcaster, second].map((broadcaster, i) =>
      broadcaster.broadcast({ body: `text ${i}` }, ids, { id: `id-${i}` }).summary(),
    );
    const [a, b] = await Promise.all(runs);
    expect(a?.timestamp).not.toBe(b?.timestamp);
  });

  it('send one broadcast in one run at a time', async () => {
    const release = holdSends();
    const run = scene.broadcaster.broadcast({ body: 'x' }, ids, { id: 'a' });
    await untilTrue(() => scene.service.countOf('sendSealed') === 3);
    expect(() => second.broadcast({ body: 'x' }, ids, { id: 'a' })).toThrow(refused);
    expect(() => second.resume('a')).toThrow(refused);
    expect(await second.resume()).toEqual([]);
    release();
    expect(await run.summary()).toMatchObject({ sealed: 3 });
    expect(scene.service.countOf('sendSealed')).toBe(3);
    expect(await loadBroadcast(scene.store, 'a')).toMatchObject({ state: 'finished' });
  });

  it('stop their own runs alone when one is closed', async () => {
    const release = holdSends();
    const run = scene.broadcaster.broadcast({ body: 'x' }, ids, { id: 'a' });
    const other = second.broadcast({ body: 'y' }, ids, { id: 'b' });
    const otherEnd = other.summary().catch((error: unknown) => error);
    await untilTrue(() => scene.service.countOf('sendSealed') === 6);
    await second.close();
    expect(await otherEnd).toMatchObject({ code: 'ERR_CLOSED' });
    release();
    expect(await run.summary()).toMatchObject({ sealed: 3 });
  });
});
