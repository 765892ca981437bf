import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from 'sealcast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLmdbStore } from '#dist/src/store/lmdb/open.js';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { untilTrue } from '../harness/await-condition.js';
import { BroadcastChild } from '../harness/broadcast-child.js';
import { StandInService } from '../fakes/stand-in-service.js';
import { temporaryDirectory, withRawStore } from '../harness/store-files.js';

const RECIPIENTS = 6;
/** Longer than a process may rely on its last look at who owns the store. */
const FROZEN_MS = 1_200;

let directory: ReturnType<typeof temporaryDirectory>;
let store: Store | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await BroadcastChild.killAll();
  await store?.close();
  directory.remove();
});

const isSending = (path: string, id: string): Promise<boolean> =>
  withRawStore(path, (raw) => {
    const bytes = raw.table('broadcast').get(Buffer.from(id));
    return bytes !== undefined && decodeBroadcast(bytes).state === 'sending';
  });

/**
 * The store's owner is one that nobody here can see, and that is silent, as it is frozen: the next
 * one takes over.
 */
async function takeOver(path: string): Promise<Store> {
  await withRawStore(path, (raw) => {
    const { epoch, owner } = raw.readMeta('writer');
    raw.writeWriter({ epoch, owner: { ...owner!, place: 'elsewhere', heartbeatMs: 0 } });
  });
  return openLmdbStore({ path }, { lookMs: 20, silenceMs: 200 });
}

test.skipIf(process.platform === 'win32')(
  'a process that goes on after another one took its store over sends nothing more',
  async () => {
    const { path } = directory;
    const service = new StandInService();
    const subscribers = await Promise.all(
      Array.from({ length: RECIPIENTS }, () => service.subscribe()),
    );
    const recipients = subscribers.map(({ aci }) => aci);
    const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
    const job = { path, recipients, options: { concurrency: 1 } } as const;
    await BroadcastChild.run(service, {
      ...job,
      profileKeys,
      ask: 'broadcast',
      id: 'welcome',
      body: 'welcome',
    });
    service.requests.length = 0;

    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    service.intercepts.set('sendSealed', async () => {
      await answered;
      return undefined;
    });
    const child = new BroadcastChild(service, {
      ...job,
      ask: 'broadcast',
      id: 'frozen',
      body: 'frozen',
    });
    await untilTrue(() => service.countOf('sendSealed') === 1);
    // Nothing is being written: a process that is frozen in a transaction would keep everybody out.
    await untilTrue(() => isSending(path, 'frozen'));
    process.kill(child.pid, 'SIGSTOP');
    store = await takeOver(path);
    await delay(FROZEN_MS);
    answer();
    process.kill(child.pid, 'SIGCONT');
    expect((await child.end()).said).toMatchObject({ kind: 'failed', code: 'ERR_STORE_LOCKED' });
    expect(service.requests.map(({ name }) => name)).toEqual(['sendSealed']);
  },
);
