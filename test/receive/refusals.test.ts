import {
  ContentHint,
  PlaintextContent,
  DecryptionErrorMessage,
  UnidentifiedSenderMessageContent,
  signalEncrypt,
  type CiphertextMessage,
} from '@signalapp/libsignal-client';
import { Broadcaster, type ReceiveRefusal } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failTest } from '../harness/broadcasters.js';
import { SEALED, serviceEnvelope } from '../fakes/mailbox-service.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

const DAY_MS = 86_400_000;
const REVOKED_SERVER_KEY_ID = 0xdeadc357;

let scene: ReceiverScene;
let sender: Subscriber;
beforeEach(async () => {
  scene = await openReceiverScene();
  sender = await scene.service.subscribe();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Refusals by reason, those that happened. */
function refusals(): Partial<Record<ReceiveRefusal, number>> {
  const entries = Object.entries(scene.receiver.stats().refused).filter(([, count]) => count > 0);
  return Object.fromEntries(entries);
}

/** Of all that came, this was refused, each acknowledged, and the stream goes on. */
async function expectRefused(expected: Partial<Record<ReceiveRefusal, number>>): Promise<void> {
  await untilDelivered(scene);
  expect(refusals()).toEqual(expected);
  const honest = await scene.service.subscribe();
  await scene.service.send(honest, text('the next one'));
  expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['the next one']);
  expect(scene.receiver.stats()).toMatchObject({ messages: 1, undecryptable: 0, deferred: 0 });
}

describe('a certificate', () => {
  const now = Date.now();
  const facts = (): {
    aci: string;
    deviceId: number;
    key: Subscriber['identity']['publicKey'];
  } => ({
    aci: sender.aci,
    deviceId: 1,
    key: sender.identity.publicKey,
  });

  it('of no known root, of a revoked server, or of another key is refused, each for what it is', async () => {
    const { service } = scene;
    const forged = service.certify({ ...facts(), foreign: true });
    const revoked = service.certify(facts(), REVOKED_SERVER_KEY_ID);
    const stolen = service.certificateOf(await service.subscribe());
    for (const certificate of [forged, revoked, stolen])
      await service.send(sender, text('no'), { certificate });
    await expectRefused({
      'untrusted-certificate': 1,
      'revoked-certificate': 1,
      'key-mismatch': 1,
    });
  });

  it('is judged by when the service took the message, not by when it is read', async () => {
    const { service, receiver } = scene;
    const ended = service.certify({ ...facts(), expiresAtMs: now - DAY_MS });
    const lasting = service.certify({ ...facts(), expiresAtMs: now + DAY_MS });
    await service.send(sender, text('held then'), {
      certificate: ended,
      serverTimestamp: now - 2 * DAY_MS,
    });
    await service.send(sender, text('ended then'), {
      certificate: lasting,
      serverTimestamp: now + 2 * DAY_MS,
    });
    await service.send(sender, text('holds now'), { certificate: lasting, serverTimestamp: now });
    await service.send(sender, text('ended now'), { certificate: ended, serverTimestamp: now });
    expect(bodiesOf(await take(receiver, 2))).toEqual(['held then', 'holds now']);
    await untilDelivered(scene);
    expect(refusals()).toEqual({ 'expired-certificate': 2 });
  });

  it('that was refused costs no subscriber a slot', async () => {
    const { service, store } = scene;
    // It shares the workers, and shows their slots.
    const shared = { store, transport: service, trustRoots: [service.trustRoot] };
    await using broadcaster = await Broadcaster.open(shared);
    const slots = (): number => broadcaster.stats().cachedRecipients;
    await service.send(sender, text('a subscriber'));
    await take(scene.receiver, 1);
    expect(slots()).toBe(1);
    const strangers = await Promise.all(Array.from({ length: 40 }, () => service.subscribe()));
    for (const stranger of strangers) {
      const certificate = service.certify({
        ...facts(),
        aci: stranger.aci,
        key: stranger.identity.publicKey,
        foreign: true,
      });
      await service.send(stranger, text('no'), { certificate });
    }
    await untilDelivered(scene);
    expect(refusals()).toEqual({ 'untrusted-certificate': strangers.length });
    expect(slots()).toBe(1);
  });

  it("around another one's message is no name for it", async () => {
    const { service } = scene;
    const message = await service.encrypt(sender, text('mine'));
    const thief = await service.subscribe();
    await service.post(thief, message);
    await expectRefused({ 'key-mismatch': 1 });
  });
});

describe('a message', () => {
  it('from this very device is refused, from another one of the account it is not', async () => {
    const { service, receiver } = scene;
    const { aci, identityKeyPair } = service.sender;
    const own: Subscriber = {
      ...(await service.subscribe([1, 2])),
      aci,
      identity: identityKeyPair,
    };
    for (const deviceId of [1, 2]) await service.addDevice(own, deviceId);
    for (const deviceId of [1, 2]) await service.send(own, { syncMessage: {} }, { deviceId });
    expect(await take(receiver, 1)).toMatchObject([{ sender: aci, senderDevice: 2, sealed: true }]);
    await untilDelivered(scene);
    expect(refusals()).toEqual({ 'self-send': 1 });
  });

  it('to the phone-number identity is refused, sealed or not', async () => {
    const destinationServiceId = `PNI:${crypto.randomUUID()}`;
    const common = {
      sourceServiceId: sender.aci,
      sourceDeviceId: 1,
      destinationServiceId,
      content: Uint8Array.of(1),
    };
    scene.service.queue(serviceEnvelope({ ...common, type: SEALED }));
    for (const type of [1, 3, 5, 8]) scene.service.queue(serviceEnvelope({ ...common, type }));
    await expectRefused({ 'sealed-to-pni': 1, 'sent-to-pni': 4 });
  });

  it('of an unknown type, or that lacks what its type needs, is refused', async () => {
    const source = { sourceServiceId: sender.aci, sourceDeviceId: 1 };
    const content = Uint8Array.of(1, 2, 3);
    for (const type of [0, 2, 4, 7, 9, 100])
      scene.service.queue(serviceEnvelope({ ...source, type, content }));
    for (const fields of [
      { type: SEALED },
      { type: 1, content },
      { ...source, type: 3 },
      { ...source, sourceDeviceId: 128, type: 1, content },
      { ...source, sourceServiceId: 'nobody', type: 1, content },
      { ...source, type: 1, content, clientTimestamp: 2 ** 60 },
    ])
      scene.service.queue(serviceEnvelope(fields));
    await expectRefused({ 'unknown-type': 6, 'malformed-envelope': 6 });
  });

  it('that decrypts to no Content, or has no padding, is refused', async () => {
    await scene.service.send(sender, Uint8Array.of(0xff, 0xff, 0xff));
    const { to, own } = scene.service.addressesOf(sender);
    const { stores } = sender.devices.get(1) ?? failTest('device');
    const unpadded = await signalEncrypt(
      new Uint8Array(64),
      to,
      own,
      stores.sessions,
      stores.identities,
    );
    await scene.service.post(sender, unpadded);
    await expectRefused({ 'invalid-content': 2 });
  });

  it('in the clear is refused unless it is a request to send something again', async () => {
    const { service } = scene;
    const bare = (body: readonly number[]): CiphertextMessage =>
      PlaintextContent.deserialize(Uint8Array.of(0xc0, ...body, 0x80)).asCiphertextMessage();
    // A DataMessage that says `hi`; a DecryptionErrorMessage with a DataMessage beside it; nothing.
    const hi = [0x0a, 0x04, 0x0a, 0x02, 0x68, 0x69];
    const { message } = service.retryRequestFor(sender, 1);
    const request = [0x42, message.length, ...message];
    for (const body of [hi, [...request, ...hi], []]) {
      for (const sealed of [true, false]) await service.post(sender, bare(body), { sealed });
    }
    await service.post(sender, bare(request));
    await expectRefused({ 'invalid-content': 6 });
    expect(scene.receiver.stats().internal).toBe(1);
    expect(DecryptionErrorMessage.deserialize(message).timestamp()).toBe(1);
  });
});

describe('an envelope that is cut off, or is noise', () => {
  it('at any length is refused', async () => {
    const { service } = scene;
    const usmc = UnidentifiedSenderMessageContent.new(
      await service.encrypt(sender, text('whole')),
      service.certificateOf(sender),
      ContentHint.Default,
      null,
    );
    const sealed = await service.sealed(sender, usmc);
    const times = { clientTimestamp: 1, serverTimestamp: Date.now() };
    for (let length = 0; length < sealed.length; length++) {
      service.queue(
        serviceEnvelope({ ...times, type: SEALED, content: sealed.subarray(0, length) }),
      );
    }
    // What stands behind the content may be absent, and its length is a field of its own.
    const whole = serviceEnvelope({ ...times, type: SEALED, content: sealed });
    const cut = Buffer.from(whole).indexOf(sealed) + sealed.length;
    for (let length = 0; length < cut; length++) service.queue(whole.slice(0, length));
    await untilDelivered(scene);
    const { refused, messages } = scene.receiver.stats();
    expect(messages).toBe(0);
    const sum = Object.values(refused).reduce((total, count) => total + count, 0);
    expect(sum).toBe(sealed.length + cut);
    expect(refused['invalid-envelope']).toBeGreaterThanOrEqual(sealed.length - 1);
    service.queue(whole);
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['whole']);
  });

  it('is refused, a thousand times as an envelope and a thousand times inside one', async () => {
    const { service } = scene;
    const random = seededBytes('noise for a receiver');
    const source = {
      sourceServiceId: sender.aci,
      sourceDeviceId: 1,
      clientTimestamp: 1,
      serverTimestamp: Date.now(),
    };
    for (let i = 0; i < 1000; i++) {
      service.queue(random(seededInteger(random, 300)));
      const content = random(seededInteger(random, 300));
      const type = [SEALED, SEALED, 1, 3, 8][i % 5];
      service.queue(serviceEnvelope({ ...source, type, content }));
    }
    await untilDelivered(scene);
    const { messages, refused, undecryptable, deferred } = scene.receiver.stats();
    const sum = Object.values(refused).reduce((total, count) => total + count, 0);
    expect({ messages, deferred, all: sum + undecryptable }).toEqual({
      messages: 0,
      deferred: 0,
      all: 2000,
    });
    // Noise has no ratchet key: there is nothing to ask for.
    expect(service.requests).toEqual([]);
    await service.send(sender, text('still here'));
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['still here']);
  });
});
