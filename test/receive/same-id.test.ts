import { openList, type Account, type Broadcaster, type BroadcastRun } from 'sealcast';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveNewsletter } from '../../examples/newsletter/newsletter.js';
import { manyTurns, neverHangs, untilTrue } from '../harness/await-condition.js';
import { SleeplessClock } from '../fakes/manual-clock.js';
import { acis, failTest } from '../harness/broadcasters.js';
import { openBroadcaster as openWithClock } from '../harness/open-with-clock.js';
import {
  openReceiverScene,
  text,
  untilDelivered,
  type ReceiverScene,
} from '../harness/receivers.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';

let clock: SleeplessClock;
let scene: ReceiverScene;
let broadcaster: Broadcaster;
let subscribers: Subscriber[];
let release: () => void;
beforeEach(async () => {
  clock = new SleeplessClock(Date.now());
  scene = await openReceiverScene({}, new MailboxService(), clock);
  broadcaster = await openBroadcaster();
  subscribers = await Promise.all(Array.from({ length: 3 }, () => scene.service.subscribe()));
  await Promise.all(
    subscribers.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
  );
});
afterEach(async () => {
  release();
  await broadcaster.close();
  await scene[Symbol.asyncDispose]();
});

function openBroadcaster(): Promise<Broadcaster> {
  const { store, service } = scene;
  return openWithClock({ store, transport: service, trustRoots: [service.trustRoot] }, clock);
}
const first = (): Subscriber => subscribers[0] ?? failTest('subscriber');
const broadcast = (to = subscribers, options: object = {}): BroadcastRun =>
  broadcaster.broadcast({ body: 'the text' }, acis(to), { id: 'a', ...options });
const countOf = ({ aci }: Subscriber): number => scene.service.countOf('sendSealed', aci);
async function stateOf(id: string): Promise<string> {
  const [value] = await scene.store.getMany('broadcast', [id]);
  return decodeBroadcast(value ?? failTest('broadcast')).state;
}

/**
 * The first subscriber asks for the message again; the send to them is under way until it is
 * released.
 */
async function holdResend(timestamp: number): Promise<void> {
  const { service } = scene;
  const held = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
  service.intercepts.set('sendSealed', (aci) => (aci === first().aci ? held : undefined));
  const before = countOf(first());
  const { plaintext } = service.retryRequestFor(first(), timestamp);
  await service.post(first(), plaintext);
  await untilDelivered(scene);
  await untilTrue(() => countOf(first()) > before);
}
release = () => undefined;

describe('the same id again, while who asked for the message is sent it again', () => {
  it('goes on as soon as that has ended, and sends to no recipient twice', async () => {
    const { timestamp } = await broadcast(subscribers.slice(0, 2)).summary();
    await holdResend(timestamp);
    const run = broadcast();
    expect(run.progress.waitingFor).toEqual([]);
    await untilTrue(() => run.progress.waitingFor.includes('resend'));
    expect(run.progress.waitingFor).toEqual(['resend']);
    expect(() => broadcast()).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'id' }) as Error,
    );
    release();
    expect(await run.summary()).toMatchObject({ recipients: 3, sealed: 3 });
    expect(subscribers.map(countOf)).toEqual([2, 1, 1]);
    expect(await stateOf('a')).toBe('finished');
  });

  it('ends at once when it is aborted, and the next one still waits', async () => {
    const { timestamp } = await broadcast().summary();
    await holdResend(timestamp);
    const controller = new AbortController();
    const run = broadcast(subscribers, { signal: controller.signal });
    await untilTrue(() => run.progress.waitingFor.includes('resend'));
    controller.abort();
    await expect(neverHangs(run.summary(), 'abort')).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const next = broadcast();
    await untilTrue(() => next.progress.waitingFor.includes('resend'));
    expect(next.progress.waitingFor).toEqual(['resend']);
    release();
    expect(await next.summary()).toMatchObject({ sealed: 3 });
    expect(subscribers.map(countOf)).toEqual([2, 1, 1]);
  });

  it('ends when the broadcaster is closed', async () => {
    const { timestamp } = await broadcast().summary();
    await holdResend(timestamp);
    const summary = broadcast().summary();
    summary.catch(() => undefined);
    await neverHangs(broadcaster.close(), 'close()');
    await expect(summary).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('is finished by resume() likewise', async () => {
    const { timestamp } = await broadcast().summary();
    await holdResend(timestamp);
    const resuming = broadcaster.resume();
    await manyTurns(20);
    release();
    expect(await resuming).toMatchObject([{ id: 'a', status: 'finished', summary: { sealed: 3 } }]);
    expect(subscribers.map(countOf)).toEqual([2, 1, 1]);
    expect(await broadcaster.resume()).toEqual([]);
  });
});

it('the newsletter goes on with a message that it is given again during a resend', async () => {
  const { service } = scene;
  const [admin, subscriber] = [first(), subscribers[1] ?? failTest('subscriber')];
  const list = await openList(scene.store, 'news');
  for (const { aci } of [admin, subscriber]) await list.add(aci);
  const { receiver } = scene;
  // A crash after the broadcast, and before the message is dealt with: the loop is given it twice.
  let send = 0;
  const twice = {
    async *[Symbol.asyncIterator]() {
      for await (const message of receiver) {
        yield message;
        send += 1;
        await holdResend(
          service.arrivals[service.arrivals.length - 1]?.timestamp ?? failTest('arrival'),
        );
        setImmediate(() => void manyTurns(20).then(release));
        yield message;
        send += 1;
      }
    },
  };
  const serving = serveNewsletter(
    { broadcaster, receiver: twice } as unknown as Account,
    list,
    new Set([admin.aci]),
  );
  await service.send(admin, text('The bridge is closed.'));
  await untilTrue(() => send === 2);
  expect(countOf(subscriber)).toBe(1);
  expect(countOf(admin)).toBe(2);
  await receiver.close();
  await serving;
});

it('the newsletter sends two texts that their editor gave one timestamp', async () => {
  const { service, receiver } = scene;
  const [editor, subscriber] = [first(), subscribers[1] ?? failTest('subscriber')];
  const list = await openList(scene.store, 'news');
  await list.add(subscriber.aci);
  const serving = serveNewsletter(
    { broadcaster, receiver } as unknown as Account,
    list,
    new Set([editor.aci]),
  );
  const timestamp = Date.now();
  for (const body of ['one', 'two']) await service.send(editor, text(body), { timestamp });
  await Promise.race([untilTrue(() => service.textsOf(subscriber).length === 2), serving]);
  expect(service.textsOf(subscriber)).toEqual(['one', 'two']);
  await receiver.close();
  await serving;
});

describe('maxPerSecond is kept with the broadcast', () => {
  /**
   * Times that sends had to wait for theirs since it was last asked, ms. The clock stands still, so
   * that the second send of a run waits 1000 / maxPerSecond, and the third one twice that.
   */
  const waits = (): number[] => clock.sleeps.splice(0).map(Math.round);

  it('for recipients that ask for the message again', async () => {
    const { service } = scene;
    const { timestamp } = await broadcast(subscribers, { maxPerSecond: 8 }).summary();
    expect(waits()).toEqual([125, 250]);
    await holdResend(timestamp);
    // Both are sent to by one run, once the first one is over.
    for (const subscriber of subscribers.slice(1))
      await service.post(subscriber, service.retryRequestFor(subscriber, timestamp).plaintext);
    await untilDelivered(scene);
    release();
    await untilTrue(() => subscribers.every((subscriber) => countOf(subscriber) === 2));
    expect(waits()).toEqual([125]);
  });

  it('for the same id, until it is given with another one', async () => {
    const others = await Promise.all(Array.from({ length: 8 }, () => scene.service.subscribe()));
    await Promise.all(
      others.map(({ aci, profileKey }) => broadcaster.setProfileKey(aci, profileKey)),
    );
    const toTwo = (options: object = {}): Promise<unknown> =>
      broadcast(others.splice(0, 2), options).summary();
    await broadcast(subscribers, { maxPerSecond: 8 }).summary();
    waits();
    await toTwo();
    expect(waits()).toEqual([125]);
    await toTwo({ maxPerSecond: 10 });
    expect(waits()).toEqual([100]);
    await toTwo({ maxPerSecond: Infinity });
    expect(waits()).toEqual([]);
    await toTwo();
    expect(waits()).toEqual([]);
  });

  it('for resume()', async () => {
    const { service } = scene;
    service.intercepts.set('sendSealed', () => new Promise(() => undefined));
    const run = broadcast(subscribers, { maxPerSecond: 0.5 });
    await untilTrue(() => run.progress.ingested && service.countOf('sendSealed') === 3);
    expect(waits()).toEqual([2000, 4000]);
    await broadcaster.close();
    service.intercepts.clear();
    broadcaster = await openBroadcaster();
    expect(await broadcaster.resume()).toMatchObject([
      { status: 'finished', summary: { sealed: 3 } },
    ]);
    expect(waits()).toEqual([2000, 4000]);
  });
});
