import { Broadcaster, MemoryStore, type ReceivedMessage } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { collect } from '../harness/broadcasters.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  type ReceiverScene,
} from '../harness/receivers.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { WatchedStore, type StoreWatch } from '../fakes/watched-store.js';
import type { RequestName } from '../fakes/stand-in-service.js';

let scene: ReceiverScene;
let broadcaster: Broadcaster;
beforeEach(async () => {
  scene = await openReceiverScene();
  broadcaster = await Broadcaster.open({
    store: scene.store,
    transport: scene.service,
    trustRoots: [scene.service.trustRoot],
  });
});
afterEach(async () => {
  await broadcaster.close();
  await scene[Symbol.asyncDispose]();
});

/** Requests of this name are answered once `release` is called. */
function hold(name: RequestName): { readonly release: () => void } {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  scene.service.intercepts.set(name, async () => {
    await released;
    return undefined;
  });
  return { release };
}

describe("a contact's message is decrypted", () => {
  it('while prekeys of the contact are being fetched', async () => {
    const contact = await scene.service.subscribe();
    await broadcaster.setProfileKey(contact.aci, contact.profileKey);
    const { release } = hold('fetchPreKeys');
    const deliveries = collect(broadcaster.broadcast({ body: 'first' }, [contact.aci]));
    await untilTrue(() => scene.service.countOf('fetchPreKeys') === 1);
    await scene.service.send(contact, text('meanwhile'));
    expect(bodiesOf(await neverHangs(take(scene.receiver, 1), 'the message'))).toEqual([
      'meanwhile',
    ]);
    release();
    expect((await deliveries).get(contact.aci)).toMatchObject({ status: 'sealed' });
    // With the session that the message began: the bundle that came afterwards is not used.
    expect(scene.service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
  });

  it('while workers compute the first session with the contact', async () => {
    await broadcaster.close();
    await scene[Symbol.asyncDispose]();
    const service = new MailboxService();
    const inner = new MemoryStore();
    await service.publishPreKeys(inner);
    const contact = await service.subscribe();
    let read: Promise<ReceivedMessage[]> | undefined;
    // The sessions that are there are read right before the workers begin.
    const beforeRead: StoreWatch['beforeRead'] = async (table, keys) => {
      if (table !== 'session' || keys.length === 0 || read !== undefined) return;
      read = take(scene.receiver, 1);
      await service.send(contact, text('meanwhile'));
      await neverHangs(read, 'the message');
    };
    scene = await openReceiverScene({ store: new WatchedStore(inner, { beforeRead }) }, service);
    broadcaster = await Broadcaster.open({
      store: scene.store,
      transport: service,
      trustRoots: [service.trustRoot],
    });
    await broadcaster.setProfileKey(contact.aci, contact.profileKey);
    const deliveries = await collect(broadcaster.broadcast({ body: 'first' }, [contact.aci]));
    expect(bodiesOf((await read) ?? [])).toEqual(['meanwhile']);
    expect(deliveries.get(contact.aci)).toMatchObject({ status: 'sealed' });
    // With the session that the message began: the one that the workers computed is dropped.
    expect(service.arrivals.map(({ type }) => type)).toEqual(['whisper']);
    expect(service.textsOf(contact)).toEqual(['first']);
  });

  it('while prekeys of a device that the contact added are being fetched', async () => {
    const contact = await scene.service.subscribe();
    await broadcaster.setProfileKey(contact.aci, contact.profileKey);
    await collect(broadcaster.broadcast({ body: 'first' }, [contact.aci]));
    await scene.service.addDevice(contact, 2);
    const { release } = hold('fetchPreKeys');
    const deliveries = collect(broadcaster.broadcast({ body: 'second' }, [contact.aci]));
    await untilTrue(() => scene.service.countOf('fetchPreKeys') === 2);
    await scene.service.send(contact, text('meanwhile'));
    expect(bodiesOf(await neverHangs(take(scene.receiver, 1), 'the message'))).toEqual([
      'meanwhile',
    ]);
    release();
    expect((await deliveries).get(contact.aci)).toMatchObject({ status: 'sealed' });
    expect(scene.service.textsOf(contact, 2)).toEqual(['second']);
  });

  it('while the service is asked whether the account exists', async () => {
    const contact = await scene.service.subscribe();
    await broadcaster.setProfileKey(contact.aci, contact.profileKey);
    await collect(broadcaster.broadcast({ body: 'first' }, [contact.aci]));
    contact.access = 'none';
    const { release } = hold('accountExists');
    const deliveries = collect(broadcaster.broadcast({ body: 'second' }, [contact.aci]));
    await untilTrue(() => scene.service.countOf('accountExists') === 1);
    await scene.service.send(contact, text('meanwhile'));
    expect(bodiesOf(await neverHangs(take(scene.receiver, 1), 'the message'))).toEqual([
      'meanwhile',
    ]);
    release();
    await deliveries;
  });
});
