import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  acis,
  collect,
  contactOf,
  deliveryTo,
  failTest,
  openScene,
  sessionOf,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import type { RequestName, Subscriber } from '../fakes/stand-in-service.js';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

const names = (): RequestName[] => scene.service.requests.map(({ name }) => name);
const forget = (): number => scene.service.requests.splice(0).length;

/** A subscriber with these devices, to all of whom a first message went. */
async function subscribeReached(deviceIds: readonly number[] = [1]): Promise<Subscriber> {
  const subscriber = await scene.service.subscribe(deviceIds);
  await scene.broadcaster.setProfileKey(subscriber.aci, subscriber.profileKey);
  await deliveryTo(scene, subscriber);
  forget();
  return subscriber;
}

async function reopen(options: Parameters<typeof openScene>[0]): Promise<void> {
  await scene.broadcaster.close();
  scene = await openScene({ ...options, store: scene.store }, scene.service);
}

describe('an account that is gone', () => {
  it('is unregistered, its sessions are archived, and it is sent to again once it is back', async () => {
    const subscriber = await subscribeReached([1, 2]);
    expect((await sessionOf(scene, subscriber.aci, 2)).hasCurrentState(new Date())).toBe(true);
    scene.service.intercepts.set('sendSealed', () => ({ status: 'not-found' }));
    expect(await deliveryTo(scene, subscriber)).toEqual({
      recipient: subscriber.aci,
      status: 'unregistered',
    });
    expect(names()).toEqual(['sendSealed']);
    for (const deviceId of [1, 2]) {
      expect((await sessionOf(scene, subscriber.aci, deviceId)).hasCurrentState(new Date())).toBe(
        false,
      );
    }
    expect(await contactOf(scene, subscriber)).toMatchObject({
      devices: [],
      accessMode: 'enabled',
    });

    scene.service.intercepts.clear();
    forget();
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['fetchPreKeys', 'sendSealed']);
    expect(scene.service.textsOf(subscriber, 2)).toEqual(['a text', 'a text']);
  });

  it('is unregistered where its prekeys are not found', async () => {
    const [subscriber] = await subscribeKnown(scene, 1);
    scene.service.intercepts.set('fetchPreKeys', () => ({ status: 'not-found' }));
    expect(await deliveryTo(scene, subscriber ?? failTest('subscriber'))).toMatchObject({
      status: 'unregistered',
    });
    expect(names()).toEqual(['fetchPreKeys']);
  });
});

describe('devices that are not those we know', () => {
  it('a new one is sent to as well, with the ciphertexts of the others as they were', async () => {
    const subscriber = await subscribeReached();
    await scene.service.addDevice(subscriber, 2);
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'fetchPreKeys', 'sendSealed']);
    for (const deviceId of [1, 2])
      expect(scene.service.textsOf(subscriber, deviceId).at(-1)).toBe('a text');
    expect((await contactOf(scene, subscriber)).devices.map(({ deviceId }) => deviceId)).toEqual([
      1, 2,
    ]);
    forget();
    await deliveryTo(scene, subscriber);
    expect(names()).toEqual(['sendSealed']);
  });

  it('one that was removed is sent nothing, and its session is archived', async () => {
    const subscriber = await subscribeReached([1, 2]);
    subscriber.devices.delete(2);
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'sendSealed']);
    expect((await contactOf(scene, subscriber)).devices).toEqual([
      { deviceId: 1, registrationId: 101 },
    ]);
    expect((await sessionOf(scene, subscriber.aci, 2)).hasCurrentState(new Date())).toBe(false);
  });

  it('one that was set up again gets a new session', async () => {
    const subscriber = await subscribeReached();
    await scene.service.addDevice(subscriber, 1);
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'fetchPreKeys', 'sendSealed']);
    expect((await contactOf(scene, subscriber)).devices).toEqual([
      { deviceId: 1, registrationId: 102 },
    ]);
    expect(scene.service.arrivals.at(-1)).toMatchObject({
      type: 'prekey',
      message: { body: 'a text' },
    });
  });

  it('all at once: one added, one removed, one set up again', async () => {
    const subscriber = await subscribeReached([1, 2, 3]);
    await scene.service.addDevice(subscriber, 1);
    subscriber.devices.delete(2);
    await scene.service.addDevice(subscriber, 4);
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    for (const deviceId of [1, 3, 4])
      expect(scene.service.textsOf(subscriber, deviceId).at(-1)).toBe('a text');
    const { devices } = await contactOf(scene, subscriber);
    expect(new Set(devices.map(({ deviceId }) => deviceId))).toEqual(new Set([1, 3, 4]));
    forget();
    await deliveryTo(scene, subscriber);
    expect(names()).toEqual(['sendSealed']);
  });

  it('a single mismatch that names extra, missing and stale devices together is mended in one round', async () => {
    const subscriber = await subscribeReached([1, 2, 3]);
    await scene.service.addDevice(subscriber, 1);
    subscriber.devices.delete(2);
    await scene.service.addDevice(subscriber, 4);
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count === 1
        ? { status: 'mismatched-devices', missing: [4], extra: [2], stale: [1] }
        : undefined,
    );
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(names()).toEqual(['sendSealed', 'fetchPreKeys', 'sendSealed']);
  });

  it('a stale device gets a new session even where its registration id looks the same', async () => {
    const subscriber = await subscribeReached();
    scene.service.intercepts.set('sendSealed', (_, count) =>
      count === 1
        ? { status: 'mismatched-devices', missing: [], extra: [], stale: [1] }
        : undefined,
    );
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(scene.service.textsOf(subscriber)).toEqual(['a text', 'a text']);
  });

  it('devices that change in every round end the recipient, and hold up no other', async () => {
    const [restless, ...others] = await subscribeKnown(scene, 5);
    if (restless === undefined) return failTest('subscriber');
    scene.service.intercepts.set('sendSealed', async (aci) => {
      if (aci === restless.aci) await scene.service.addDevice(restless, 1);
      return undefined;
    });
    const deliveries = await collect(
      scene.broadcaster.broadcast({ body: 'x' }, acis([restless, ...others])),
    );
    expect(deliveries.get(restless.aci)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_DEVICES_CHANGING' },
    });
    for (const { aci } of others) expect(deliveries.get(aci)).toMatchObject({ status: 'sealed' });
    expect(scene.service.countOf('sendSealed', restless.aci)).toBe(5);
  });

  it('a mismatch for one recipient waits for no other, nor others for it', async () => {
    const [slow, ...others] = await subscribeKnown(scene, 4);
    if (slow === undefined) return failTest('subscriber');
    await scene.broadcaster.broadcast({ body: 'first' }, acis([slow, ...others])).summary();
    await scene.service.addDevice(slow, 2);
    let letGo!: () => void;
    const held = new Promise<undefined>((resolve) => (letGo = () => resolve(undefined)));
    scene.service.intercepts.set('fetchPreKeys', () => held);
    const order: string[] = [];
    for await (const { recipient } of scene.broadcaster.broadcast(
      { body: 'second' },
      acis([slow, ...others]),
    )) {
      order.push(recipient);
      if (order.length === others.length) letGo();
    }
    expect(order.at(-1)).toBe(slow.aci);
    expect(scene.service.textsOf(slow, 2)).toEqual(['second']);
  });

  it('prekeys that libsignal refuses end that recipient alone', async () => {
    const [forged, honest] = await subscribeKnown(scene, 2);
    if (forged === undefined || honest === undefined) return failTest('subscribers');
    const { service } = scene;
    const fetchPreKeys = service.fetchPreKeys.bind(service);
    service.fetchPreKeys = async (...given) => {
      const answer = await fetchPreKeys(...given);
      if (answer.status !== 'ok' || given[0].destination !== forged.aci) return answer;
      const bundles = answer.bundles.map((bundle) => ({
        ...bundle,
        signedPreKeySignature: new Uint8Array(64),
      }));
      return { ...answer, bundles };
    };
    const deliveries = await collect(
      scene.broadcaster.broadcast({ body: 'x' }, acis([forged, honest])),
    );
    expect(deliveries.get(forged.aci)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_NO_PREKEYS' },
    });
    expect(deliveries.get(honest.aci)).toMatchObject({ status: 'sealed' });
  });
});

describe('an account that was registered again', () => {
  it('is sent to with its new identity key, and the change is told, where changes are accepted', async () => {
    const subscriber = await subscribeReached([1, 2]);
    const events: unknown[] = [];
    scene.broadcaster.on('identityChange', (event) => events.push(event));
    await scene.service.reregister(subscriber);
    expect(await deliveryTo(scene, subscriber)).toMatchObject({ status: 'sealed' });
    expect(events).toEqual([{ serviceId: subscriber.aci, accepted: true }]);
    const { identityKey } = await contactOf(scene, subscriber);
    expect(identityKey).toEqual(subscriber.identity.publicKey.serialize());
    for (const deviceId of [1, 2])
      expect(scene.service.textsOf(subscriber, deviceId)).toEqual(['a text', 'a text']);
    forget();
    await deliveryTo(scene, subscriber);
    expect(names()).toEqual(['sendSealed']);
  });

  it('fails each time, and the old identity key stays known, where changes are not accepted', async () => {
    await reopen({ onIdentityChange: 'fail' });
    const subscriber = await subscribeReached();
    const before = await contactOf(scene, subscriber);
    const events: unknown[] = [];
    scene.broadcaster.on('identityChange', (event) => events.push(event));
    await scene.service.reregister(subscriber);
    for (let round = 0; round < 2; round++) {
      const delivery = await deliveryTo(scene, subscriber);
      expect(delivery).toMatchObject({ status: 'failed', error: { code: 'ERR_IDENTITY_CHANGED' } });
    }
    expect(events).toEqual(Array(2).fill({ serviceId: subscriber.aci, accepted: false }));
    expect((await contactOf(scene, subscriber)).identityKey).toEqual(before.identityKey);
    expect(scene.service.textsOf(subscriber)).toEqual(['a text']);
  });

  it('is found out by two broadcasts at once, and both texts arrive', async () => {
    const subscriber = await subscribeReached([1, 2]);
    await scene.service.reregister(subscriber);
    const runs = ['one', 'two'].map((body) =>
      scene.broadcaster.broadcast({ body }, [subscriber.aci]).summary(),
    );
    for (const summary of await Promise.all(runs)) expect(summary).toMatchObject({ sealed: 1 });
    for (const deviceId of [1, 2]) {
      expect(scene.service.textsOf(subscriber, deviceId).slice(1).sort()).toEqual(['one', 'two']);
    }
  });
});
