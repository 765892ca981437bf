import type { BroadcasterEvents } from 'sealcast';
import { AbortWatch } from '#dist/src/util/abort-watch.js';
import { PauseGate } from '#dist/src/broadcast/flow/pause-gate.js';
import { SendLimiter } from '#dist/src/broadcast/flow/send-limiter.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import {
  acis,
  collect,
  deliveryTo,
  failTest,
  openScene,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { RequestName, Subscriber } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

let clock: FastClock;
let scene: Scene;
beforeEach(async () => {
  // A thousand times as fast: what is tested is what follows, not how long it takes.
  clock = new FastClock(1000);
  scene = await openScene({ maxRetryAfterMs: 60_000 }, undefined, clock);
});
afterEach(() => scene[Symbol.asyncDispose]());

const names = (): RequestName[] => scene.service.requests.map(({ name }) => name);

async function subscribeOne(): Promise<Subscriber> {
  const [subscriber] = await subscribeKnown(scene, 1);
  return subscriber ?? failTest('subscriber');
}

/** Statuses by error code, of a broadcast in which one recipient is special. */
async function sendToAll(
  special: Subscriber,
  others: readonly Subscriber[],
): Promise<string | undefined> {
  const deliveries = await collect(
    scene.broadcaster.broadcast({ body: 'x' }, acis([special, ...others])),
  );
  for (const { aci } of others) expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
  const { status, error } = deliveries.get(special.aci) ?? failTest('delivery');
  return error?.code ?? status;
}

describe('a refusal of the service for one recipient', () => {
  it.each([
    ['413', { status: 'too-large' }, 'ERR_MESSAGE_TOO_LARGE'],
    [
      'an answer that nobody knows',
      { status: 'rejected', httpStatus: 418 },
      'ERR_SERVICE_REJECTED',
    ],
    [
      '429 for longer than we wait',
      { status: 'rate-limited', retryAfterMs: 60_001 },
      'ERR_RATE_LIMITED',
    ],
  ] as const)(
    '%s fails that recipient, is asked once, and the others get theirs',
    async (_, refusal, code) => {
      const [special, ...others] = await subscribeKnown(scene, 4);
      if (special === undefined) return failTest('subscriber');
      scene.service.intercepts.set('sendSealed', (aci) =>
        aci === special.aci ? refusal : undefined,
      );
      expect(await sendToAll(special, others)).toBe(code);
      expect(scene.service.countOf('sendSealed', special.aci)).toBe(1);
    },
  );

  it('429 for longer than we wait: the delivery says how long, and that it can be repeated', async () => {
    const subscriber = await subscribeOne();
    scene.service.intercepts.set('sendSealed', () => ({
      status: 'rate-limited',
      retryAfterMs: 60_001,
    }));
    const error = { code: 'ERR_RATE_LIMITED', retryable: true, retryAfterMs: 60_001 };
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'failed', error });
  });

  it.each(['fetchPreKeys', 'sendSealed'] as const)(
    '429 on %s is waited out, while the others go on',
    async (name) => {
      await scene.broadcaster.close();
      scene = await openScene(
        { chunkSize: 1, concurrency: 1, preKeyConcurrency: 1 },
        undefined,
        clock,
      );
      const [special, ...others] = await subscribeKnown(scene, 20);
      if (special === undefined) return failTest('subscriber');
      const { intercepts } = scene.service;
      let taken = 0;
      intercepts.set(name, (aci) => {
        if (aci !== special.aci) return undefined;
        // Not before all the others were sent to.
        return taken < others.length ? { status: 'rate-limited', retryAfterMs: 1000 } : undefined;
      });
      const order: string[] = [];
      for await (const { recipient, status } of scene.broadcaster.broadcast(
        { body: 'x' },
        acis([special, ...others]),
      )) {
        expect(status).toBe('sealed');
        taken += 1;
        order.push(recipient);
      }
      expect(order.at(-1)).toBe(special.aci);
      expect(scene.service.textsOf(special)).toEqual(['x']);
    },
  );

  it('429 on prekeys for longer than we wait fails the recipient', async () => {
    const [special, ...others] = await subscribeKnown(scene, 3);
    if (special === undefined) return failTest('subscriber');
    scene.service.intercepts.set('fetchPreKeys', (aci) =>
      aci === special.aci ? { status: 'rate-limited', retryAfterMs: 60_001 } : undefined,
    );
    expect(await sendToAll(special, others)).toBe('ERR_RATE_LIMITED');
  });

  it('429 and 503 on the way to prekeys of a new device are waited out, and the device is sent to', async () => {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    await scene.service.addDevice(subscriber, 2);
    const { service } = scene;
    let asked = 0;
    service.intercepts.set('fetchPreKeys', () => {
      asked += 1;
      if (asked === 1) return { status: 'rate-limited', retryAfterMs: 1000 };
      return asked === 2 ? { status: 'unavailable' } : undefined;
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(service.textsOf(subscriber, 2)).toEqual(['a text']);
  });

  it('a transport that rejects an argument fails that recipient alone', async () => {
    const { SealcastError } = await import('sealcast');
    const [special, ...others] = await subscribeKnown(scene, 3);
    if (special === undefined) return failTest('subscriber');
    scene.service.intercepts.set('sendSealed', (aci) =>
      aci === special.aci
        ? Promise.reject(
            new SealcastError('ERR_INVALID_ARGUMENT', 'no such device', { field: 'messages' }),
          )
        : undefined,
    );
    expect(await sendToAll(special, others)).toBe('ERR_INVALID_ARGUMENT');
  });
});

describe('many 429s', () => {
  it('halve the sends under way, once for all that were on their way, and each window that is taken adds one', () => {
    const { signal } = new AbortController();
    const aborts = new AbortWatch();
    const window = new SendLimiter({
      maxSends: 64,
      perSecond: Infinity,
      aborts,
      gate: new PauseGate(aborts),
      clock,
    });
    for (let i = 0; i < 64; i++) void window.acquire(signal);
    for (let i = 0; i < 64; i++) window.release('limited');
    expect(window.limit).toBe(32);
    for (let i = 0; i < 40; i++) window.release('taken');
    expect(window.limit).toBe(33);
  });

  it('end with everybody sent to', async () => {
    const subscribers = await subscribeKnown(scene, 30);
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count <= 60 ? { status: 'rate-limited', retryAfterMs: 100 } : undefined,
    );
    const summary = await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    expect(summary).toMatchObject({ sealed: 30 });
    for (const subscriber of subscribers) expect(scene.service.textsOf(subscriber)).toEqual(['x']);
  });
});

describe('a broadcast with maxPerSecond', () => {
  it('makes each send wait for its own part of the time', async () => {
    const subscribers = await subscribeKnown(scene, 5);
    clock.sleeps.splice(0);
    const options = { maxPerSecond: 0.1 };
    expect(
      await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), options).summary(),
    ).toMatchObject({
      sealed: 5,
    });
    expect(clock.sleeps).toHaveLength(4);
    for (const [i, ms] of clock.sleeps.sort((a, b) => a - b).entries())
      expect(Math.ceil(ms / 10_000)).toBe(i + 1);
  });
});

describe('a challenge', () => {
  it.each(['resume', 'continue'] as const)(
    'pauses the broadcast, with token and options, until %s()',
    async (goOn) => {
      const subscribers = await subscribeKnown(scene, 5);
      const challenges: BroadcasterEvents['challenge'][0][] = [];
      scene.broadcaster.on('challenge', (challenge) => challenges.push(challenge));
      const challenge = {
        status: 'challenge',
        token: 'a token',
        options: ['captcha', 'pushChallenge'],
      } as const;
      scene.service.intercepts.set('sendSealed', () => challenge);
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers), {
        id: 'challenged',
      });
      await untilTrue(() => challenges.length > 0 && !run.progress.waitingFor.includes('prekeys'));
      await manyTurns();
      expect(challenges).toEqual([
        { id: 'challenged', token: 'a token', options: ['captcha', 'pushChallenge'] },
      ]);
      expect(run.progress).toMatchObject({ waitingFor: ['challenge'], pending: 5 });
      const asked = scene.service.countOf('sendSealed');
      await manyTurns();
      expect(scene.service.countOf('sendSealed')).toBe(asked);
      scene.service.intercepts.clear();
      run[goOn]();
      expect(await run.summary()).toMatchObject({ sealed: 5 });
    },
  );
});

describe('an outage', () => {
  it.each(['sendSealed', 'fetchPreKeys', 'accountExists'] as const)(
    'of %s is waited out by all',
    async (name) => {
      const subscribers = await subscribeKnown(scene, 10);
      const isDenied = name === 'accountExists';
      for (const subscriber of subscribers) if (isDenied) subscriber.access = 'none';
      let outage = true;
      scene.service.intercepts.set(name, () => (outage ? { status: 'unavailable' } : undefined));
      const run = scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers));
      await untilTrue(() => run.progress.waitingFor.includes('outage'));
      outage = false;
      expect(await run.summary()).toMatchObject(isDenied ? { failed: 10 } : { sealed: 10 });
    },
  );

  it('that the service says the end of is not probed before', async () => {
    const subscriber = await subscribeOne();
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count === 1 ? { status: 'unavailable', retryAfterMs: 5000 } : undefined,
    );
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(scene.service.countOf('sendSealed')).toBe(2);
  });

  it('may leave a message that had arrived: it goes out again as it was, and counts as the same', async () => {
    const subscriber = await subscribeOne();
    const { service } = scene;
    const sendSealed = service.sendSealed.bind(service);
    service.sendSealed = async (...given) => {
      await sendSealed(...given);
      service.sendSealed = sendSealed;
      return { status: 'unavailable' };
    };
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(service.arrivals.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect(new Set(service.arrivals.map(({ timestamp }) => timestamp)).size).toBe(1);
  });

  it('for one recipient alone ends as its own failure, while the others get theirs', async () => {
    const [special, ...others] = await subscribeKnown(scene, 8);
    if (special === undefined) return failTest('subscriber');
    scene.service.intercepts.set('sendSealed', (aci) =>
      aci === special.aci ? { status: 'unavailable' } : undefined,
    );
    expect(await sendToAll(special, others)).toBe('ERR_SERVICE_UNAVAILABLE');
    expect(names()).not.toContain('sendUnsealed');
  });

  it('of everything, for the last ones of a broadcast, fails no recipient however long it is', async () => {
    const [first, ...last] = await subscribeKnown(scene, 4);
    if (first === undefined) return failTest('subscriber');
    let outage = true;
    const away = (aci: string): { status: 'unavailable' } | undefined =>
      outage && aci !== first.aci ? { status: 'unavailable' } : undefined;
    for (const name of ['sendSealed', 'accountExists'] as const)
      scene.service.intercepts.set(name, away);
    const run = scene.broadcaster.broadcast({ body: 'x' }, acis([first, ...last]));
    // More often than one recipient's own failures would be borne.
    const [one] = last;
    await untilTrue(() => scene.service.countOf('sendSealed', one?.aci) > 8);
    outage = false;
    expect(await run.summary()).toMatchObject({ sealed: 4 });
  });
});
