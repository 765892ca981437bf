import { randomUUID } from 'node:crypto';
import { deriveAccessKey } from 'sealcast';
import { DENIAL_LIFE_MS } from '#dist/src/access/access-mode.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilTrue } from '../harness/await-condition.js';
import {
  changeContact,
  collect,
  contactOf,
  deliveryTo,
  openScene,
  subscribeKnown,
  failTest,
  type Scene,
} from '../harness/broadcasters.js';
import { StandInService, type RequestName, type Subscriber } from '../fakes/stand-in-service.js';

const ZEROS = new Uint8Array(16);

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

const names = (): RequestName[] => scene.service.requests.map(({ name }) => name);
const forget = (): number => scene.service.requests.splice(0).length;

async function subscribeOne(): Promise<Subscriber> {
  const [subscriber] = await subscribeKnown(scene, 1);
  return subscriber ?? failTest('subscriber');
}

/** Opens the scene again with another policy, on the same store and service. */
async function reopen(options: Parameters<typeof openScene>[0]): Promise<void> {
  await scene.broadcaster.close();
  scene = await openScene({ ...options, store: scene.store }, scene.service);
}

describe('a contact whose access is unknown', () => {
  it('is sent to with the key of its profile key, and is enabled from then on', async () => {
    const subscriber = await subscribeOne();
    expect(await deliveryTo(scene, subscriber)).toEqual({
      recipient: subscriber.aci,
      status: 'sealed',
    });
    expect(scene.service.arrivals[0]?.accessKey).toEqual(deriveAccessKey(subscriber.profileKey));
    expect(names()).toEqual(['fetchPreKeys', 'fetchSenderCertificate', 'sendSealed']);
    expect(scene.service.requests[0]?.accessKey).toEqual(deriveAccessKey(subscriber.profileKey));
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });

  it('is sent to with zeros where it has given no profile key, and is unrestricted from then on', async () => {
    const subscriber = await scene.service.subscribe();
    subscriber.access = 'unrestricted';
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(scene.service.arrivals[0]?.accessKey).toEqual(ZEROS);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'unrestricted' });
    forget();
    await deliveryTo(scene, subscriber);
    expect(names()).toEqual(['sendSealed']);
    expect(scene.service.arrivals[1]?.accessKey).toEqual(ZEROS);
  });
});

describe('a contact whose access is known', () => {
  it('keeps being sent to with the key of its profile key where it is enabled', async () => {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed']);
    expect(scene.service.arrivals[1]?.accessKey).toEqual(deriveAccessKey(subscriber.profileKey));
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });

  it('is sent to with zeros where it is unrestricted, though it has a profile key', async () => {
    const subscriber = await subscribeOne();
    subscriber.access = 'unrestricted';
    await changeContact(scene, subscriber, { accessMode: 'unrestricted' });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(scene.service.requests.flatMap(({ accessKey }) => accessKey ?? [])).toEqual([
      ZEROS,
      ZEROS,
    ]);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'unrestricted' });
  });

  it('is tried with its profile key where an unrestricted one turned restricted, and is enabled then', async () => {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    await changeContact(scene, subscriber, { accessMode: 'unrestricted' });
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'sendSealed']);
    expect(scene.service.requests.map(({ accessKey }) => accessKey)).toEqual([
      ZEROS,
      deriveAccessKey(subscriber.profileKey),
    ]);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });

  it('is asked for prekeys with its profile key where an unrestricted one turned restricted', async () => {
    const subscriber = await subscribeOne();
    await changeContact(scene, subscriber, { accessMode: 'unrestricted' });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual([
      'fetchPreKeys',
      'fetchPreKeys',
      'fetchSenderCertificate',
      'sendSealed',
    ]);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });
});

describe('a phone-number identity', () => {
  const pni = `PNI:${randomUUID()}`;

  it('fails without any request where nothing may be sent unsealed', async () => {
    const delivery = await deliveryTo(scene, { aci: pni });
    expect(delivery).toMatchObject({
      recipient: pni,
      status: 'failed',
      error: { code: 'ERR_ACCESS_DENIED' },
    });
    expect(names()).toEqual([]);
  });

  it('is sent to unsealed where that is allowed, and is never asked for with an access key', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    const subscriber = await scene.service.subscribe();
    scene.service.subscribers.set(pni, { ...subscriber, aci: pni });
    await scene.broadcaster.setProfileKey(pni, subscriber.profileKey);
    expect(await deliveryTo(scene, { aci: pni })).toEqual({ recipient: pni, status: 'unsealed' });
    expect(scene.service.requests).toEqual([
      { name: 'fetchPreKeys', destination: pni, accessKey: null },
      { name: 'sendUnsealed', destination: pni, accessKey: undefined },
    ]);
  });
});

describe('a contact that denies access', () => {
  /** One with which there is a session, so that the send is what is denied. */
  async function subscribeThenDeny(): Promise<Subscriber> {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    subscriber.access = 'none';
    forget();
    return subscriber;
  }

  it('fails where nothing may be sent unsealed, is disabled, and costs no request the next time', async () => {
    const subscriber = await subscribeThenDeny();
    const delivery = await deliveryTo(scene, subscriber);
    expect(delivery).toMatchObject({ status: 'failed', error: { code: 'ERR_ACCESS_DENIED' } });
    expect(delivery.error?.serviceId).toBe(subscriber.aci);
    expect(names()).toEqual(['sendSealed', 'accountExists']);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'disabled' });
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'failed' });
    expect(names()).toEqual([]);
  });

  it('is sent the very same ciphertext unsealed where that is allowed, and unsealed at once the next time', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    const subscriber = await subscribeThenDeny();
    const offered: Uint8Array[] = [];
    scene.service.intercepts.set('accountExists', async () => {
      const rows = await scene.store.list('outbox', { limit: 10 });
      offered.push(...rows.map(({ value }) => value));
      return undefined;
    });
    expect(await deliveryTo(scene, subscriber)).toEqual({
      recipient: subscriber.aci,
      status: 'unsealed',
    });
    expect(names()).toEqual(['sendSealed', 'accountExists', 'sendUnsealed']);
    const arrival = scene.service.arrivals.find(({ sealed }) => !sealed) ?? failTest('arrival');
    expect(arrival).toMatchObject({ sealed: false, message: { body: 'a text' } });
    expect(Buffer.concat(offered).includes(arrival.ciphertext)).toBe(true);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'disabled' });
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'unsealed' });
    expect(names()).toEqual(['sendUnsealed']);
  });

  it.each(['never', 'when-denied'] as const)(
    'is unregistered where there is no such account any more (fallback: %s)',
    async (unsealedFallback) => {
      await reopen({ unsealedFallback });
      const subscriber = await subscribeThenDeny();
      subscriber.registered = false;
      expect(await deliveryTo(scene, subscriber)).toEqual({
        recipient: subscriber.aci,
        status: 'unregistered',
      });
      expect(names()).toEqual(['sendSealed', 'accountExists']);
      expect(await contactOf(scene, subscriber)).toMatchObject({
        accessMode: 'enabled',
        devices: [],
      });
    },
  );

  it('is tried again with a profile key that came in between', async () => {
    const subscriber = await subscribeThenDeny();
    scene.service.intercepts.set('sendSealed', async (aci, count) => {
      if (count > 1) return undefined;
      subscriber.access = 'key';
      subscriber.profileKey = new Uint8Array(32).fill(7);
      await scene.broadcaster.setProfileKey(aci, subscriber.profileKey);
      return { status: 'unauthorized' };
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'sendSealed']);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });

  it.each([
    ['another profile key', new Uint8Array(32).fill(8)],
    ['the same profile key', undefined],
  ])('is tried sealed again after setProfileKey with %s', async (_title, otherKey) => {
    const subscriber = await subscribeThenDeny();
    await deliveryTo(scene, subscriber);
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'disabled' });
    subscriber.access = 'key';
    subscriber.profileKey = otherKey ?? subscriber.profileKey;
    await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
    expect(await contactOf(scene, subscriber)).toMatchObject({
      accessMode: 'unknown',
      accessDeniedMs: 0,
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: 'enabled' });
  });

  it('is tried sealed once more when its denial is a day old, and is enabled if that is taken', async () => {
    const subscriber = await subscribeThenDeny();
    await deliveryTo(scene, subscriber);
    const { accessDeniedMs } = await contactOf(scene, subscriber);
    expect(accessDeniedMs).toBeGreaterThan(0);
    await changeContact(scene, subscriber, { accessDeniedMs: accessDeniedMs - DENIAL_LIFE_MS });
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({
      error: { code: 'ERR_ACCESS_DENIED' },
    });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({
      error: { code: 'ERR_ACCESS_DENIED' },
    });
    // Once, not with every message.
    expect(names()).toEqual(['sendSealed', 'accountExists']);
    subscriber.access = 'key';
    await changeContact(scene, subscriber, { accessDeniedMs: accessDeniedMs - DENIAL_LIFE_MS });
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(await contactOf(scene, subscriber)).toMatchObject({
      accessMode: 'enabled',
      accessDeniedMs: 0,
    });
  });

  it('counts each kind apart', async () => {
    await reopen({ unsealedFallback: 'when-denied' });
    const [open, denying, gone] = await subscribeKnown(scene, 3);
    if (open === undefined || denying === undefined || gone === undefined)
      return failTest('subscribers');
    denying.access = 'none';
    gone.registered = false;
    const run = scene.broadcaster.broadcast({ body: 'x' }, [
      open.aci,
      denying.aci,
      gone.aci,
      'nobody',
    ]);
    const statuses = [...(await collect(run)).values()].map(({ status }) => status);
    expect(statuses.sort()).toEqual(['failed', 'sealed', 'unregistered', 'unsealed']);
    expect(await run.summary()).toMatchObject({
      recipients: 4,
      sealed: 1,
      unsealed: 1,
      unregistered: 1,
      failed: 1,
    });
    expect(run.progress).toMatchObject({
      recipients: 4,
      pending: 0,
      ingested: true,
      waitingFor: [],
    });
  });
});

describe('a stranger whose prekeys are denied', () => {
  it.each([
    ['never', true, 'failed', 'disabled', ['fetchPreKeys', 'accountExists']],
    ['never', false, 'unregistered', 'unknown', ['fetchPreKeys', 'accountExists']],
    [
      'when-denied',
      true,
      'unsealed',
      'disabled',
      ['fetchPreKeys', 'accountExists', 'fetchPreKeys', 'sendUnsealed'],
    ],
    ['when-denied', false, 'unregistered', 'unknown', ['fetchPreKeys', 'accountExists']],
  ] as const)(
    'fallback %s, account exists: %s: %s, %s',
    async (unsealedFallback, exists, status, mode, requests) => {
      await reopen({ unsealedFallback });
      const subscriber = await subscribeOne();
      subscriber.access = 'none';
      subscriber.registered = exists;
      expect(await deliveryTo(scene, subscriber)).toMatchObject({ status });
      expect(names()).toEqual(requests);
      expect(await contactOf(scene, subscriber)).toMatchObject({ accessMode: mode });
    },
  );
});

describe("where the policy is 'never'", () => {
  it('nothing goes out unsealed though another broadcast finds the contact denying at the same time', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    if (subscriber === undefined) return failTest('subscriber');
    await deliveryTo(scene, subscriber);
    subscriber.access = 'none';
    // Both are on their way before either is answered.
    let arrived = 0;
    let bothThere!: () => void;
    const both = new Promise<void>((resolve) => (bothThere = resolve));
    scene.service.intercepts.set('sendSealed', async () => {
      arrived += 1;
      if (arrived === 2) bothThere();
      await both;
      return undefined;
    });
    const runs = ['one', 'two'].map((body) =>
      scene.broadcaster.broadcast({ body }, [subscriber.aci]).summary(),
    );
    for (const summary of await Promise.all(runs))
      expect(summary).toMatchObject({ unsealed: 0, failed: 1 });
    expect(scene.service.countOf('sendUnsealed')).toBe(0);
  });

  it('nothing goes out unsealed when a broadcast is resumed after the contact was found denying', async () => {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    let cut!: (error: Error) => void;
    const unanswered = new Promise<undefined>((_, reject) => (cut = reject));
    scene.service.intercepts.set('sendSealed', () => unanswered);
    const run = scene.broadcaster.broadcast({ body: 'later' }, [subscriber.aci], { id: 'cut-off' });
    run.summary().catch(() => undefined);
    await untilTrue(() => scene.service.countOf('sendSealed') === 2);
    const closed = scene.broadcaster.close();
    cut(new Error('closed'));
    await closed;
    scene.service.intercepts.clear();
    scene = await openScene({ store: scene.store }, scene.service);
    await changeContact(scene, subscriber, { accessMode: 'disabled', accessDeniedMs: Date.now() });
    forget();
    expect(await scene.broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { unsealed: 0, failed: 1 } },
    ]);
    expect(names()).toEqual([]);
  });
});

// A stand-in's own facts, which the tests above rest on.
it('the stand-in takes any key for an unrestricted account, and none for one that denies', async () => {
  const service = new StandInService();
  const subscriber = await service.subscribe();
  subscriber.access = 'none';
  const request = {
    destination: subscriber.aci,
    device: 'all',
    accessKey: deriveAccessKey(subscriber.profileKey),
  } as const;
  expect(await service.fetchPreKeys(request)).toEqual({ status: 'unauthorized' });
  subscriber.access = 'unrestricted';
  expect(await service.fetchPreKeys({ ...request, accessKey: ZEROS })).toMatchObject({
    status: 'ok',
  });
});
