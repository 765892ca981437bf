import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BroadcastChild, type ChildEnd, type JobFor } from '../harness/broadcast-child.js';
import {
  keptBroadcast,
  misread,
  reusedMessageKeys,
  sentButNotKept,
  sentTwice,
} from '../harness/broadcast-ledger.js';
import { acis } from '../harness/broadcasters.js';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';
import { temporaryDirectory } from '../harness/store-files.js';
import type { Moment } from './broadcast-process.js';

/** Enough for some to be before the moment, some in it, and some behind it. */
const RECIPIENTS = 12;
const OPTIONS = { chunkSize: 4, concurrency: 3 };

let directory: ReturnType<typeof temporaryDirectory>;
let service: StandInService;
let subscribers: Subscriber[];

beforeEach(async () => {
  directory = temporaryDirectory();
  service = new StandInService();
  subscribers = await Promise.all(Array.from({ length: RECIPIENTS }, () => service.subscribe()));
});
afterEach(async () => {
  await BroadcastChild.killAll();
  directory.remove();
});

/** A process that broadcasts, or goes on with what another one left, and may die at a moment. */
function child(ask: JobFor['ask'], body: string, options: Partial<JobFor> = {}): Promise<ChildEnd> {
  const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
  const recipients = acis(subscribers);
  const job = {
    path: directory.path,
    ask,
    id: body,
    body,
    recipients,
    profileKeys,
    options: OPTIONS,
  };
  return BroadcastChild.run(service, { ...job, ...options });
}

async function dies(body: string, moment: Moment, count = 1, options = OPTIONS): Promise<void> {
  const end = await child('broadcast', body, { dieAt: { moment, count }, options });
  expect(end, moment).toMatchObject({ signal: 'SIGKILL', said: undefined });
  expect(sentButNotKept(service, await keptBroadcast(directory.path, body))).toEqual([]);
}

const all = { kind: 'ended', summary: { recipients: RECIPIENTS, sealed: RECIPIENTS } };

/**
 * What was cut off comes to its end; so does another broadcast, with the sessions that the first
 * one left.
 */
async function expectAllOnce(texts: readonly string[]): Promise<void> {
  expect((await child('go on', texts.at(-1)!)).said).toMatchObject(all);
  expect((await child('broadcast', 'afterwards')).said).toMatchObject(all);
  expect(misread(service, [...texts, 'afterwards'])).toEqual([]);
  expect(sentTwice(service)).toEqual([]);
  expect(reusedMessageKeys(service)).toEqual([]);
}

describe('a first broadcast, cut off', () => {
  test.each<[Moment, number]>([
    ['after a broadcast ingesting', 1],
    ['before queued rows', 1],
    ['after queued rows', 1],
    ['before a broadcast sending', 1],
    ['after a broadcast sending', 1],
    ['after fetchPreKeys', 1],
    ['before encrypted rows', 2],
    ['after encrypted rows', 2],
    ['after fetchSenderCertificate', 1],
    ['before certificate', 1],
    ['after certificate', 1],
    ['before sendSealed', 3],
    ['after sendSealed', 3],
    ['before done rows', 1],
    ['after done rows', 2],
    ['before a broadcast finished', 1],
  ])('%s (%i), reaches everybody once, and so does the next one', async (moment, count) => {
    await dies('cut-off', moment, count);
    await expectAllOnce(['cut-off']);
  });

  test('once it is finished has nothing to go on with', async () => {
    await dies('whole', 'after a broadcast finished');
    expect((await child('go on', 'whole')).said).toMatchObject({ kind: 'ended', resumed: [] });
    expect(misread(service, ['whole'])).toEqual([]);
  });
});

describe('a broadcast that finds devices changed, cut off while they are repaired', () => {
  const MOMENTS: Moment[] = [
    'after fetchPreKeys',
    'before encrypted rows',
    'after encrypted rows',
    'before done rows',
  ];

  /** Of those who have sessions already, a third have something new. */
  async function changed(change: (subscriber: Subscriber) => Promise<unknown>): Promise<void> {
    expect((await child('broadcast', 'first')).said).toMatchObject(all);
    service.arrivals.length = 0;
    for (const subscriber of subscribers.slice(0, RECIPIENTS / 3)) await change(subscriber);
  }
  /** All are encrypted in one commit before anything is found to be repaired. */
  const inOneChunk = { ...OPTIONS, chunkSize: RECIPIENTS };
  const countOf = (moment: Moment): number => (moment.endsWith('encrypted rows') ? 2 : 1);

  test.each(MOMENTS)(
    'a device more (409), %s: every device reads every text once',
    async (moment) => {
      await changed((subscriber) => service.addDevice(subscriber, 2));
      await dies('second', moment, countOf(moment), inOneChunk);
      await expectAllOnce(['second']);
    },
  );

  test.each(MOMENTS)(
    'a device set up again (410), %s: every device reads every text once',
    async (moment) => {
      await changed((subscriber) => service.addDevice(subscriber, 1));
      await dies('second', moment, countOf(moment), inOneChunk);
      await expectAllOnce(['second']);
    },
  );

  test.each(MOMENTS)(
    'another identity key, %s: every device reads every text once',
    async (moment) => {
      await changed((subscriber) => service.reregister(subscriber));
      await dies('second', moment, countOf(moment), inOneChunk);
      await expectAllOnce(['second']);
    },
  );
});

describe('a finished broadcast that is being taken out of the store, cut off', () => {
  test.each<Moment>([
    'before a broadcast pruned',
    'after a broadcast pruned',
    'before pruned rows',
    'after pruned rows',
    'before no broadcast',
    'after no broadcast',
  ])(
    '%s: is there as a whole, or is none any more, however long the next process keeps such',
    async (moment) => {
      expect((await child('broadcast', 'old')).said).toMatchObject(all);
      const prune = { options: { ...OPTIONS, keepFinishedMs: 0 }, dieAt: { moment, count: 1 } };
      expect(await child('open', 'old', prune)).toMatchObject({ signal: 'SIGKILL' });
      expect((await child('open', 'old')).said?.kind).toBe('ended');
      const { record, rows } = await keptBroadcast(directory.path, 'old');
      const isWhole = moment === 'before a broadcast pruned';
      expect([record?.state, rows.size]).toEqual(
        isWhole ? ['finished', RECIPIENTS] : [undefined, 0],
      );
    },
  );
});
