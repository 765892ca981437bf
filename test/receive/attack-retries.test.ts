import { openBroadcaster } from '../harness/open-with-clock.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contactIn, putContact } from '../harness/account-scene.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import {
  openReceiverScene,
  take,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { FastClock } from '../fakes/fast-clock.js';

const LONG_MS = 1_000_000_000;

let clock: FastClock;
let scene: ReceiverScene;
beforeEach(async () => {
  // A thousand times as fast: what is tested is what follows.
  clock = new FastClock(1000);
  scene = await openReceiverScene({}, undefined, clock);
});
afterEach(() => scene[Symbol.asyncDispose]());

/**
 * Somebody with whom the account has lost its session; what he sends from now on cannot be
 * decrypted.
 */
async function strangerByAccident(): Promise<Subscriber> {
  const { service, receiver, store } = scene;
  const subscriber = await service.subscribe();
  await service.send(subscriber, {
    dataMessage: { body: 'hi', profileKey: subscriber.profileKey },
  });
  await take(receiver, 1);
  {
    await using broadcaster = await openBroadcaster(
      { store, transport: service, trustRoots: [service.trustRoot] },
      clock,
    );
    await broadcaster.broadcast({ body: 'welcome' }, [subscriber.aci]).summary();
  }
  await store.commit([{ table: 'session', key: `${subscriber.aci}.1`, value: null }]);
  return subscriber;
}

const askedOf = ({ aci }: Subscriber): number =>
  scene.service.retryRequests.filter(({ recipient }) => recipient === aci).length;
const retryRows = async (): Promise<number> =>
  (await scene.store.list('inbox', { prefix: 'r/', limit: 100 })).length;

describe('a request to send something again', () => {
  it('is not held up by a sender to whom the service takes nothing for hours, however much that sender sends', async () => {
    const { service } = scene;
    const flooder = await strangerByAccident();
    const honest = await strangerByAccident();
    let refused = 0;
    service.intercepts.set('sendSealed', (destination) => {
      if (destination !== flooder.aci) return undefined;
      refused += 1;
      return { status: 'rate-limited', retryAfterMs: LONG_MS };
    });
    for (let i = 0; i < 8; i++) await service.send(flooder, text('lost'));
    await untilDelivered(scene);
    await untilTrue(() => refused === 8);
    await service.send(honest, text('lost'));
    await untilTrue(() => askedOf(honest) === 1);
    while ((await retryRows()) > 8) await manyTurns(1);
    expect([askedOf(flooder), await retryRows()]).toEqual([0, 8]);
  });

  it('is not sent to who was blocked since, and goes', async () => {
    const { service } = scene;
    const blocked = await strangerByAccident();
    let refused = 0;
    service.intercepts.set('sendSealed', async () => {
      refused += 1;
      await putContact(scene, blocked.aci, {
        ...(await contactIn(scene, blocked.aci)),
        blocked: true,
      });
      return { status: 'rate-limited', retryAfterMs: 1 };
    });
    await service.send(blocked, text('lost'));
    await untilDelivered(scene);
    await untilTrue(() => refused === 1);
    service.intercepts.delete('sendSealed');
    while ((await retryRows()) > 0) await manyTurns(1);
    expect(askedOf(blocked)).toBe(0);
  });

  it('is not sent to a sender that is blocked while its devices are looked up', async () => {
    const { service, store } = scene;
    const blocked = await strangerByAccident();
    await putContact(scene, blocked.aci, { ...(await contactIn(scene, blocked.aci)), devices: [] });
    await using broadcaster = await openBroadcaster(
      { store, transport: service, trustRoots: [service.trustRoot] },
      clock,
    );
    const before = service.countOf('sendSealed');
    let lookUps = 0;
    service.intercepts.set('fetchPreKeys', async () => {
      lookUps += 1;
      await broadcaster.setBlocked(blocked.aci, true);
      return undefined;
    });
    await service.send(blocked, text('lost'));
    await untilDelivered(scene);
    await untilTrue(() => lookUps === 1);
    while ((await retryRows()) > 0) await manyTurns(1);
    expect([askedOf(blocked), service.countOf('sendSealed') - before]).toEqual([0, 0]);
  });
});
