import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AccountChildren } from '../harness/account-child.js';
import { acis } from '../harness/broadcasters.js';
import { MailboxService } from '../fakes/mailbox-service.js';
import type { Subscriber } from '../fakes/stand-in-service.js';
import { temporaryDirectory } from '../harness/store-files.js';
import type { AccountJob } from './account-process.js';

const SUBSCRIBERS = 12;

let directory: ReturnType<typeof temporaryDirectory>;
let service: MailboxService;
let subscribers: readonly Subscriber[];
let children: AccountChildren;
let job: Omit<AccountJob, 'path' | 'trustRoot' | 'account'>;
beforeEach(async () => {
  directory = temporaryDirectory();
  const path = join(directory.path, 'store');
  service = new MailboxService();
  const store = await openStore({ path });
  await service.publishPreKeys(store);
  await store.close();
  subscribers = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => service.subscribe()));
  children = new AccountChildren(service, path);
  job = {
    profileKeys: subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const),
    broadcast: { id: 'news', body: 'news', recipients: acis(subscribers) },
  };
});
afterEach(() => {
  AccountChildren.killAll();
  directory.remove();
});

/** Profile keys of what arrived from then on, each once. */
const keysSince = (count: number): Set<string> =>
  new Set(
    service.arrivals
      .slice(count)
      .map(({ message: { profileKey } }) => Buffer.from(profileKey ?? []).toString('hex')),
  );

/** Each subscriber got the message; a copy has the timestamp by which clients drop it. */
function expectComplete(): void {
  for (const subscriber of subscribers)
    expect(new Set(service.textsOf(subscriber))).toEqual(new Set(['news']));
  const timestamps = service.arrivals.map(({ message: { timestamp } }) => Number(timestamp));
  expect(new Set(timestamps).size).toBe(1);
}

describe('a broadcast that kill -9 leaves encrypted', () => {
  test.each([1, 5, SUBSCRIBERS])(
    'at its send number %i goes on with the profile key of now, and never the one of before',
    async (count) => {
      const dieAt = { moment: 'before sendSealed', count } as const;
      expect(await children.run({ ...job, dieAt }, {})).toBe('SIGKILL');
      const sentBefore = service.arrivals.length;
      const profileKey = new Uint8Array(randomBytes(32));
      Object.assign(service.sender, { profileKey });
      expect(await children.run(job, { closeWhenIdle: true })).toBeNull();
      expect(keysSince(sentBefore)).toEqual(new Set([Buffer.from(profileKey).toString('hex')]));
      expectComplete();
    },
  );

  test('at the moment of the new profile key carries no other one', async () => {
    const former = Buffer.from(service.sender.profileKey).toString('hex');
    const dieAt = { moment: 'after rotation', count: 1 } as const;
    expect(await children.run({ ...job, rotate: true, dieAt }, {})).toBe('SIGKILL');
    expect(service.arrivals).toEqual([]);
    // The caller still gives the key of before.
    expect(await children.run(job, { closeWhenIdle: true })).toBeNull();
    const keys = keysSince(0);
    expect(keys.size).toBe(1);
    expect(keys).not.toContain(former);
    expect(service.arrivals).toHaveLength(SUBSCRIBERS);
    expectComplete();
  });

  test('keeps its ciphertexts where the profile key is the same', async () => {
    const dieAt = { moment: 'after sendSealed', count: 4 } as const;
    expect(await children.run({ ...job, dieAt }, {})).toBe('SIGKILL');
    expect(await children.run(job, { closeWhenIdle: true })).toBeNull();
    // What came twice is the same ciphertext.
    for (const subscriber of subscribers) expect(service.textsOf(subscriber)).toEqual(['news']);
    expect(service.arrivals.filter(({ duplicate }) => duplicate)).not.toEqual([]);
  });
});
