import { MemoryStore, type Delivery, type Store } from 'sealcast';
import { decodeOutbox, type OutboxRecord } from '#dist/src/store/tables/outbox.js';
import type { Change } from '#dist/src/store/store.js';
import { afterEach, describe, expect, it } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';

let scene: Scene | undefined;
afterEach(async () => {
  await scene?.[Symbol.asyncDispose]();
  scene = undefined;
});

/** A store of which a test decides when a commit is on the disk, and whether it ever is. */
class HeldStore extends MemoryStore implements Store {
  hold: ((changes: readonly Change[]) => Promise<void> | undefined) | undefined;

  override async commit(changes: readonly Change[]): Promise<void> {
    await this.hold?.(changes);
    await super.commit(changes);
  }
}

const rowsIn = (changes: readonly Change[]): OutboxRecord[] =>
  changes.flatMap(({ table, value }) =>
    table === 'outbox' && value !== null ? [decodeOutbox(value)] : [],
  );
const hasRow = (changes: readonly Change[], state: OutboxRecord['state']): boolean =>
  rowsIn(changes).some((row) => row.state === state);

describe('a commit that is not on the disk yet', () => {
  it.each(['strangers', 'acquaintances'])(
    'holds back what was encrypted in it for %s',
    async (who) => {
      const store = new HeldStore();
      scene = await openScene({ store });
      const subscribers = await subscribeKnown(scene, 5);
      if (who === 'acquaintances')
        await scene.broadcaster.broadcast({ body: 'before' }, acis(subscribers)).summary();
      const sendsBefore = scene.service.countOf('sendSealed');
      let letGo!: () => void;
      const held = new Promise<void>((resolve) => (letGo = resolve));
      let isHeld = false;
      store.hold = (changes) => {
        if (!hasRow(changes, 'encrypted')) return undefined;
        isHeld = true;
        return held;
      };
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
      await untilTrue(() => isHeld);
      await manyTurns();
      expect(scene.service.countOf('sendSealed')).toBe(sendsBefore);
      letGo();
      expect(await run.summary()).toMatchObject({ sealed: 5 });
    },
  );

  it('holds back the delivery that it records', async () => {
    const store = new HeldStore();
    scene = await openScene({ store });
    const subscribers = await subscribeKnown(scene, 3);
    let letGo!: () => void;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    store.hold = (changes) => (hasRow(changes, 'done') ? held : undefined);
    const deliveries: Delivery[] = [];
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
    const iterating = (async () => {
      for await (const delivery of run) deliveries.push(delivery);
    })();
    const { service } = scene;
    await untilTrue(() => service.arrivals.length === 3);
    await manyTurns();
    expect(deliveries).toEqual([]);
    expect(run.progress).toMatchObject({ sealed: 0, pending: 3 });
    letGo();
    await iterating;
    expect(deliveries).toHaveLength(3);
  });
});

describe('a commit that fails', () => {
  it.each(['queued', 'encrypted', 'done'] as const)(
    'with rows that are %s rejects the run with what failed',
    async (state) => {
      const store = new HeldStore();
      scene = await openScene({ store });
      const subscribers = await subscribeKnown(scene, 4);
      const full = new Error('the disk is full');
      store.hold = (changes) => (hasRow(changes, state) ? Promise.reject(full) : undefined);
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { id: 'a' });
      await expect(neverHangs(collect(run), 'the run')).rejects.toBe(full);
      if (state !== 'done') expect(scene.service.countOf('sendSealed')).toBe(0);
      store.hold = undefined;
      const again = await scene.broadcaster
        .broadcast({ body: 'x' }, acis(subscribers), { id: 'a' })
        .summary();
      expect(again).toMatchObject({ recipients: 4, sealed: 4 });
      for (const subscriber of subscribers)
        expect(scene.service.textsOf(subscriber)).toEqual(['x']);
    },
  );

  it('by throwing at once rejects the run all the same', async () => {
    const store = new HeldStore();
    scene = await openScene({ store });
    const subscribers = await subscribeKnown(scene, 2);
    const torn = new Error('a bug in a store');
    const commit = store.commit.bind(store);
    store.commit = () => {
      throw torn;
    };
    const summary = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    await expect(neverHangs(summary, 'the run')).rejects.toBe(torn);
    store.commit = commit;
    expect(
      await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary(),
    ).toMatchObject({ sealed: 2 });
  });

  it('with the sender certificate rejects the run', async () => {
    const { SealcastError } = await import('sealcast');
    const store = new HeldStore();
    scene = await openScene({ store });
    const subscribers = await subscribeKnown(scene, 2);
    const full = new SealcastError('ERR_STORE_FAILED', 'the disk is full');
    store.hold = (changes) =>
      changes.some(({ table }) => table === 'certificate') ? Promise.reject(full) : undefined;
    const summary = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    await expect(neverHangs(summary, 'the run')).rejects.toBe(full);
    expect(scene.service.countOf('sendSealed')).toBe(0);
  });
});
