import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryStore, openAccount, SealcastError, type Refusal } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { acis, collect, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';
import { StandInAccountService } from '../fakes/stand-in-account-service.js';
import type { RequestName } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

let clock: FastClock;
let scene: Scene;
beforeEach(async () => {
  // Each sleep takes a turn of the event loop: the test is about what follows, and for how long it
  // would have slept.
  clock = new FastClock(Infinity);
  scene = await openScene({}, undefined, clock);
});
afterEach(() => scene[Symbol.asyncDispose]());

const RATE_LIMITED: Refusal = { status: 'rate-limited', retryAfterMs: 0 };
const TOO_OLD: Refusal = { status: 'rejected', httpStatus: 499 };
const UNAVAILABLE: Refusal = { status: 'unavailable' };

describe('a service that answers 429 for ever', () => {
  it.each([0, -5, 1.5, Number.NEGATIVE_INFINITY])(
    'with Retry-After %d is asked a bounded number of times, a second or more apart',
    async (retryAfterMs) => {
      const [subscriber] = await subscribeKnown(scene, 1);
      scene.service.intercepts.set('sendSealed', () => ({ status: 'rate-limited', retryAfterMs }));
      const deliveries = await collect(
        scene.broadcaster.broadcast({ body: 'x' }, acis([subscriber!])),
      );
      expect(deliveries.get(subscriber!.aci)).toMatchObject({
        status: 'failed',
        error: { code: 'ERR_RATE_LIMITED' },
      });
      expect(scene.service.countOf('sendSealed')).toBe(13);
      expect(Math.min(...clock.sleeps)).toBeGreaterThanOrEqual(1_000);
      expect(clock.sleeps.reduce((total, ms) => total + ms)).toBeGreaterThan(400_000);
    },
  );

  it('to requests for prekeys ends that recipient’s part', async () => {
    const subscriber = await scene.service.subscribe();
    await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    scene.service.intercepts.set('fetchPreKeys', () => RATE_LIMITED);
    expect(
      await scene.broadcaster.broadcast({ body: 'x' }, [subscriber.aci]).summary(),
    ).toMatchObject({ failed: 1 });
  });
});

describe('a service that answers 5xx for ever', () => {
  it('to one recipient, the only one, ends its part while other requests are answered', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    scene.service.intercepts.set('sendSealed', () => UNAVAILABLE);
    const deliveries = await collect(
      scene.broadcaster.broadcast({ body: 'x' }, acis([subscriber!])),
    );
    expect(deliveries.get(subscriber!.aci)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_SERVICE_UNAVAILABLE' },
    });
    // Long enough for an outage of half the service to pass.
    expect(clock.sleeps.reduce((total, ms) => total + ms)).toBeGreaterThan(600_000);
  });

  it('to every recipient stops the broadcast, which can be resumed', async () => {
    const subscribers = await subscribeKnown(scene, 20);
    scene.service.intercepts.set('sendSealed', () => UNAVAILABLE);
    const stopped = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'silent' })
      .summary();
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    scene.service.intercepts.clear();
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 20 } },
    ]);
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
  });

  it('to everything that is asked, with answers that have a status, stops the broadcast, which can be resumed', async () => {
    const subscribers = await subscribeKnown(scene, 20);
    const answered: Refusal = { status: 'unavailable', httpStatus: 502 };
    scene.service.intercepts.set('sendSealed', () => answered).set('accountExists', () => answered);
    const stopped = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'silent' })
      .summary();
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    scene.service.intercepts.clear();
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 20 } },
    ]);
  });

  it('to everything that is asked, without a status, is an outage of the network, which is waited out however long it is', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    scene.service.intercepts
      .set('sendSealed', () => UNAVAILABLE)
      .set('accountExists', () => UNAVAILABLE);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis([subscriber!]));
    await untilTrue(() => scene.service.countOf('sendSealed') > 100);
    expect(run.progress).toMatchObject({ pending: 1 });
    scene.service.intercepts.clear();
    expect(await run.summary()).toMatchObject({ sealed: 1 });
  });

  it('and names a time of years is asked again within minutes', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count <= 3 ? { status: 'unavailable', retryAfterMs: 10 ** 12 } : undefined,
    );
    expect(
      await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary(),
    ).toMatchObject({ sealed: 3 });
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(337_500);
  });
});

describe('a service that takes no message and names 5 minutes each time', () => {
  it('stops the broadcast after an hour or little more, and it can be resumed', async () => {
    const subscribers = await subscribeKnown(scene, 20);
    // All of them fail together: clock.sleeps take no time here, and so one that came first would
    // be through its rounds before.
    let fail!: () => void;
    const allSent = new Promise<void>((resolve) => (fail = resolve));
    scene.service.intercepts.set('sendSealed', async (_, count) => {
      if (count === 20) {
        clock.sleeps.splice(0);
        fail();
      }
      await allSent;
      return { status: 'unavailable', retryAfterMs: 300_000 };
    });
    const stopped = scene.broadcaster
      .broadcast({ body: 'x' }, acis(subscribers), { id: 'slow' })
      .summary();
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' });
    const waitedMs = clock.sleeps.reduce((total, ms) => total + ms);
    expect(waitedMs).toBeGreaterThanOrEqual(3_600_000);
    expect(waitedMs).toBeLessThan(4_000_000);
    expect(Math.min(...clock.sleeps)).toBeGreaterThanOrEqual(300_000);
    scene.service.intercepts.clear();
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 20 } },
    ]);
  });
});

describe('a service that wants a challenge answered again and again', () => {
  it.each(['sendSealed', 'fetchPreKeys'] as const)(
    'by %s ends the recipient’s part after five',
    async (name) => {
      const [subscriber] = await subscribeKnown(scene, 1);
      scene.service.intercepts.set(name, () => ({ status: 'challenge', token: '', options: [] }));
      let answered = 0;
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis([subscriber!]));
      scene.broadcaster.on('challenge', () => {
        answered += 1;
        run.resume();
      });
      expect((await collect(run)).get(subscriber!.aci)).toMatchObject({
        status: 'failed',
        error: {
          code: 'ERR_SERVICE_REJECTED',
          message: expect.stringContaining('challenge') as string,
        },
      });
      expect(answered).toBe(5);
      expect(scene.service.countOf(name)).toBe(6);
    },
  );
});

describe('progress.waitingFor', () => {
  const heldAnswer = (): { readonly held: Promise<undefined>; readonly answer: () => void } => {
    let answer!: () => void;
    const held = new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
    return { held, answer };
  };

  it.each([
    ['certificate', 'fetchSenderCertificate'],
    ['prekeys', 'fetchPreKeys'],
  ] as const)('names the wait for %s', async (reason, request) => {
    const subscriber = await scene.service.subscribe();
    await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    const { held, answer } = heldAnswer();
    scene.service.intercepts.set(request, () => held);
    const run = scene.broadcaster.broadcast({ body: 'x' }, [subscriber.aci]);
    await untilTrue(() => scene.service.countOf(request) === 1);
    await untilTrue(() => run.progress.waitingFor.includes(reason));
    expect(run.progress.waitingFor).toEqual([reason]);
    answer();
    await run.summary();
    expect(run.progress.waitingFor).toEqual([]);
  });

  it('names a rate limit of a recipient, and the pace', async () => {
    const subscribers = await subscribeKnown(scene, 4);
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count === 1 ? RATE_LIMITED : undefined,
    );
    const named = new Set<string>();
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), { maxPerSecond: 1 });
    const summary = run.summary();
    while (run.progress.pending > 0 || !run.progress.ingested) {
      for (const reason of run.progress.waitingFor) named.add(reason);
      await nextTurn();
    }
    expect(await summary).toMatchObject({ sealed: 4 });
    expect([...named].sort()).toEqual(expect.arrayContaining(['pace', 'rate-limited']));
  });
});

describe('a transport that never answers, whatever its signals say', () => {
  const silent = (): Promise<never> => new Promise(() => undefined);

  it('holds up neither abort nor close of a broadcast', async () => {
    const subscribers = await subscribeKnown(scene, 3);
    const stranger = await scene.service.subscribe();
    const controller = new AbortController();
    scene.service.sendSealed = silent;
    scene.service.fetchPreKeys = silent;
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis([...subscribers, stranger]), {
      signal: controller.signal,
    });
    const ended = run.summary().catch((error: unknown) => (error as { code: string }).code);
    await untilTrue(() => run.progress.waitingFor.includes('prekeys'));
    controller.abort();
    expect(await neverHangs(ended, 'abort')).toBe('ERR_ABORTED');
    await neverHangs(scene.broadcaster.close(), 'close');
  });

  it('holds up no close of an account', async () => {
    const service = new StandInAccountService();
    const account = await openAccount({
      store: new MemoryStore(),
      transport: service,
      trustRoots: [service.trustRoot],
      account: service.sender,
      threads: 1,
    });
    const contact = await service.subscribe();
    Object.assign(service, {
      fetchProfile: silent,
      countPreKeys: silent,
      uploadPreKeys: silent,
      setProfile: silent,
    });
    const calls: Promise<unknown>[] = [
      account.fetchProfile(contact.aci),
      account.maintainPreKeys(),
      account.setProfile({ given: 'A name' }),
    ].map((call: Promise<unknown>) =>
      call.catch((error: unknown) => (error as { code: string }).code),
    );
    await manyTurns();
    await neverHangs(account.close(), 'close');
    for (const call of calls)
      expect(['ERR_ABORTED', 'ERR_CLOSED']).toContain(await neverHangs(call, 'a call'));
  });
});

describe('a transport that this client is too old for', () => {
  it.each<[string, RequestName, () => Refusal | Promise<Refusal>]>([
    [
      'a rejection',
      'sendSealed',
      () =>
        Promise.reject(
          new SealcastError('ERR_TRANSPORT_REFUSED', 'the service refuses this client for good'),
        ),
    ],
    ['499 to a send', 'sendSealed', () => TOO_OLD],
    ['499 to a request for prekeys', 'fetchPreKeys', () => TOO_OLD],
    ['499 to a request for the certificate', 'fetchSenderCertificate', () => TOO_OLD],
  ])(
    'which says so in %s, stops the broadcast, which can be resumed with a newer client',
    async (_, name, refuse) => {
      const subscribers = await subscribeKnown(scene, 3);
      scene.service.intercepts.set(name, refuse);
      const stopped = scene.broadcaster
        .broadcast({ body: 'x' }, acis(subscribers), { id: 'old' })
        .summary();
      await expect(stopped).rejects.toMatchObject({ code: 'ERR_TRANSPORT_REFUSED' });
      scene.service.intercepts.clear();
      expect(await scene.broadcaster.resume()).toMatchObject([
        { status: 'finished', summary: { sealed: 3 } },
      ]);
    },
  );
});
