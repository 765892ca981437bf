import {
  IdentityKeyPair,
  ProtocolAddress,
  SignalMessage,
  signalDecrypt,
  signalEncrypt,
} from '@signalapp/libsignal-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  acis,
  changeContact,
  contactOf,
  deliveryTo,
  failTest,
  openScene,
  sessionOf,
  subscribeKnown,
  type Scene,
} from '../harness/broadcasters.js';
import { MemoryStores } from '../fakes/memory-stores.js';
import { FastClock } from '../fakes/fast-clock.js';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';

const DAY_MS = 24 * 3_600_000;

let clock: FastClock;
let scene: Scene;
beforeEach(async () => {
  clock = new FastClock();
  scene = await openScene({}, new StandInService(), clock);
  scene.service.now = () => clock.now();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function subscribeOne(): Promise<Subscriber> {
  const [subscriber] = await subscribeKnown(scene, 1);
  return subscriber ?? failTest('subscriber');
}

/** A subscriber's answer, which the sender decrypts with the session that the store has. */
async function answer(subscriber: Subscriber): Promise<void> {
  const { sender } = scene.service;
  const device = subscriber.devices.get(1) ?? failTest('device');
  const senderAddress = ProtocolAddress.new(sender.aci, sender.deviceId);
  const address = ProtocolAddress.new(subscriber.aci, 1);
  const { sessions, identities } = device.stores;
  const encrypted = await signalEncrypt(
    new Uint8Array([1]),
    senderAddress,
    address,
    sessions,
    identities,
  );
  const own = new MemoryStores(
    new IdentityKeyPair(sender.identityKeyPair.publicKey, sender.identityKeyPair.privateKey),
    sender.registrationId,
  );
  await own.sessions.saveSession(address, await sessionOf(scene, subscriber.aci));
  await own.identities.saveIdentity(address, subscriber.identity.publicKey);
  const message = SignalMessage.deserialize(encrypted.serialize());
  await signalDecrypt(message, address, senderAddress, own.sessions, own.identities);
  const record = (await own.sessions.getSession(address)) ?? failTest('session');
  await scene.store.commit([
    { table: 'session', key: `${subscriber.aci}.1`, value: record.serialize() },
  ]);
}

describe('a session', () => {
  it('sends prekey messages until the recipient has answered, and whisper messages from then on', async () => {
    const subscriber = await subscribeOne();
    await deliveryTo(scene, subscriber);
    await deliveryTo(scene, subscriber);
    await answer(subscriber);
    await deliveryTo(scene, subscriber);
    expect(scene.service.arrivals.map(({ type }) => type)).toEqual(['prekey', 'prekey', 'whisper']);
    expect(scene.service.countOf('fetchPreKeys')).toBe(1);
  });

  it('that was not answered for 30 days is replaced by a new one; one that was answered is not', async () => {
    const [silent, answering] = await subscribeKnown(scene, 2);
    if (silent === undefined || answering === undefined) return failTest('subscribers');
    await scene.broadcaster.broadcast({ body: 'one' }, acis([silent, answering])).summary();
    await answer(answering);
    clock.set(Date.now() + 31 * DAY_MS);
    await scene.broadcaster.broadcast({ body: 'two' }, acis([silent, answering])).summary();
    expect(scene.service.countOf('fetchPreKeys', silent.aci)).toBe(2);
    expect(scene.service.countOf('fetchPreKeys', answering.aci)).toBe(1);
    for (const subscriber of [silent, answering])
      expect(scene.service.textsOf(subscriber)).toEqual(['one', 'two']);
  });

  it('that the store has lost, or cannot be read, is replaced by a new one', async () => {
    const [lost, torn] = await subscribeKnown(scene, 2);
    if (lost === undefined || torn === undefined) return failTest('subscribers');
    await scene.broadcaster.broadcast({ body: 'one' }, acis([lost, torn])).summary();
    await scene.store.commit([
      { table: 'session', key: `${lost.aci}.1`, value: null },
      { table: 'session', key: `${torn.aci}.1`, value: new Uint8Array([255, 1, 2]) },
    ]);
    const summary = await scene.broadcaster
      .broadcast({ body: 'two' }, acis([lost, torn]))
      .summary();
    expect(summary.sealed).toBeGreaterThanOrEqual(1);
    expect(scene.service.textsOf(lost)).toEqual(['one', 'two']);
  });

  it('is used by two broadcasts at once without a message key twice, and every text arrives', async () => {
    const subscribers = await subscribeKnown(scene, 12);
    const texts = ['one', 'two', 'three', 'four', 'five'];
    const runs = texts.map((body) =>
      scene.broadcaster.broadcast({ body }, acis(subscribers)).summary(),
    );
    for (const summary of await Promise.all(runs)) expect(summary).toMatchObject({ sealed: 12 });
    for (const subscriber of subscribers) {
      expect(scene.service.textsOf(subscriber).sort()).toEqual([...texts].sort());
    }
    expect(scene.service.arrivals.filter(({ duplicate }) => duplicate)).toEqual([]);
    expect(new Set(scene.service.arrivals.map(({ timestamp }) => timestamp)).size).toBe(
      texts.length,
    );
    await scene.broadcaster.broadcast({ body: 'six' }, acis(subscribers)).summary();
    for (const subscriber of subscribers)
      expect(scene.service.textsOf(subscriber).at(-1)).toBe('six');
  });

  it('survives contacts that change in the middle of a broadcast', async () => {
    const subscribers = await subscribeKnown(scene, 20);
    const { broadcaster, service } = scene;
    const changes: Promise<void>[] = [];
    service.intercepts.set('sendSealed', (aci) => {
      const subscriber = service.subscribers.get(aci) ?? failTest('subscriber');
      // The phone still takes the key that is on its way; the new one is for what comes next.
      changes.push(
        broadcaster.setProfileKey(
          aci,
          subscriber.profileKey.map((byte) => byte ^ 1),
        ),
      );
      changes.push(broadcaster.setExpireTimer(aci, 60, 1));
      return undefined;
    });
    expect(await broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary()).toMatchObject({
      sealed: 20,
    });
    await Promise.all(changes);
    for (const subscriber of subscribers) {
      const contact = await contactOf(scene, subscriber);
      // What was taken was not the key that is known now.
      expect(contact).toMatchObject({
        accessMode: 'unknown',
        expireTimer: 60,
        devices: [{ deviceId: 1 }],
      });
      subscriber.profileKey = subscriber.profileKey.map((byte) => byte ^ 1);
    }
    service.intercepts.clear();
    expect(await broadcaster.broadcast({ body: 'y' }, acis(subscribers)).summary()).toMatchObject({
      sealed: 20,
    });
    expect(service.textsOf(subscribers[0] ?? failTest('subscriber'))).toEqual(['x', 'y']);
  });
});

describe('a message', () => {
  it("has the contact's own expire timer and its version, and no other contact's", async () => {
    const [timed, free] = await subscribeKnown(scene, 2);
    if (timed === undefined || free === undefined) return failTest('subscribers');
    await scene.broadcaster.setExpireTimer(timed.aci, 3600, 5);
    await scene.broadcaster.broadcast({ body: 'x' }, acis([timed, free])).summary();
    const messageTo = ({ aci }: Subscriber): object =>
      scene.service.arrivals.find(({ recipient }) => recipient === aci)?.message ??
      failTest('message');
    expect(messageTo(timed)).toMatchObject({ body: 'x', expireTimer: 3600, expireTimerVersion: 5 });
    expect(messageTo(free)).toMatchObject({ body: 'x' });
    expect(messageTo(free)).not.toHaveProperty('expireTimer', 3600);
  });

  it("has the account's own profile key, for every recipient", async () => {
    const subscribers = await subscribeKnown(scene, 3);
    await scene.broadcaster.broadcast({ body: 'x' }, acis(subscribers)).summary();
    for (const { message } of scene.service.arrivals) {
      expect(Buffer.from(message.profileKey ?? [])).toEqual(
        Buffer.from(scene.service.sender.profileKey),
      );
    }
    expect(scene.service.arrivals).toHaveLength(3);
  });

  it('keeps what is known of the contact otherwise', async () => {
    const subscriber = await subscribeOne();
    await scene.broadcaster.setExpireTimer(subscriber.aci, 60, 2);
    await changeContact(scene, subscriber, { lastSeenMs: 1234 });
    await deliveryTo(scene, subscriber);
    expect(await contactOf(scene, subscriber)).toMatchObject({
      lastSeenMs: 1234,
      expireTimer: 60,
      expireTimerVersion: 2,
      accessMode: 'enabled',
      blocked: false,
    });
  });
});
