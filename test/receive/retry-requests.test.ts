import { SessionRecord, type DecryptionErrorMessage } from '@signalapp/libsignal-client';
import { type ReceiverOptions, type Store } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBroadcaster } from '../harness/open-with-clock.js';
import { untilTrue } from '../harness/await-condition.js';
import { changeContact, failTest } from '../harness/broadcasters.js';
import {
  bodiesOf,
  openReceiverScene,
  take,
  text,
  untilDelivered,
  watchEvents,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

let clock: FastClock;
let scene: ReceiverScene;
let sender: Subscriber;
let events: ReturnType<typeof watchEvents>;

async function open(options: Partial<ReceiverOptions> = {}): Promise<void> {
  scene = await openReceiverScene({ ...options }, scene.service, clock);
  events = watchEvents(scene.receiver);
}
beforeEach(async () => {
  // A thousand times as fast: what is tested is what follows.
  clock = new FastClock(1000);
  scene = await openReceiverScene({}, undefined, clock);
  events = watchEvents(scene.receiver);
  sender = await scene.service.subscribe();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Opens it again, on the same store. */
async function reopen(options: Partial<ReceiverOptions> = {}): Promise<void> {
  await scene.receiver.close();
  await open({ ...options, store: scene.store });
}

/** He has a session and a profile key with the account, which the account then loses. */
async function loseSession(subscriber = sender): Promise<void> {
  const { service, receiver, store } = scene;
  for (const deviceId of subscriber.devices.keys()) {
    const { profileKey } = subscriber;
    await service.send(subscriber, { dataMessage: { body: 'hi', profileKey } }, { deviceId });
  }
  await take(receiver, subscriber.devices.size);
  await forget(store, subscriber);
}

/**
 * The account answers, so that the subscriber's next messages are no prekey messages; then it
 * forgets him.
 */
async function forget(store: Store, subscriber: Subscriber): Promise<void> {
  const { service } = scene;
  await using broadcaster = await openBroadcaster(
    { store, transport: service, trustRoots: [service.trustRoot] },
    clock,
  );
  await broadcaster.broadcast({ body: 'welcome' }, [subscriber.aci]).summary();
  const keys = [...subscriber.devices.keys()].map((deviceId) => `${subscriber.aci}.${deviceId}`);
  await store.commit(keys.map((key) => ({ table: 'session', key, value: null })));
  service.requests.length = 0;
}

const requestsTo = (subscriber = sender): DecryptionErrorMessage[] =>
  scene.service.retryRequests
    .filter(({ recipient }) => recipient === subscriber.aci)
    .map(({ message }) => message);
const untilAsked = (count: number): Promise<void> =>
  untilTrue(() => scene.service.retryRequests.length >= count);
const retryRows = async (): Promise<number> =>
  (await scene.store.list('inbox', { prefix: 'r/', limit: 10 })).length;
const untilEnded = async (): Promise<void> => {
  while ((await retryRows()) > 0) await new Promise((resolve) => setImmediate(resolve));
};

/** Whether the request names the key with which this device of the sender sends. */
async function matchesSession(message: DecryptionErrorMessage, deviceId = 1): Promise<boolean> {
  const { stores } = sender.devices.get(deviceId) ?? failTest('device');
  const session = await stores.sessions.getSession(scene.service.addressesOf(sender).to);
  const key = message.ratchetKey();
  return (
    key !== undefined && session instanceof SessionRecord && session.currentRatchetKeyMatches(key)
  );
}

describe('a message that cannot be decrypted', () => {
  it('is told, counted, and asked for, sealed, with its time and the ratchet key that the sender has', async () => {
    sender = await scene.service.subscribe([1, 2]);
    await loseSession();
    await scene.service.send(sender, text('lost'), { timestamp: 4242, deviceId: 2 });
    await untilAsked(2);
    // All devices are told, for the service takes all or none; it is device 2 that is meant.
    expect(scene.service.retryRequests).toMatchObject([
      { recipient: sender.aci, deviceId: 1, sealed: true },
      { recipient: sender.aci, deviceId: 2, sealed: true },
    ]);
    for (const message of requestsTo()) {
      expect([message.timestamp(), message.deviceId()]).toEqual([4242, 2]);
      expect(await matchesSession(message, 2)).toBe(true);
    }
    const facts = {
      sender: sender.aci,
      senderDevice: 2,
      timestamp: 4242,
      contentHint: 'default',
      retryRequested: true,
    };
    expect(events.filter(([name]) => name === 'undecryptable')).toEqual([['undecryptable', facts]]);
    expect(scene.receiver.stats()).toMatchObject({ undecryptable: 1, messages: 2 });
    await untilDelivered(scene);
    await untilEnded();
  });

  it('that came unsealed is asked for too', async () => {
    await loseSession();
    await scene.service.send(sender, text('lost'), { timestamp: 1, sealed: false });
    await untilAsked(1);
    expect(scene.service.retryRequests).toMatchObject([{ sealed: true }]);
  });

  it('is healed: the sender begins a new session, and the message that is sent again is read', async () => {
    await loseSession();
    await scene.service.send(sender, text('lost'), { timestamp: 9 });
    await untilAsked(1);
    await scene.service.beginSession(sender);
    await scene.service.send(sender, text('lost'), { timestamp: 9 });
    expect(bodiesOf(await take(scene.receiver, 1))).toEqual(['lost']);
  });

  it('of a stranger looks the devices up', async () => {
    const message = await scene.service.encrypt(sender, text('to be broken'));
    // Nothing but the ratchet's MAC is spoiled: what it names can be read.
    const bytes = message.serialize();
    const inner = bytes.length - 20;
    bytes[inner] = (bytes[inner] ?? 0) ^ 1;
    await scene.service.post(sender, { type: () => 3, serialize: () => bytes } as never, {
      sealed: false,
    });
    sender.access = 'unrestricted';
    await untilAsked(1);
    expect(scene.service.countOf('fetchPreKeys', sender.aci)).toBe(1);
  });

  it('asks for nothing when it is a duplicate', async () => {
    await loseSession();
    await scene.service.beginSession(sender);
    const message = await scene.service.encrypt(sender, text('twice'));
    await scene.service.post(sender, message);
    await scene.service.post(sender, message);
    await take(scene.receiver, 1);
    await untilDelivered(scene);
    expect(scene.receiver.stats()).toMatchObject({ duplicates: 1, undecryptable: 0 });
    expect(scene.service.requests).toEqual([]);
  });

  it('of a blocked contact is not even tried: the session stays as it is', async () => {
    await scene.service.send(sender, text('before'));
    await take(scene.receiver, 1);
    await changeContact(scene as never, sender, { blocked: true });
    const session = async (): Promise<unknown> =>
      (await scene.store.getMany('session', [`${sender.aci}.1`]))[0];
    const before = await session();
    await scene.service.send(sender, text('blocked'));
    await scene.service.send(sender, text('blocked'), { sealed: false });
    await untilDelivered(scene);
    expect(await session()).toEqual(before);
    expect(scene.receiver.stats()).toMatchObject({ blocked: 2, messages: 1, undecryptable: 0 });
    expect(scene.service.requests).toEqual([]);
  });

  it('a thousand times over, by one hostile device, is asked for a bounded number of times', async () => {
    await loseSession();
    for (let i = 0; i < 1000; i++)
      await scene.service.send(sender, text('x'), { timestamp: 1_000_000 + i });
    await untilDelivered(scene);
    await untilEnded();
    expect(scene.receiver.stats().undecryptable).toBe(1000);
    expect(requestsTo().length).toBe(256);
    const asked = events.filter(
      ([, facts]) => (facts as { retryRequested?: boolean }).retryRequested === true,
    );
    expect(asked).toHaveLength(256);
  });

  it('and comes again and again is asked for five times', async () => {
    await loseSession();
    for (let i = 0; i < 8; i++) await scene.service.send(sender, text('x'), { timestamp: 7 });
    await untilDelivered(scene);
    await untilEnded();
    expect(requestsTo()).toHaveLength(5);
  });
});

describe('a request to send again', () => {
  async function lose(timestamp = 1): Promise<void> {
    await scene.service.send(sender, text('lost'), { timestamp });
    await untilDelivered(scene);
    await untilEnded();
  }

  it('clock.sleeps its Retry-After without keeping others from being asked', async () => {
    const { service } = scene;
    const limited = await Promise.all(Array.from({ length: 6 }, () => service.subscribe()));
    for (const subscriber of [...limited, sender]) await loseSession(subscriber);
    const slow = new Set(limited.map(({ aci }) => aci));
    // For ever, as far as this test is concerned.
    service.intercepts.set('sendSealed', (destination) =>
      slow.has(destination) ? { status: 'rate-limited', retryAfterMs: 1e9 } : undefined,
    );
    for (const subscriber of limited) await service.send(subscriber, text('lost'));
    await untilTrue(() => limited.every(({ aci }) => service.countOf('sendSealed', aci) === 1));
    await service.send(sender, text('lost too'));
    await untilTrue(() => requestsTo().length === 1);
  });

  it('goes out unsealed only where the policy says so', async () => {
    await loseSession();
    sender.access = 'none';
    await lose(1);
    expect(requestsTo()).toEqual([]);
    expect(scene.service.countOf('sendUnsealed')).toBe(0);
    await reopen({ unsealedFallback: 'when-denied' });
    await lose(2);
    expect(scene.service.retryRequests).toMatchObject([{ sealed: false }]);
    expect(requestsTo().map((message) => message.timestamp())).toEqual([2]);
  });

  it('finds devices that are others than we thought', async () => {
    await loseSession();
    await scene.service.addDevice(sender, 2);
    await lose();
    expect(scene.service.retryRequests.map(({ deviceId }) => deviceId)).toEqual([1, 2]);
  });

  it.each([
    ['429', { status: 'rate-limited', retryAfterMs: 5_000 }],
    ['503', { status: 'unavailable', retryAfterMs: 5_000 }],
    ['503 without a time', { status: 'unavailable' }],
  ] as const)('is sent after %s', async (_, refusal) => {
    await loseSession();
    scene.service.intercepts.set('sendSealed', (_aci, count) => (count < 3 ? refusal : undefined));
    await lose();
    expect(requestsTo()).toHaveLength(1);
    expect(scene.service.countOf('sendSealed')).toBe(3);
  });

  it('is sent a second or more after each 503 without a time, later each time', async () => {
    await loseSession();
    scene.service.intercepts.set('sendSealed', () => ({ status: 'unavailable' }));
    clock.sleeps.splice(0);
    await lose();
    // Those between, of a random part, keep thousands of requests apart.
    const [, first = 0, , second = 0, , third = 0] = clock.sleeps;
    expect([first >= 1_000, second >= 2_000, third >= 4_000]).toEqual([true, true, true]);
  });

  it.each([
    ['for ever', { status: 'unavailable' }, 5],
    ['as too large', { status: 'too-large' }, 1],
    ['since he is gone', { status: 'not-found' }, 1],
  ] as const)('that is refused %s is given up', async (_, refusal, attempts) => {
    await loseSession();
    scene.service.intercepts.set('sendSealed', () => refusal);
    await lose();
    expect(scene.service.countOf('sendSealed')).toBe(attempts);
    scene.service.intercepts.clear();
    await reopen();
    await scene.service.send(await scene.service.subscribe(), text('and it goes on'));
    await take(scene.receiver, 1);
    expect(requestsTo()).toEqual([]);
  });

  it('that a crash, or a close, cut off is sent by the next receiver', async () => {
    await loseSession();
    scene.service.intercepts.set('sendSealed', () => new Promise(() => undefined));
    await scene.service.send(sender, text('lost'), { timestamp: 3 });
    await untilTrue(() => scene.service.countOf('sendSealed') === 1);
    scene.service.intercepts.clear();
    await reopen();
    await untilAsked(1);
    expect(requestsTo().map((message) => message.timestamp())).toEqual([3]);
    await untilEnded();
  });
});
