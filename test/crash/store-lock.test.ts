import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { openStore, type Store } from 'sealcast';
import { openLmdbStore } from '#dist/src/store/lmdb/open.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreChild } from '../harness/store-child.js';
import { temporaryDirectory, withRawStore, type KeptWriter } from '../harness/store-files.js';

const LOCKED = { code: 'ERR_STORE_LOCKED' };
const small = { ask: 'commit', prefix: 'small', count: 2, sizeBytes: 100 } as const;

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
const opened: Store[] = [];

async function open(): Promise<Store> {
  const store = await openStore({ path });
  opened.push(store);
  return store;
}

/** Watches a holder whose life is not known for a fraction of the time. */
async function openSoon(): Promise<Store> {
  const store = await openLmdbStore({ path }, { lookMs: 20, silenceMs: 200 });
  opened.push(store);
  return store;
}

/** A process that has the store open. */
async function ownerProcess(epoch = 1): Promise<StoreChild> {
  const child = new StoreChild();
  expect(await child.ask({ ask: 'open', path })).toEqual({ did: epoch });
  return child;
}

const writer = (): Promise<KeptWriter> => withRawStore(path, (raw) => raw.readMeta('writer'));
type Owner = NonNullable<KeptWriter['owner']>;

/** Changes what the store says of its owner. */
async function rewriteOwner(change: (owner: Owner) => Owner): Promise<void> {
  await withRawStore(path, (raw) => {
    const { epoch, owner } = raw.readMeta('writer');
    raw.writeWriter({ epoch, owner: change(owner!) });
  });
}

beforeEach(() => {
  directory = temporaryDirectory();
  path = directory.path;
});
afterEach(async () => {
  await StoreChild.killAll();
  await Promise.all(opened.splice(0).map((store) => store.close()));
  directory.remove();
});

describe('a store that is open in another process', () => {
  test('is refused, and goes on working there; when it is closed, the next one gets it', async () => {
    const child = await ownerProcess();
    await expect(openStore({ path })).rejects.toMatchObject(LOCKED);
    expect(await child.ask({ ...small, fill: 1 })).toEqual({ did: null });
    await expect(openStore({ path })).rejects.toMatchObject(LOCKED);
    expect(await child.ask({ ask: 'close' })).toEqual({ did: null });
    const store = await open();
    expect(store.epoch).toBe(2);
    expect(await store.getMany('outbox', ['small.1'])).toEqual([new Uint8Array(100).fill(1)]);
    // The process still lives, and may come again.
    expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(LOCKED);
    await store.close();
    expect(await child.ask({ ask: 'open', path })).toEqual({ did: 3 });
  });

  test('is taken over, with a higher epoch, once that process was killed', async () => {
    const child = await ownerProcess();
    await child.ask({ ...small, fill: 1 });
    await child.kill();
    const store = await open();
    expect(store.epoch).toBe(2);
    expect(await store.getMany('outbox', ['small.0'])).toEqual([new Uint8Array(100).fill(1)]);
  });

  test('keeps no process alive, and is taken over from one that ended without closing it', async () => {
    const child = await ownerProcess();
    expect(await child.end()).toBe(0);
    expect((await writer()).owner?.pid).toBe(child.pid);
    expect((await open()).epoch).toBe(2);
  });

  test('of many processes that find a dead owner, one takes over', async () => {
    await (await ownerProcess()).kill();
    const children = Array.from({ length: 4 }, () => new StoreChild());
    const answers = await Promise.all(children.map((child) => child.ask({ ask: 'open', path })));
    expect(answers.filter(({ did }) => did === 2)).toHaveLength(1);
    for (const { failed } of answers)
      if (failed !== undefined) expect(failed).toMatchObject(LOCKED);
  });
});

describe.skipIf(process.platform !== 'linux')('on Linux, where processes have start times', () => {
  test('a pid that was given to another process is not the owner', async () => {
    const child = await ownerProcess();
    await child.ask({ ...small, fill: 1 });
    await rewriteOwner((owner) => ({ ...owner, startTicks: `${Number(owner.startTicks) - 1}` }));
    expect((await open()).epoch).toBe(2);
  });

  test('a process that lives is the owner, however long ago its last heartbeat', async () => {
    await ownerProcess();
    await rewriteOwner((owner) => ({ ...owner, heartbeatMs: 0 }));
    await expect(openStore({ path })).rejects.toMatchObject(LOCKED);
  });
});

describe('a store that is open in another thread of this process', () => {
  /** A worker thread that has the store open. */
  async function ownerThread(): Promise<Worker> {
    const [store, clock] = ['store/lmdb/open.js', 'util/clock.js'].map((name) =>
      JSON.stringify(import.meta.resolve(`#dist/src/${name}`)),
    );
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      Promise.all([import(${store}), import(${clock})]).then(
        async ([{ openLmdbStore }, { SYSTEM_CLOCK }]) => {
          // Its heart beats sooner than after five seconds.
          const clock = Object.create(SYSTEM_CLOCK, {
            setTimeout: { value: (beat) => SYSTEM_CLOCK.setTimeout(beat, 20) },
          });
          const store = await openLmdbStore({ path: workerData }, undefined, clock);
          parentPort.on('message', async () => parentPort.postMessage(await store.close() ?? 'closed'));
          parentPort.postMessage('open');
        },
      );`;
    const worker = new Worker(code, { eval: true, workerData: path });
    expect(await once(worker, 'message')).toEqual(['open']);
    return worker;
  }

  test('is refused as soon as its heartbeat moves', async () => {
    const worker = await ownerThread();
    const opening = openLmdbStore({ path }, { lookMs: 20, silenceMs: 600_000 });
    await expect(opening).rejects.toMatchObject(LOCKED);
    worker.postMessage('close');
    await once(worker, 'message');
    expect((await open()).epoch).toBe(2);
    await worker.terminate();
  });

  test('is free soon after that thread was terminated, while the process lives', async () => {
    await (await ownerThread()).terminate();
    expect((await openSoon()).epoch).toBe(2);
  });
});

describe('an owner on another host, or in another container', () => {
  const foreign = (heartbeatMs: number) => (owner: Owner) => ({
    ...owner,
    place: 'elsewhere',
    heartbeatMs,
  });

  test('lives while its heartbeat moves, whatever runs here under its pid', async () => {
    await (await ownerProcess()).kill();
    await rewriteOwner(foreign(1));
    // Watched for as long as it takes: no beat is due by any clock.
    const opening = openLmdbStore({ path }, { lookMs: 1, silenceMs: 600_000 });
    const over = new AbortController();
    const refused = expect(opening)
      .rejects.toMatchObject(LOCKED)
      .finally(() => over.abort());
    for (let beat = 2; !over.signal.aborted; beat++) {
      await rewriteOwner(foreign(beat));
      await nextTurn();
    }
    await refused;
  });

  test.each([
    ['ahead', Date.now() + 10 ** 9],
    ['behind', 0],
  ])(
    'is dead once its heartbeat stands still, also one of a clock that is %s',
    async (_clock, heartbeatMs) => {
      await (await ownerProcess()).kill();
      await rewriteOwner(foreign(heartbeatMs));
      expect((await openSoon()).epoch).toBe(2);
    },
  );

  test('that closes the store while it is watched is not waited for any longer', async () => {
    await (await ownerProcess()).kill();
    await rewriteOwner(foreign(1));
    const opening = openLmdbStore({ path }, { lookMs: 1, silenceMs: 600_000 });
    await withRawStore(path, (raw) => raw.writeWriter({ epoch: 1, owner: null }));
    const store = await opening;
    opened.push(store);
    expect(store.epoch).toBe(2);
  });

  test('whose silence was not its death finds itself locked out, and changes nothing any more', async () => {
    const child = await ownerProcess();
    await child.ask({ ...small, fill: 1 });
    // Until no heartbeat of the process comes in between.
    let store: Store | undefined;
    while (store === undefined) {
      await rewriteOwner(foreign(0));
      store = await openSoon().catch((error: unknown) => {
        expect(error).toMatchObject(LOCKED);
        return undefined;
      });
    }
    expect(store.epoch).toBe(2);
    // So that the old writer's map of the file is too small for what the new one wrote.
    const value = new Uint8Array(8 * 2 ** 20).fill(2);
    await store.commit([{ table: 'outbox', key: 'small.0', value }]);
    for (let i = 0; i < 2; i++)
      expect((await child.ask({ ...small, fill: 3 })).failed).toMatchObject(LOCKED);
    expect((await child.ask({ ask: 'list', limit: 9 })).failed).toMatchObject(LOCKED);
    expect(await child.ask({ ask: 'close' })).toEqual({ did: null });
    const [first, second] = await store.getMany('outbox', ['small.0', 'small.1']);
    expect(Buffer.compare(first!, value)).toBe(0);
    expect(second).toEqual(new Uint8Array(100).fill(1));
    // Nor does its close let anybody in.
    expect((await writer()).epoch).toBe(2);
    await expect(openStore({ path })).rejects.toMatchObject(LOCKED);
  });

  test('finds itself locked out when it reads, too', async () => {
    const store = await open();
    await withRawStore(path, (raw) => raw.writeWriter({ epoch: 2, owner: null }));
    await expect(store.getMany('outbox', ['a'])).rejects.toMatchObject(LOCKED);
    await expect(store.commit([])).rejects.toMatchObject(LOCKED);
    await expect(store.list('outbox', { limit: 1 })).rejects.toMatchObject(LOCKED);
  });

  test('of commits under way when the store is taken over, none is there that was refused, and all that were not', async () => {
    const store = await open();
    const commit = (i: number): Promise<boolean> =>
      store.commit([{ table: 'outbox', key: `${i}`, value: Uint8Array.of(i) }]).then(
        () => true,
        () => false,
      );
    const first = Array.from({ length: 10 }, (_, i) => commit(i));
    const takenOver = withRawStore(path, (raw) => raw.writeWriter({ epoch: 2, owner: null }));
    const then = Array.from({ length: 10 }, (_, i) => commit(10 + i));
    const applied = await Promise.all([...first, ...then]);
    await takenOver;
    expect(await commit(99)).toBe(false);
    await store.close();
    const next = await open();
    const there = new Set((await next.list('outbox', { limit: 100 })).map(({ key }) => key));
    expect(applied.map((_, i) => there.has(`${i}`))).toEqual(applied);
  });
});
