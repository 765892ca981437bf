import { Broadcaster, deriveAccessKey } from 'sealcast';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeContact, contactOf } from '../harness/broadcasters.js';
import {
  openReceiverScene,
  take,
  text,
  untilDelivered,
  watchEvents,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let scene: ReceiverScene;
let sender: Subscriber;
let events: ReturnType<typeof watchEvents>;
beforeEach(async () => {
  scene = await openReceiverScene();
  sender = await scene.service.subscribe();
  events = watchEvents(scene.receiver);
});
afterEach(() => scene[Symbol.asyncDispose]());

const contact = (): ReturnType<typeof contactOf> => contactOf(scene as never, sender);

/** Sends, and waits until it was taken. */
async function send(content: object, options = {}): Promise<void> {
  await scene.service.send(sender, content, options);
  await take(scene.receiver, 1);
}

const key = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(byte);

describe('a profile key', () => {
  it.each([
    ['a data message', { dataMessage: { body: 'x', profileKey: key(1) } }],
    [
      'an edit',
      { editMessage: { targetSentTimestamp: 1, dataMessage: { body: 'x', profileKey: key(1) } } },
    ],
    ['a story', { storyMessage: { profileKey: key(1) } }],
  ])('is learned from %s, once', async (_, content) => {
    await send(content);
    await send(content);
    expect(Uint8Array.from((await contact()).profileKey ?? [])).toEqual(key(1));
    expect(events).toEqual([['profileKey', { serviceId: sender.aci }]]);
  });

  it.each([0, 16, 31, 33, 64])('of %i bytes is ignored', async (length) => {
    await send({ dataMessage: { body: 'x', profileKey: new Uint8Array(length).fill(1) } });
    expect((await contact()).profileKey).toBeUndefined();
    expect(events).toEqual([]);
  });

  it('that is another one has the next message tried with its access key; the same one again changes nothing', async () => {
    const { service, store } = scene;
    await send({ dataMessage: { body: 'x', profileKey: sender.profileKey } });
    await using broadcaster = await Broadcaster.open({
      store,
      transport: service,
      trustRoots: [service.trustRoot],
    });
    const accessKeys = (): (Uint8Array | null | undefined)[] =>
      service.requests
        .filter(({ name }) => name === 'sendSealed')
        .map(({ accessKey }) => accessKey);
    await broadcaster.broadcast({ body: 'one' }, [sender.aci]).summary();
    expect((await contact()).accessMode).toBe('enabled');
    await send({ dataMessage: { body: 'y', profileKey: sender.profileKey } });
    expect((await contact()).accessMode).toBe('enabled');
    const before = sender.profileKey;
    sender.profileKey = key(2);
    await send({ dataMessage: { body: 'z', profileKey: key(2) } });
    expect((await contact()).accessMode).toBe('unknown');
    await broadcaster.broadcast({ body: 'two' }, [sender.aci]).summary();
    expect(accessKeys()).toEqual([deriveAccessKey(before), deriveAccessKey(key(2))]);
    expect(service.textsOf(sender)).toEqual(['one', 'two']);
    expect(events).toHaveLength(2);
  });

  it('is not learned from our own other devices', async () => {
    const { aci, identityKeyPair } = scene.service.sender;
    const own: Subscriber = {
      ...(await scene.service.subscribe([2])),
      aci,
      identity: identityKeyPair,
    };
    await scene.service.addDevice(own, 2);
    await scene.service.send(
      own,
      { dataMessage: { body: 'x', profileKey: key(3) } },
      { deviceId: 2 },
    );
    await take(scene.receiver, 1);
    expect(events).toEqual([]);
  });
});

describe('the timer of a conversation', () => {
  const timer = async (): Promise<readonly [number, number]> => {
    const { expireTimer, expireTimerVersion } = await contact();
    return [expireTimer, expireTimerVersion];
  };
  const say = (expireTimer: number, expireTimerVersion?: number, others = {}): Promise<void> =>
    send({
      dataMessage: {
        body: 'x',
        expireTimer,
        ...(expireTimerVersion && { expireTimerVersion }),
        ...others,
      },
    });

  it('follows the highest version, the last one heard of a version, and those without one', async () => {
    await say(60, 3);
    expect(await timer()).toEqual([60, 3]);
    await say(5, 2);
    expect(await timer()).toEqual([60, 3]);
    await say(90, 3);
    expect(await timer()).toEqual([90, 3]);
    await say(30);
    expect(await timer()).toEqual([30, 3]);
    await send(text('no timer is one of 0'));
    expect(await timer()).toEqual([0, 3]);
    await say(0, 4);
    expect(await timer()).toEqual([0, 4]);
    const told = events.map(([, facts]) => (facts as { expireTimer: number }).expireTimer);
    expect(told).toEqual([60, 90, 30, 0]);
  });

  it('is not learned from what is no message of its own', async () => {
    await say(60, 3);
    const groupV2 = { masterKey: key(9), revision: 1 };
    const reaction = { emoji: 'x', targetSentTimestamp: 1 };
    for (const others of [
      { groupV2 },
      { reaction },
      { delete: { targetSentTimestamp: 1 } },
      { flags: 1 },
      { flags: 4 },
    ]) {
      await say(5, 9, others);
    }
    expect(await timer()).toEqual([60, 3]);
    await untilDelivered(scene);
    expect(events).toHaveLength(1);
  });
});

it('discard() learns, acknowledges, and keeps nothing', async () => {
  const { service, receiver, store } = scene;
  await service.send(sender, text('before'));
  await untilDelivered(scene);
  receiver.discard();
  await service.send(sender, { dataMessage: { body: 'x', profileKey: key(1) } });
  await untilDelivered(scene);
  expect(Uint8Array.from((await contact()).profileKey ?? [])).toEqual(key(1));
  await receiver.close();
  expect(await store.list('inbox', { prefix: '', limit: 10 })).toEqual([]);
  await expect(receiver[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
  });
});

describe('a contact that denied sealed messages', () => {
  const disable = async (): Promise<void> => {
    await send(text('hi'));
    await changeContact(scene as never, sender, {
      accessMode: 'disabled',
      accessDeniedMs: Date.now(),
    });
  };

  it('is tried sealed again after a sealed message of theirs', async () => {
    await disable();
    await send(text('sealed'));
    expect(await contact()).toMatchObject({ accessMode: 'unknown', accessDeniedMs: 0 });
  });

  it('is not, after an unsealed one', async () => {
    await disable();
    await send(text('unsealed'), { sealed: false });
    expect(await contact()).toMatchObject({ accessMode: 'disabled' });
  });
});
