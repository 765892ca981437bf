import { join } from 'node:path';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest';
import { AccountChildren } from '../harness/account-child.js';
import { acis } from '../harness/broadcasters.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { temporaryDirectory } from '../harness/store-files.js';
import type { AccountJob, AccountMoment } from './account-process.js';

const SUBSCRIBERS = 12;
const BROADCASTS = 4;
/** Processes that are killed or closed in the middle, of each broadcast. */
const CUTS = 3;
/** Of all subscribers, in the course of the storm. */
const BLOCKED = 3;
const MOMENTS: AccountMoment[] = [
  'before commit',
  'after commit',
  'before ack',
  'after ack',
  'before sendSealed',
  'after sendSealed',
];

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  AccountChildren.killAll();
  directory.remove();
});

test(`killed, or closed, ${BROADCASTS * CUTS} times while subscribers ask for messages again, an account answers every request`, async () => {
  const seed = process.env['SEALCAST_CRASH_SEED'] ?? '1';
  onTestFailed(() => console.error(`SEALCAST_CRASH_SEED=${seed}`));
  const random = seededBytes(`resends ${seed}`);
  const draw = (count: number): number => seededInteger(random, count);
  const path = join(directory.path, 'store');
  const service = new MailboxService();
  const store = await openStore({ path });
  await service.publishPreKeys(store);
  await store.close();
  const subscribers = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, () => service.subscribe()),
  );
  const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
  service.haveDevicesAsk();
  const children = new AccountChildren(service, path);
  const texts: string[] = [];
  for (let number = 0; number < BROADCASTS; number++) {
    const [id, body] = [`broadcast-${number}`, `text ${number}`];
    texts.push(body);
    const broadcast = { id, body, recipients: acis(subscribers) };
    // A third of them cannot read what comes.
    for (const subscriber of subscribers) if (draw(3) === 0) await service.loseSessions(subscriber);
    const block = acis(subscribers.slice(number, number < BLOCKED ? number + 1 : number));
    for (let cut = 0; cut < CUTS; cut++) {
      const job: Omit<AccountJob, 'path' | 'trustRoot' | 'account'> = {
        profileKeys,
        broadcast,
        block: cut === 1 ? block : [],
      };
      if (draw(3) === 0) await children.run(job, { closeAfter: 1 + draw(40), closeWhenIdle: true });
      else {
        const dieAt = { moment: MOMENTS[draw(MOMENTS.length)] ?? 'after ack', count: 1 + draw(10) };
        // What has less to do than that ends when it has done it.
        await children.run({ ...job, dieAt }, { closeWhenIdle: true });
      }
    }
    // A process that was killed in the middle of blocking may not have done it.
    expect(await children.run({ broadcast, block }, { closeWhenIdle: true })).toBeNull();
    expect(service.queueLength).toBe(0);
  }
  expect(children.sentToBlocked).toEqual([]);
  expect(children.blocked.size).toBe(BLOCKED);
  const unread = subscribers.flatMap((subscriber) => {
    if (children.blocked.has(subscriber.aci)) return [];
    const read = service.textsOf(subscriber);
    return texts
      .filter((text) => !read.includes(text))
      .map((text) => `${subscribers.indexOf(subscriber)}: ${text}`);
  });
  expect(unread).toEqual([]);
  // Some had to ask.
  expect(service.acknowledged.length).toBeGreaterThan(0);
});
