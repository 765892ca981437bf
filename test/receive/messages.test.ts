import { randomUUID } from 'node:crypto';
import {
  ContentHint,
  SenderKeyDistributionMessage,
  groupEncrypt,
  sealedSenderMultiRecipientEncrypt,
  sealedSenderMultiRecipientMessageForSingleRecipient,
  UnidentifiedSenderMessageContent,
} from '@signalapp/libsignal-client';
import { Broadcaster } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failTest } from '../harness/broadcasters.js';
import { SEALED, paddedContent, serviceEnvelope } from '../fakes/mailbox-service.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  threadsOf,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let scene: ReceiverScene;
beforeEach(async () => {
  scene = await openReceiverScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function reopen(): Promise<void> {
  await scene.receiver.close();
  scene = await openReceiverScene({ store: scene.store }, scene.service);
}

describe('messages', () => {
  it('go on as ratchet messages once the account has answered', async () => {
    const { service, receiver, store } = scene;
    const sender = await service.subscribe();
    await service.send(sender, { dataMessage: { body: 'first', profileKey: sender.profileKey } });
    await take(receiver, 1);
    const options = { store, transport: service, trustRoots: [service.trustRoot] };
    await using broadcaster = await Broadcaster.open(options);
    await broadcaster.broadcast({ body: 'hello' }, [sender.aci]).summary();
    expect(service.textsOf(sender)).toEqual(['hello']);
    await service.send(sender, text('second'));
    await service.send(sender, text('third'), { sealed: false });
    expect(await take(receiver, 2)).toMatchObject([
      { envelopeType: 'whisper', sealed: true, content: { dataMessage: { body: 'second' } } },
      { envelopeType: 'whisper', sealed: false, content: { dataMessage: { body: 'third' } } },
    ]);
  });

  it('sealed once for many (v2), and cut for this recipient, are read', async () => {
    const { service, receiver } = scene;
    const sender = await service.subscribe();
    const message = await service.encrypt(sender, text('for all'));
    const certificate = service.certificateOf(sender);
    const usmc = UnidentifiedSenderMessageContent.new(
      message,
      certificate,
      ContentHint.Default,
      null,
    );
    const { to } = service.addressesOf(sender);
    const { stores } = sender.devices.get(1) ?? failTest('device');
    const content = await sealedSenderMultiRecipientEncrypt({
      content: usmc,
      recipients: [to],
      identityStore: stores.identities,
      sessionStore: stores.sessions,
    });
    const received = sealedSenderMultiRecipientMessageForSingleRecipient(content);
    const times = { clientTimestamp: 5, serverTimestamp: Date.now() };
    service.queue(serviceEnvelope({ ...times, type: SEALED, content: received }));
    expect(await take(receiver, 1)).toMatchObject([
      {
        sender: sender.aci,
        sealed: true,
        timestamp: 5,
        content: { dataMessage: { body: 'for all' } },
      },
    ]);
  });
});

describe('group messages', () => {
  const distributionId = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';
  const groupId = new Uint8Array(32).fill(7);

  async function sendKey(sender: Subscriber): Promise<void> {
    const { stores } = sender.devices.get(1) ?? failTest('device');
    const { own } = scene.service.addressesOf(sender);
    const key = await SenderKeyDistributionMessage.create(own, distributionId, stores.senderKeys);
    await scene.service.send(sender, { senderKeyDistributionMessage: key.serialize() });
  }
  async function sendToGroup(sender: Subscriber, body: string): Promise<void> {
    const { stores } = sender.devices.get(1) ?? failTest('device');
    const { own } = scene.service.addressesOf(sender);
    const message = await groupEncrypt(
      own,
      distributionId,
      stores.senderKeys,
      Buffer.from(paddedContent(text(body))),
    );
    await scene.service.post(sender, message, { groupId, hint: ContentHint.Resendable });
  }

  it('are read with the sender key, in the batch it came in, in a later one, and after a restart', async () => {
    const senders = await Promise.all(Array.from({ length: 3 }, () => scene.service.subscribe()));
    await scene.receiver.close();
    for (const sender of senders) {
      await sendKey(sender);
      await sendToGroup(sender, 'same batch');
    }
    scene = await openReceiverScene({ store: scene.store }, scene.service);
    const first = await take(scene.receiver, senders.length);
    for (const sender of senders) await sendToGroup(sender, 'later batch');
    const second = await take(scene.receiver, senders.length);
    await reopen();
    for (const sender of senders) await sendToGroup(sender, 'after a restart');
    const third = await take(scene.receiver, senders.length);
    for (const { envelopeType, groupId: given } of [...first, ...second, ...third]) {
      expect(envelopeType).toBe('sender-key');
      expect(given).toEqual(groupId);
    }
    const threads = threadsOf([...first, ...second, ...third]);
    for (const { aci } of senders) {
      expect(threads.get(`${aci}.1`)).toEqual(['same batch', 'later batch', 'after a restart']);
    }
    await untilDelivered(scene);
  });

  it('leave sender keys, of one device at most as many as there are groups', async () => {
    const [hostile, friend] = [await scene.service.subscribe(), await scene.service.subscribe()];
    await sendKey(friend);
    const { stores } = hostile.devices.get(1) ?? failTest('device');
    const { own } = scene.service.addressesOf(hostile);
    for (let i = 0; i < 300; i++) {
      const key = await SenderKeyDistributionMessage.create(own, randomUUID(), stores.senderKeys);
      await scene.service.send(hostile, { senderKeyDistributionMessage: key.serialize() });
    }
    await untilDelivered(scene);
    const kept = (await scene.store.list('senderKey', { limit: 1000 })).map(({ key }) => key);
    expect(kept.filter((key) => key.startsWith(hostile.aci))).toHaveLength(256);
    expect(kept).toContain(`${friend.aci}.1.${distributionId}`);
    await sendToGroup(friend, 'still read');
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['still read']);
  });

  it('without the sender key are asked for again, and read once it came', async () => {
    const sender = await scene.service.subscribe();
    await scene.service.beginSession(sender);
    const { stores } = sender.devices.get(1) ?? failTest('device');
    const { own } = scene.service.addressesOf(sender);
    const key = await SenderKeyDistributionMessage.create(own, distributionId, stores.senderKeys);
    await sendToGroup(sender, 'too early');
    await untilDelivered(scene);
    expect(scene.receiver.stats()).toMatchObject({ undecryptable: 1, messages: 0 });
    await scene.service.send(sender, { senderKeyDistributionMessage: key.serialize() });
    await sendToGroup(sender, 'in time');
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['in time']);
    expect(scene.receiver.stats()).toMatchObject({ undecryptable: 1, internal: 1, messages: 1 });
  });
});

describe('an envelope that comes again', () => {
  it('is known: a message is given out once, and so is a receipt of the service', async () => {
    const { service, receiver } = scene;
    const sender = await service.subscribe();
    const bytes = await service.envelope(sender, await service.encrypt(sender, text('once')), {});
    const receipt = serviceEnvelope({
      type: 5,
      sourceServiceId: sender.aci,
      sourceDeviceId: 1,
      clientTimestamp: 77,
    });
    for (let i = 0; i < 3; i++) {
      service.queue(bytes);
      service.queue(receipt);
    }
    const messages = await take(receiver, 2);
    expect(messages.map(({ envelopeType }) => envelopeType)).toEqual(['prekey', 'receipt']);
    await untilDelivered(scene);
    expect(receiver.stats()).toMatchObject({ messages: 2, duplicates: 4 });
  });

  it('while it is being decrypted, too, and over connections that are lost again and again', async () => {
    await scene.receiver.close();
    const { service } = scene;
    const senders = await Promise.all(Array.from({ length: 20 }, () => service.subscribe()));
    const bodies = Array.from({ length: 20 }, (_, i) => `text ${i}`);
    for (const body of bodies) for (const sender of senders) await service.send(sender, text(body));
    scene = await openReceiverScene({ store: scene.store }, service);
    const taking = take(scene.receiver, 400);
    for (let i = 0; i < 10; i++) {
      service.reconnect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const threads = threadsOf(await taking);
    for (const { aci } of senders) expect(threads.get(`${aci}.1`)).toEqual(bodies);
    await untilDelivered(scene);
    expect(scene.receiver.stats()).toMatchObject({ messages: 400, undecryptable: 0 });
  });
});
