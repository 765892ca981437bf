import { randomUUID } from 'node:crypto';
import { ContactBatch, MAX_SESSION_BYTES } from '#dist/src/receive/contact-batch.js';
import { createRetryRequest } from '#dist/src/receive/retry/request.js';
import { RetrySender } from '#dist/src/receive/retry/sender.js';
import type { OpenedEnvelope } from '#dist/src/receive/envelope-opener.js';
import { NEW_CONTACT, type ContactRecord } from '#dist/src/store/tables/contacts.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contactIn } from '../harness/account-scene.js';
import { manyTurns } from '../harness/await-condition.js';
import { serviceEnvelope } from '../fakes/mailbox-service.js';
import { ManualClock } from '../fakes/manual-clock.js';
import {
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import { FastClock } from '../fakes/fast-clock.js';

const RECEIPT = 5;

let scene: ReceiverScene;
beforeEach(async () => {
  scene = await openReceiverScene({}, undefined, new FastClock(Infinity));
});
afterEach(() => scene[Symbol.asyncDispose]());

const contactRows = async (): Promise<number> =>
  (await scene.store.list('contact', { limit: 1000 })).length;
const queueReceipt = (sourceServiceId: string, serverTimestamp: number): number =>
  scene.service.queue(
    serviceEnvelope({ type: RECEIPT, sourceServiceId, sourceDeviceId: 1, serverTimestamp }),
  );

describe('contacts', () => {
  it('are not begun by receipts of unknown senders', async () => {
    scene.receiver.discard();
    for (let i = 0; i < 300; i++) queueReceipt(randomUUID(), Date.now());
    await untilDelivered(scene);
    expect(scene.receiver.stats().messages).toBe(300);
    expect(await contactRows()).toBe(0);
  });

  it('are not begun by requests of strangers to send again', async () => {
    const { service } = scene;
    for (const sealed of [true, false]) {
      const stranger = await service.subscribe();
      await service.post(stranger, service.retryRequestFor(stranger, 1).plaintext, { sealed });
    }
    await untilDelivered(scene);
    expect(scene.receiver.stats().internal).toBe(2);
    expect(await contactRows()).toBe(0);
  });

  it('are begun by a first message, and a receipt then says when they were last heard of', async () => {
    const { service, receiver } = scene;
    const sender = await service.subscribe();
    await service.send(sender, text('hello'), { serverTimestamp: 10_000_000 });
    await take(receiver, 1);
    expect(await contactIn(scene, sender.aci)).toMatchObject({ lastSeenMs: 10_000_000 });
    queueReceipt(sender.aci, 20_000_000);
    await take(receiver, 1);
    expect(await contactIn(scene, sender.aci)).toMatchObject({ lastSeenMs: 20_000_000 });
  });
});

describe('requests to strangers to send again', () => {
  it('that stay in the store since this side fails count among those that may wait', async () => {
    const contact = (): Promise<never> => Promise.reject(new Error('the store fails'));
    const sender = new RetrySender(
      { records: { contact }, runtime: { options: { store: scene.store } } } as never,
      {
        add: () => undefined,
      },
    );
    const row = { sender: randomUUID(), senderDevice: 1, timestamp: 1, message: new Uint8Array(1) };
    for (let i = 0; i < 16_384; i++) sender.add(`r/${i}`, row);
    expect(sender.hasRoom).toBe(false);
    await manyTurns();
    expect(sender.hasRoom).toBe(false);
    await sender.close();
  });

  it('keep a group id of its length only, and nothing of the message around it', () => {
    const message = new Uint8Array(100_000);
    const opened = (groupId: Uint8Array<ArrayBuffer>): OpenedEnvelope => ({
      destination: 'aci',
      sender: randomUUID(),
      senderDevice: 1,
      sealed: true,
      timestamp: 1,
      serverTimestamp: 1,
      envelopeType: 'sender-key',
      ciphertext: Uint8Array.of(0x33),
      identityKey: message.subarray(0, 33),
      contentHint: 'resendable',
      groupId,
    });
    const runtime = { account: { aci: '' }, clock: new ManualClock() };
    const services = { retryLimits: { take: () => true }, runtime, retries: { hasRoom: true } };
    const rowOf = (groupId: Uint8Array<ArrayBuffer>) =>
      createRetryRequest(opened(groupId), 'address', services as never);
    expect(rowOf(message)?.groupId).toBeUndefined();
    const row = rowOf(message.subarray(0, 32));
    expect(row?.groupId).toHaveLength(32);
    expect([row?.groupId?.buffer.byteLength, row?.identityKey?.buffer.byteLength]).toEqual([
      32, 33,
    ]);
  });
});

describe('a session', () => {
  it.each([
    [MAX_SESSION_BYTES, true],
    [MAX_SESSION_BYTES + 1, false],
  ])('that its other side has grown to %i bytes is kept: %s', async (length, isKept) => {
    const aci = randomUUID();
    const contact: ContactRecord = {
      ...NEW_CONTACT,
      devices: [{ deviceId: 1, registrationId: 5 }],
    };
    const services = { records: { findContacts: () => Promise.resolve([contact]) } };
    const book = await ContactBatch.read([aci], services as never);
    const record = new Uint8Array(length);
    book.takeSession(`${aci}.1`, { record, registrationId: 5, identityKey: undefined }, 'aci');
    expect(await book.session(`${aci}.1`)).toBe(isKept ? record : undefined);
    expect(book.get(aci).devices).toHaveLength(isKept ? 1 : 0);
    const [change] = await book.changes();
    expect(change).toEqual({ table: 'session', key: `${aci}.1`, value: isKept ? record : null });
  });
});
