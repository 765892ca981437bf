import { SessionRecord } from '@signalapp/libsignal-client';
import type { Broadcaster, BroadcastSummary } from 'sealcast';
import { openBroadcaster as openWithClock } from '../harness/open-with-clock.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { decodeOutbox, encodeOutbox, type OutboxRecord } from '#dist/src/store/tables/outbox.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { acis, failTest } from '../harness/broadcasters.js';
import { ratchetType } from '../fakes/mailbox-service.js';
import {
  openReceiverScene,
  text,
  take,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Arrival, Subscriber } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

let clock: FastClock;
let scene: ReceiverScene;
let broadcaster: Broadcaster;
let subscribers: Subscriber[];
beforeEach(async () => {
  clock = new FastClock(1000);
  scene = await openReceiverScene({}, undefined, clock);
  broadcaster = await openBroadcaster();
  subscribers = await Promise.all(Array.from({ length: 6 }, () => scene.service.subscribe()));
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
  await broadcast('first');
  // They answer, so that what follows is no prekey message.
  for (const subscriber of subscribers) await scene.service.send(subscriber, text('thanks'));
  await take(scene.receiver, subscribers.length);
  await broadcast('second');
  for (const subscriber of subscribers) expect(lastOf(subscriber).type).toBe('whisper');
});
afterEach(async () => {
  await broadcaster.close();
  await scene[Symbol.asyncDispose]();
});

function openBroadcaster(): Promise<Broadcaster> {
  const { store, service } = scene;
  return openWithClock({ store, transport: service, trustRoots: [service.trustRoot] }, clock);
}
const broadcast = (body: string, to = subscribers): Promise<BroadcastSummary> =>
  broadcaster.broadcast({ body }, acis(to), { id: body }).summary();
const stateOf = async (id: string): Promise<string | undefined> => {
  const [record] = await scene.store.getMany('broadcast', [id]);
  return record && decodeBroadcast(record).state;
};
const rowOf = async (id: string, { aci }: Subscriber): Promise<OutboxRecord> => {
  const [row] = await scene.store.getMany('outbox', [`${id}/${aci}`]);
  return decodeOutbox(row ?? failTest('row'));
};
const untilFinished = async (id: string): Promise<void> => {
  while ((await stateOf(id)) !== 'finished') await manyTurns(1);
};
const first = (): Subscriber => subscribers[0] ?? failTest('subscriber');
const arrivalsOf = ({ aci }: Subscriber): Arrival[] =>
  scene.service.arrivals.filter(({ recipient }) => recipient === aci);
function lastOf(subscriber: Subscriber): Arrival {
  const arrivals = arrivalsOf(subscriber);
  return arrivals[arrivals.length - 1] ?? failTest('arrival');
}
/** Whether what the account sends him next is in a session of its own. */
async function isArchived({ aci }: Subscriber): Promise<boolean> {
  const [record] = await scene.store.getMany('session', [`${aci}.1`]);
  return !SessionRecord.deserialize(record ?? failTest('session')).hasCurrentState();
}
/** Asks for a message that he got, as if he could not read it. */
async function ask(
  arrival: Arrival,
  options: { ofDevice?: number; sealed?: boolean } = {},
): Promise<void> {
  const { service } = scene;
  const subscriber = service.subscribers.get(arrival.recipient) ?? failTest('subscriber');
  const ciphertext = Uint8Array.from(arrival.ciphertext);
  const facts = { ciphertext, type: ratchetType(arrival.type) };
  const { ofDevice = 1, sealed = true } = options;
  const { plaintext } = service.retryRequestFor(subscriber, arrival.timestamp, {
    ...facts,
    ofDevice,
  });
  await service.post(subscriber, plaintext, { sealed });
  await untilDelivered(scene);
}

describe('a subscriber whose sessions broke', () => {
  it.each([true, false])(
    'asks (sealed: %s), and gets the message again: same time, new session, read',
    async (sealed) => {
      const { service } = scene;
      await service.loseSessions(first());
      service.haveDevicesAsk({ sealed });
      const { timestamp } = await broadcast('third');
      await untilTrue(() => service.textsOf(first()).includes('third'));
      expect(lastOf(first())).toMatchObject({ type: 'prekey', timestamp, sealed: true });
      await untilFinished('third');
      expect(await rowOf('third', first())).toEqual({ state: 'done', status: 'sealed' });
      // The others got it once.
      for (const other of subscribers.slice(1)) {
        expect(arrivalsOf(other).filter((arrival) => arrival.timestamp === timestamp)).toHaveLength(
          1,
        );
      }
      expect(scene.receiver.stats()).toMatchObject({ internal: 1 });
      await broadcast('fourth');
      expect(service.textsOf(first()).at(-1)).toBe('fourth');
    },
  );

  it('and all others too: each is healed once, while the broadcast is still under way', async () => {
    const { service } = scene;
    for (const subscriber of subscribers) await service.loseSessions(subscriber);
    service.haveDevicesAsk();
    await broadcast('third');
    await untilTrue(() =>
      subscribers.every((subscriber) => service.textsOf(subscriber).includes('third')),
    );
    await untilFinished('third');
    expect(scene.receiver.stats().internal).toBe(subscribers.length);
  });

  it('is answered though the recipient asks before the service has said that it took the message', async () => {
    const { service } = scene;
    await service.loseSessions(first());
    service.haveDevicesAsk();
    const ask = service.onUndecryptable ?? failTest('hook');
    service.onUndecryptable = async (...given) => {
      await ask(...given);
      await untilDelivered(scene);
    };
    await broadcast('third', [first()]);
    await untilTrue(() => service.textsOf(first()).includes('third'));
    await untilFinished('third');
  });

  it('that never gets it right is sent it a bounded number of times', async () => {
    const { service } = scene;
    let asked = 0;
    service.haveDevicesAsk();
    const ask = service.onUndecryptable ?? failTest('hook');
    service.onUndecryptable = async (subscriber, message) => {
      asked += 1;
      // He breaks again before the next one comes.
      await service.loseSessions(subscriber);
      await ask(subscriber, message);
    };
    service.intercepts.set('sendSealed', async (aci) => {
      if (aci === first().aci) await service.loseSessions(first());
      return undefined;
    });
    await broadcast('third');
    await untilTrue(() => asked > 0);
    await manyTurns(2000);
    expect(asked).toBeLessThanOrEqual(6);
    service.intercepts.clear();
    await untilFinished('third');
  });
});

describe('a request to send something again', () => {
  it('ends the session only if it names its key', async () => {
    const [old, last] = arrivalsOf(first());
    if (old === undefined || last === undefined) failTest('arrivals');
    // The first message was sent before he answered, with another key.
    await ask({ ...old, timestamp: 1 });
    expect(await isArchived(first())).toBe(false);
    await ask({ ...last, timestamp: 1 });
    expect(await isArchived(first())).toBe(true);
    // Nothing was sent at that time.
    expect(scene.service.countOf('sendSealed', first().aci)).toBe(2);
  });

  it('that means another device of ours is dropped', async () => {
    const last = lastOf(first());
    await ask(last, { ofDevice: 2 });
    expect(await isArchived(first())).toBe(false);
    expect(await stateOf('second')).toBe('finished');
  });

  it('of a contact that was no recipient sends nothing', async () => {
    const { service } = scene;
    const stranger = await service.subscribe();
    const { plaintext } = service.retryRequestFor(stranger, lastOf(first()).timestamp);
    const requests = service.requests.length;
    await service.post(stranger, plaintext);
    await untilDelivered(scene);
    await manyTurns();
    expect(service.requests.slice(requests)).toEqual([]);
    expect(await stateOf('second')).toBe('finished');
  });

  it('inside an encrypted message counts as well', async () => {
    const { service } = scene;
    const last = lastOf(first());
    const facts = { ciphertext: Uint8Array.from(last.ciphertext), type: ratchetType('whisper') };
    const { message } = service.retryRequestFor(first(), last.timestamp, facts);
    await service.send(first(), { decryptionErrorMessage: message });
    await untilTrue(
      () =>
        arrivalsOf(first()).filter(({ timestamp }) => timestamp === last.timestamp).length === 2,
    );
    await untilFinished('second');
  });

  it('that a crash left unanswered is answered by resume()', async () => {
    const { service } = scene;
    const last = lastOf(first());
    service.intercepts.set('sendSealed', () => new Promise(() => undefined));
    await ask(last);
    await untilTrue(() => service.countOf('sendSealed', first().aci) === 3);
    await broadcaster.close();
    service.intercepts.clear();
    expect(await stateOf('second')).toBe('sending');
    expect((await rowOf('second', first())).state).not.toBe('done');
    broadcaster = await openBroadcaster();
    expect(await broadcaster.resume()).toMatchObject([{ id: 'second', status: 'finished' }]);
    expect(
      arrivalsOf(first()).filter(({ timestamp }) => timestamp === last.timestamp),
    ).toHaveLength(2);
    expect(await stateOf('second')).toBe('finished');
  });

  it('that a close cut off is answered by resume(), also where another recipient was sent to again since', async () => {
    const { service } = scene;
    const [, other] = subscribers;
    if (other === undefined) return failTest('subscriber');
    const last = lastOf(first());
    service.intercepts.set('sendSealed', () => new Promise(() => undefined));
    await ask(last);
    await untilTrue(() => service.countOf('sendSealed', first().aci) === 3);
    await broadcaster.close();
    service.intercepts.clear();
    broadcaster = await openBroadcaster();
    const { timestamp } = last;
    await ask(lastOf(other));
    await untilTrue(
      () => arrivalsOf(other).filter((arrival) => arrival.timestamp === timestamp).length === 2,
    );
    await untilTrue(async () => (await rowOf('second', other)).state === 'done');
    await manyTurns();
    expect(await stateOf('second')).toBe('sending');
    expect(await broadcaster.resume()).toMatchObject([{ id: 'second', status: 'finished' }]);
    expect(arrivalsOf(first()).filter((arrival) => arrival.timestamp === timestamp)).toHaveLength(
      2,
    );
  });

  it('without a broadcaster on the store is kept with its acknowledgement, and answered by resume()', async () => {
    const { service } = scene;
    await broadcaster.close();
    const last = lastOf(first());
    await ask(last);
    expect(await isArchived(first())).toBe(true);
    expect(await rowOf('second', first())).toEqual({ state: 'queued' });
    expect(await stateOf('second')).toBe('sending');
    broadcaster = await openBroadcaster();
    expect(await broadcaster.resume()).toMatchObject([{ id: 'second', status: 'finished' }]);
    expect(
      arrivalsOf(first()).filter(({ timestamp }) => timestamp === last.timestamp),
    ).toHaveLength(2);
    expect(service.textsOf(first()).at(-1)).toBe('second');
  });

  it('for a message whose send is on its way is on disk with its acknowledgement, and survives the end of the run', async () => {
    const { service } = scene;
    await service.loseSessions(first());
    service.haveDevicesAsk();
    const askOnce = service.onUndecryptable ?? failTest('hook');
    let release = (): void => undefined;
    const answered = new Promise<void>((resolve) => (release = resolve));
    let asked = false;
    service.onUndecryptable = async (...given) => {
      await askOnce(...given);
      await untilDelivered(scene);
      asked = true;
      await answered;
    };
    const run = broadcaster.broadcast({ body: 'third' }, [first().aci], { id: 'third' });
    run.summary().catch(() => undefined);
    await untilTrue(() => asked);
    expect(await rowOf('third', first())).toEqual({ state: 'queued' });
    const closing = broadcaster.close();
    release();
    await closing;
    expect(await rowOf('third', first())).toEqual({ state: 'queued' });
    broadcaster = await openBroadcaster();
    await broadcaster.resume();
    expect(service.textsOf(first())).toContain('third');
    expect(await stateOf('third')).toBe('finished');
  });

  it.each([
    ['ERR_SERVICE_UNAVAILABLE', true],
    ['ERR_RECIPIENT_BLOCKED', false],
  ])('for a message that failed with %s is answered: %s', async (errorCode, isAnswered) => {
    const last = lastOf(first());
    const key = `second/${first().aci}`;
    const value = encodeOutbox({ state: 'done', status: 'failed', errorCode });
    await scene.store.commit([{ table: 'outbox', key, value }]);
    await ask(last);
    await untilFinished('second');
    const sent = arrivalsOf(first()).filter(({ timestamp }) => timestamp === last.timestamp);
    expect(sent).toHaveLength(isAnswered ? 2 : 1);
  });
});

it('a broadcast that failed is not called finished because one recipient was sent to again', async () => {
  const { service } = scene;
  const [, other] = subscribers;
  if (other === undefined) failTest('subscriber');
  const controller = new AbortController();
  service.intercepts.set('sendSealed', (aci) =>
    aci === other.aci ? new Promise(() => undefined) : undefined,
  );
  const { signal } = controller;
  const run = broadcaster.broadcast({ body: 'third' }, acis(subscribers.slice(0, 2)), {
    id: 'third',
    signal,
  });
  const loop = async (): Promise<void> => {
    for await (const { recipient } of run) if (recipient === first().aci) controller.abort();
  };
  await expect(loop()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  service.intercepts.clear();
  await ask(lastOf(first()));
  await untilTrue(() => arrivalsOf(first()).length === 4);
  await manyTurns();
  expect(await stateOf('third')).toBe('sending');
  expect(await broadcaster.resume()).toMatchObject([{ id: 'third', status: 'finished' }]);
  expect(service.textsOf(other).at(-1)).toBe('third');
});
