import { SessionRecord } from '@signalapp/libsignal-client';
import { Broadcaster, type ReceiverOptions } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contactOf, failTest } from '../harness/broadcasters.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  watchEvents,
  type ReceiverScene,
} from '../harness/receivers.js';
import { MemoryStores } from '../fakes/memory-stores.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let scene: ReceiverScene;
let sender: Subscriber;
let events: ReturnType<typeof watchEvents>;

async function open(
  onIdentityChange: NonNullable<ReceiverOptions['onIdentityChange']>,
): Promise<void> {
  scene = await openReceiverScene({ onIdentityChange });
  events = watchEvents(scene.receiver);
  sender = await scene.service.subscribe([1, 2]);
  for (const deviceId of [1, 2])
    await scene.service.send(sender, text(`old ${deviceId}`), { deviceId });
  await take(scene.receiver, 2);
}
afterEach(() => scene[Symbol.asyncDispose]());

async function sessionOf(deviceId: number): Promise<SessionRecord> {
  const [record] = await scene.store.getMany('session', [`${sender.aci}.${deviceId}`]);
  return SessionRecord.deserialize(record ?? failTest('session'));
}
const identityKey = async (): Promise<Uint8Array> =>
  Uint8Array.from((await contactOf(scene as never, sender)).identityKey ?? []);
const changes = (): unknown[] =>
  events.filter(([name]) => name === 'identityChange').map(([, facts]) => facts);

async function broadcast(body: string): Promise<unknown> {
  const { store, service } = scene;
  const transport = service;
  await using broadcaster = await Broadcaster.open({
    store,
    transport,
    trustRoots: [service.trustRoot],
    onIdentityChange: 'fail',
  });
  await broadcaster.setProfileKey(sender.aci, sender.profileKey);
  for await (const { status, error } of broadcaster.broadcast({ body }, [sender.aci]))
    return error?.code ?? status;
  return undefined;
}

describe('a sender who registered again, where that is accepted,', () => {
  beforeEach(() => open('accept'));

  it('is read; the session is the new one, and those of the other devices are over', async () => {
    await scene.service.reregister(sender);
    await scene.service.send(sender, text('new'));
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['new']);
    expect(changes()).toEqual([{ serviceId: sender.aci, accepted: true }]);
    expect(await identityKey()).toEqual(sender.identity.publicKey.serialize());
    const session = await sessionOf(1);
    expect(session.hasCurrentState()).toBe(true);
    expect(
      (await contactOf(scene as never, sender)).devices.map(({ deviceId }) => deviceId),
    ).toEqual([1]);
    expect((await sessionOf(2)).hasCurrentState()).toBe(false);
    // What he sends next is in the new session; and a message of his new second device is in its
    // own.
    await scene.service.send(sender, text('next'));
    await scene.service.send(sender, text('from the other device'), { deviceId: 2 });
    expect(bodiesOf(await take(scene.receiver, 2))).toEqual(['next', 'from the other device']);
    expect((await sessionOf(2)).hasCurrentState()).toBe(true);
    expect(changes()).toHaveLength(1);
    expect(scene.receiver.stats().undecryptable).toBe(0);
  });

  it('is sent to with the new identity', async () => {
    await scene.service.reregister(sender);
    for (const deviceId of [1, 2]) await scene.service.send(sender, text('new'), { deviceId });
    await take(scene.receiver, 2);
    expect(await broadcast('welcome back')).toBe('sealed');
    expect(scene.service.arrivals.map(({ deviceId }) => deviceId)).toEqual([1, 2]);
  });

  it('in the batch in which the old devices spoke last, is told so once', async () => {
    await scene.receiver.close();
    for (const deviceId of [1, 2])
      await scene.service.send(sender, text(`last ${deviceId}`), { deviceId });
    await scene.service.reregister(sender);
    for (const deviceId of [2, 1])
      await scene.service.send(sender, text(`new ${deviceId}`), { deviceId });
    scene = await openReceiverScene({ store: scene.store }, scene.service);
    events = watchEvents(scene.receiver);
    expect(bodiesOf(await take(scene.receiver, 4))).toEqual(['last 1', 'last 2', 'new 2', 'new 1']);
    expect(changes()).toHaveLength(1);
    for (const deviceId of [1, 2]) await scene.service.send(sender, text('and on'), { deviceId });
    expect(bodiesOf(await take(scene.receiver, 2))).toEqual(['and on', 'and on']);
    for (const deviceId of [1, 2]) expect((await sessionOf(deviceId)).hasCurrentState()).toBe(true);
  });
});

describe('a sender who registered again, where that fails,', () => {
  beforeEach(() => open('fail'));

  it('is read, and not sent to: the sender is still known by the old identity', async () => {
    const before = await identityKey();
    await scene.service.reregister(sender);
    await scene.service.send(sender, text('new'));
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['new']);
    expect(changes()).toEqual([{ serviceId: sender.aci, accepted: false }]);
    expect(await identityKey()).toEqual(before);
    expect(await broadcast('secret')).toBe('ERR_IDENTITY_CHANGED');
    expect(scene.service.arrivals).toEqual([]);
  });
});

describe('a registration id', () => {
  it.each([0x4000, 0xffff_ffff])(
    'that the service would not take (%i) is not sent to',
    async (registrationId) => {
      await open('accept');
      const odd = await scene.service.subscribe();
      const device = odd.devices.get(1) ?? failTest('device');
      odd.devices.set(1, { ...device, stores: new MemoryStores(odd.identity, registrationId) });
      await scene.service.send(odd, text('odd'));
      expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['odd']);
      expect((await contactOf(scene as never, odd)).devices).toEqual([]);
    },
  );
});
