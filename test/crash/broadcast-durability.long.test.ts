import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryStore, openStore, type Change, type Store, type Transport } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeOutbox } from '#dist/src/store/tables/outbox.js';
import { manyTurns, untilTrue } from '../harness/await-condition.js';
import { BroadcastChild, type ChildEnd } from '../harness/broadcast-child.js';
import {
  keptBroadcast,
  misread,
  reusedMessageKeys,
  sentButNotKept,
  sentTwice,
} from '../harness/broadcast-ledger.js';
import { acis, openScene, subscribeKnown, type Scene } from '../harness/broadcasters.js';
import { StandInService, type Subscriber } from '../fakes/stand-in-service.js';
import { temporaryDirectory, withRawStore } from '../harness/store-files.js';
import { labelsOf, WatchedStore, type StoreWatch } from '../fakes/watched-store.js';
import { ManualClock } from '../fakes/manual-clock.js';

const isLinux = process.platform === 'linux';
const OPTIONS = { chunkSize: 8, concurrency: 8 };
const RECIPIENTS = 60;

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
const opened: AsyncDisposable[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'store');
});
afterEach(async () => {
  await BroadcastChild.killAll();
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
  directory.remove();
});

async function onDisk(): Promise<Store> {
  const store = await openStore({ path });
  opened.push(store);
  return store;
}

async function sceneOn(
  inner: Store,
  watch: StoreWatch,
  options = {},
): Promise<Scene & { subscribers: Subscriber[] }> {
  const scene = await openScene({ ...OPTIONS, store: new WatchedStore(inner, watch), ...options });
  opened.push(scene);
  return { ...scene, subscribers: await subscribeKnown(scene, RECIPIENTS) };
}

/** Of the rows in a commit that have ciphertexts: whose they are, and what is in them. */
function* encryptedIn(
  changes: readonly Change[],
): Generator<{ recipient: string; ciphertexts: Uint8Array[] }> {
  for (const { table, key, value } of changes) {
    if (table !== 'outbox' || value === null) continue;
    const row = decodeOutbox(value);
    if (row.state !== 'encrypted') continue;
    yield {
      recipient: key.slice(key.indexOf('/') + 1),
      ciphertexts: row.devices.map(({ ciphertext }) => ciphertext),
    };
  }
}

describe('a flush that takes its time', () => {
  test('is waited for: while none of the sessions is on the disk, nothing is sent', async () => {
    let isHeld = false;
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const scene = await sceneOn(new MemoryStore(), {
      before: (changes) => {
        if (!labelsOf(changes).has('encrypted rows')) return undefined;
        isHeld = true;
        return released;
      },
    });
    const run = scene.broadcaster.broadcast({ body: 'held' }, acis(scene.subscribers));
    await untilTrue(() => isHeld);
    await manyTurns();
    expect(scene.service.countOf('sendSealed')).toBe(0);
    expect(run.progress.sealed).toBe(0);
    release();
    expect(await run.summary()).toMatchObject({ sealed: RECIPIENTS });
  });

  test('on a disk that is slow to answer holds back those whose sessions it has, and no others', async () => {
    const kept = new Map<string, Uint8Array[]>();
    const tooEarly: string[] = [];
    const scene = await sceneOn(await onDisk(), {
      after: async (changes) => {
        // On the disk already; that it is, is known only now.
        await manyTurns(50);
        for (const { recipient, ciphertexts } of encryptedIn(changes))
          kept.set(recipient, ciphertexts);
      },
    });
    scene.service.intercepts.set('sendSealed', (destination) => {
      if (!kept.has(destination)) tooEarly.push(destination);
      return undefined;
    });
    for (const body of ['first', 'second']) {
      kept.clear();
      expect(
        await scene.broadcaster.broadcast({ body }, acis(scene.subscribers)).summary(),
      ).toMatchObject({
        sealed: RECIPIENTS,
      });
      expect(tooEarly).toEqual([]);
    }
    const last = scene.service.arrivals.slice(-RECIPIENTS);
    expect(
      last.filter(({ recipient, ciphertext }) => !ciphertext.equals(kept.get(recipient)![0]!)),
    ).toEqual([]);
  });
});

describe('a store that another writer has taken over', () => {
  /** As a transport that looks at no signal does it: what is asked for is done. */
  const deaf = (service: StandInService): Transport => ({
    sendSealed: (request) => service.sendSealed(request),
    sendUnsealed: (request) => service.sendUnsealed(request),
    fetchPreKeys: (request) => service.fetchPreKeys(request),
    accountExists: (serviceId) => service.accountExists(serviceId),
    fetchSenderCertificate: (request) => service.fetchSenderCertificate(request),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });

  test('ends the broadcast with ERR_STORE_LOCKED, and nothing is sent once a commit was refused', async () => {
    const service = new StandInService();
    let sendsAtFailure: number | undefined;
    const store = new WatchedStore(await onDisk(), {
      failed: () => (sendsAtFailure ??= service.countOf('sendSealed')),
    });
    const scene = await openScene({ ...OPTIONS, store, transport: deaf(service) }, service);
    opened.push(scene);
    const subscribers = await subscribeKnown(scene, RECIPIENTS);
    await scene.broadcaster.broadcast({ body: 'before' }, acis(subscribers)).summary();
    const isTaken: Promise<void>[] = [];
    service.intercepts.set('sendSealed', async (_, count) => {
      if (count === RECIPIENTS + 10) {
        isTaken.push(withRawStore(path, (raw) => raw.writeWriter({ epoch: 2, owner: null })));
      }
      await Promise.all(isTaken);
      return undefined;
    });
    const run = scene.broadcaster.broadcast({ body: 'fenced' }, acis(subscribers));
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    await manyTurns();
    expect(sendsAtFailure).toBeGreaterThanOrEqual(RECIPIENTS + 10);
    expect(service.countOf('sendSealed')).toBe(sendsAtFailure);
  });

  test('ends the broadcast, too, where a new certificate is the first that cannot be kept', async () => {
    const service = new StandInService();
    const scene = await openScene({ ...OPTIONS, store: await onDisk() }, service);
    opened.push(scene);
    const [one] = await subscribeKnown(scene, 1);
    service.intercepts.set('fetchSenderCertificate', async () => {
      await withRawStore(path, (raw) => raw.writeWriter({ epoch: 2, owner: null }));
      return undefined;
    });
    const run = scene.broadcaster.broadcast({ body: 'fenced' }, [one!.aci]);
    await expect(run.summary()).rejects.toMatchObject({ code: 'ERR_STORE_LOCKED' });
    expect(service.countOf('sendSealed')).toBe(0);
  });
});

describe('a store in another process', () => {
  const job = { options: OPTIONS };

  async function subscribed(
    count = RECIPIENTS,
  ): Promise<{ service: StandInService; recipients: string[] }> {
    const service = new StandInService();
    const subscribers = await Promise.all(Array.from({ length: count }, () => service.subscribe()));
    const profileKeys = subscribers.map(({ aci, profileKey }) => [aci, profileKey] as const);
    await BroadcastChild.run(service, { ...job, path, ask: 'open', profileKeys });
    return { service, recipients: acis(subscribers) };
  }

  test('is refused to a second one with ERR_STORE_LOCKED, which asks the service for nothing; the first goes on', async () => {
    const { service, recipients } = await subscribed();
    let answer!: () => void;
    const answered = new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
    service.intercepts.set('sendSealed', () => answered);
    const broadcast = { ...job, path, ask: 'broadcast', body: 'one', recipients } as const;
    const first = new BroadcastChild(service, broadcast);
    await untilTrue(() => service.countOf('sendSealed') > 0);
    const askedBefore = service.requests.length;
    const second = await BroadcastChild.run(service, { ...broadcast, body: 'two', id: 'another' });
    expect(second.said).toMatchObject({ kind: 'failed', code: 'ERR_STORE_LOCKED' });
    expect(service.requests.length).toBe(askedBefore);
    answer();
    expect((await first.end()).said).toMatchObject({
      kind: 'ended',
      summary: { sealed: RECIPIENTS },
    });
    expect(misread(service, ['one'])).toEqual([]);
  });

  /**
   * Ends the files of a running process at so many bytes: what lies behind fails as on a full disk
   * (util-linux).
   */
  const limitFiles = (pid: number, bytes: number | string): boolean =>
    spawnSync('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}:unlimited`]).status === 0;
  const canLimit = isLinux && limitFiles(process.pid, 'unlimited');

  /** More than the room that the data file has when they are queued. */
  const MANY = 400;

  /** @param limitBytes where files end once the broadcast runs, given the data file's size. */
  async function runOnFullDisk(
    limitBytes: (sizeBytes: number) => number,
  ): Promise<ChildEnd | Error> {
    const { service, recipients } = await subscribed(MANY);
    const body = 'x'.repeat(2 * 1024);
    const broadcast = { ...job, path, recipients, body };
    service.intercepts.set('sendSealed', (_, count) => {
      if (count === 10) limitFiles(child.pid, limitBytes(statSync(join(path, 'data.mdb')).size));
      return undefined;
    });
    const child = new BroadcastChild(service, { ...broadcast, ask: 'broadcast' });
    const end = await child.end().catch((error: unknown) => error as Error);
    expect(sentButNotKept(service, await keptBroadcast(path, 'b'))).toEqual([]);

    // There is room again.
    service.intercepts.clear();
    const { said } = await BroadcastChild.run(service, { ...broadcast, ask: 'go on' });
    expect(said).toMatchObject({ kind: 'ended', summary: { sealed: MANY } });
    expect(misread(service, [body])).toEqual([]);
    expect(sentTwice(service)).toEqual([]);
    expect(reusedMessageKeys(service)).toEqual([]);
    return end;
  }

  test.skipIf(!canLimit)(
    'on a disk that is full in the middle of a broadcast: ERR_STORE_FAILED, and nothing was sent that is not kept',
    async () => {
      const end = await runOnFullDisk((sizeBytes) => sizeBytes);
      expect(end).toMatchObject({
        signal: null,
        said: { kind: 'failed', code: 'ERR_STORE_FAILED' },
      });
      const { taken } = end as ChildEnd;
      expect(taken).toBeGreaterThanOrEqual(9);
      expect(taken).toBeLessThan(MANY);
    },
  );

  test.skipIf(!canLimit)(
    'on a disk that breaks in the middle of a broadcast: an error or the end of the process, and nothing was sent that is not kept',
    async () => {
      // lmdb 3.5.6 may not survive a write that fails (see DataFileRoom): a crash like any other.
      const end = await runOnFullDisk(() => 0);
      if (end instanceof Error) expect(end.message).toMatch(/SIGABRT|SIGSEGV/);
      else
        expect(end).toMatchObject({
          signal: null,
          said: { kind: 'failed', code: 'ERR_STORE_FAILED' },
        });
    },
  );

  /** Mounts are made in a namespace of the process's own: they end with it. */
  const canMount =
    isLinux &&
    spawnSync('unshare', ['-r', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;

  test.skipIf(!canMount)(
    'that cannot be written is refused with ERR_STORE_FAILED, and nothing is asked of the service (skipped where nothing can be mounted)',
    async () => {
      const { service, recipients } = await subscribed(1);
      const readOnly = `mount --bind ${directory.path} ${directory.path} && mount -o remount,ro,bind ${directory.path}`;
      const shell = `exec unshare -r -m sh -c '${readOnly} && exec "$@"' sh "$@"`;
      const broadcast = { ...job, path, ask: 'broadcast', body: 'unsaid', recipients } as const;
      const { said } = await BroadcastChild.run(service, broadcast, { shell });
      expect(said).toMatchObject({ kind: 'failed', code: 'ERR_STORE_FAILED' });
      expect(service.requests).toEqual([]);
    },
  );
});

test('a clock that was set back while nothing ran gives no timestamp of a broadcast in the store once more', async () => {
  const store = new MemoryStore();
  const service = new StandInService();
  const nowMs = Date.now();
  const timestamps: number[] = [];
  for (const body of ['one', 'two', 'three']) {
    await using scene = await openScene({ store }, service, new ManualClock(nowMs));
    timestamps.push((await scene.broadcaster.broadcast({ body }, []).summary()).timestamp);
  }
  expect(timestamps).toEqual([nowMs, nowMs + 1, nowMs + 2]);
});
