import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Delivery, Metrics } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import {
  acis,
  collect,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function textsOfAll(
  subscribers: readonly Subscriber[],
  texts: readonly string[],
): Promise<void> {
  for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(texts);
  await Promise.resolve();
}

describe('iterating a run', () => {
  it('may be left in the middle: the run goes on', async () => {
    const subscribers = await subscribeKnown(scene, 10);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
    for await (const { status } of run) {
      expect(status).toBe('sealed');
      break;
    }
    expect(await run.summary()).toMatchObject({ sealed: 10 });
    await textsOfAll(subscribers, ['x']);
  });

  it('is for one, once', async () => {
    const subscribers = await subscribeKnown(scene, 2);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
    await collect(run);
    await expect(collect(run)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
  });

  it('is not needed: the summary alone has it all', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), {
      id: 's',
      timestamp: 77,
    });
    const summary = await run.summary();
    expect(summary).toMatchObject({
      id: 's',
      timestamp: 77,
      recipients: 3,
      sealed: 3,
      unsealed: 0,
    });
    expect(summary.durationMs).toBeGreaterThan(0);
    expect(run.id).toBe('s');
  });
});

describe('a run', () => {
  it.each(['resume', 'continue'] as const)(
    'sends nothing while it is paused, until %s()',
    async (goOn) => {
      const subscribers = await subscribeKnown(scene, 5);
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
      run.pause();
      await untilTrue(() => run.progress.ingested && scene.service.countOf('fetchPreKeys') === 5);
      await untilTrue(() => !run.progress.waitingFor.includes('prekeys'));
      await manyTurns();
      expect(run.progress).toMatchObject({
        recipients: 5,
        pending: 5,
        sealed: 0,
        waitingFor: ['paused'],
      });
      expect(scene.service.countOf('sendSealed')).toBe(0);
      run[goOn]();
      expect(await run.summary()).toMatchObject({ sealed: 5 });
      expect(run.progress).toMatchObject({ pending: 0, sealed: 5, waitingFor: [] });
    },
  );

  it('whose signal had fired before does nothing and leaves nothing', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    const options = { id: 'a', signal: AbortSignal.abort('enough') };
    const run = scene.broadcaster.broadcast({ body: 'x' }, [subscriber?.aci ?? ''], options);
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    expect(scene.service.requests).toEqual([]);
    expect(await scene.broadcaster.resume()).toEqual([]);
    expect(await scene.store.list('broadcast', { limit: 1 })).toEqual([]);
  });

  it('stops with its signal, while another one goes on, and can be resumed', async () => {
    const subscribers = await subscribeKnown(scene, 6);
    const controller = new AbortController();
    scene.service.intercepts.set('sendSealed', (_, count) => {
      if (count === 3) controller.abort();
      return undefined;
    });
    const options = { id: 'a', signal: controller.signal };
    const stopped = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), options);
    const other = scene.broadcaster.broadcast({ body: 'other' }, acis(subscribers)).summary();
    await expect(collect(stopped)).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(await other).toMatchObject({ sealed: 6 });
    const again = await scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'a' })
      .summary();
    expect(again).toMatchObject({ recipients: 6, sealed: 6 });
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber).sort()).toEqual(['other', 'x']);
  });

  it('shares a signal with many others without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    const [subscriber] = await subscribeKnown(scene, 1);
    const { signal } = new AbortController();
    const summaries = Array.from({ length: 20 }, () =>
      scene.broadcaster.broadcast({ body: 'x' }, [subscriber?.aci ?? ''], { signal }).summary(),
    );
    expect(await Promise.all(summaries)).toHaveLength(20);
    await manyTurns(10);
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('that is dry sends no request and changes nothing in the store', async () => {
    const [known, stranger, denying] = await subscribeKnown(scene, 3);
    if (known === undefined || stranger === undefined || denying === undefined)
      return failTest('subscribers');
    await scene.broadcaster.broadcast({ body: 'x' }, [known.aci]).summary();
    denying.access = 'none';
    await scene.broadcaster.broadcast({ body: 'x' }, [denying.aci]).summary();
    const tables = ['account', 'contact', 'session', 'certificate', 'broadcast', 'outbox'] as const;
    const contents = (): Promise<unknown> =>
      Promise.all(tables.map((table) => scene.store.list(table, { limit: 100 })));
    const before = await contents();
    scene.service.requests.splice(0);
    const run = scene.broadcaster.broadcast({ body: 'dry' }, acis([known, stranger, denying]), {
      dryRun: true,
    });
    const deliveries = await collect(run);
    expect(deliveries.get(known.aci)?.status).toBe('sealed');
    expect(deliveries.get(stranger.aci)?.status).toBe('sealed');
    expect(deliveries.get(denying.aci)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_ACCESS_DENIED' },
    });
    expect(scene.service.requests).toEqual([]);
    expect(await contents()).toEqual(before);
  });

  it('that is dry and has a known id says what would be sent to those who are new', async () => {
    const subscribers = await subscribeKnown(scene, 5);
    const known = acis(subscribers).slice(0, 2);
    await scene.broadcaster.broadcast({ body: 'x' }, known, { id: 'd' }).summary();
    const dry = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), {
      id: 'd',
      dryRun: true,
    });
    const deliveries = await collect(dry);
    expect([...deliveries.keys()].sort()).toEqual(acis(subscribers).slice(2).sort());
    expect(await dry.summary()).toMatchObject({ recipients: 5, sealed: 5 });
  });
});

test('a run publishes how long each stage took, of a chunk or of each recipient', async () => {
  const subscribers = await subscribeKnown(scene, 3);
  await scene.broadcaster.broadcast({ body: 'sessions' }, acis(subscribers)).summary();
  const recipients: Record<string, number> = {};
  const count = (message: unknown): void => {
    const stage = message as Metrics['stage'];
    recipients[stage.stage] = (recipients[stage.stage] ?? 0) + stage.recipients;
    expect(stage.durationMs).toBeGreaterThanOrEqual(0);
  };
  subscribe('sealcast:stage', count);
  await scene.broadcaster.broadcast({ body: 'stages' }, acis(subscribers)).summary();
  unsubscribe('sealcast:stage', count);
  expect(recipients).toEqual({ ratchet: 3, store: 3, seal: 3, send: 3 });
});

describe('a Broadcaster that was closed', () => {
  it('refuses every call, and closes again without more', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    const { broadcaster } = scene;
    const aci = subscriber?.aci ?? '';
    await broadcaster.close();
    await broadcaster.close();
    const closed = expect.objectContaining({ code: 'ERR_CLOSED' }) as unknown;
    expect(() => broadcaster.broadcast({ body: 'x' }, [aci])).toThrow(closed);
    await expect(broadcaster.resume()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    for (const call of [
      () => broadcaster.setProfileKey(aci, new Uint8Array(32)),
      () => broadcaster.setBlocked(aci, true),
      () => broadcaster.setExpireTimer(aci, 1, 1),
    ]) {
      expect(call).toThrow(closed);
    }
  });

  it('ends a paused run, and one that waits for a challenge', async () => {
    const subscribers = await subscribeKnown(scene, 2);
    scene.service.intercepts.set('sendSealed', () => ({
      status: 'challenge',
      token: '',
      options: [],
    }));
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
    const deliveries: Delivery[] = [];
    const iterating = (async () => {
      for await (const delivery of run) deliveries.push(delivery);
    })();
    iterating.catch(() => undefined);
    await untilTrue(() => run.progress.waitingFor.includes('challenge'));
    run.pause();
    await neverHangs(scene.broadcaster.close(), 'close()');
    await expect(iterating).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(deliveries).toEqual([]);
  });
});
