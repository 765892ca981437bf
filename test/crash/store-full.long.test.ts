import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from 'sealcast';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from './store-process.js';
import { StoreChild } from '../harness/store-child.js';
import { temporaryDirectory } from '../harness/store-files.js';

const isLinux = process.platform === 'linux';
const FAILED = { code: 'ERR_STORE_FAILED', hasCause: true };
const commit = (prefix: string, count: number, fill: number) =>
  ({ ask: 'commit', prefix, count, sizeBytes: 2500, fill }) as const;

/** Mounts are made in a namespace of the process's own: they end with it. */
const IN_OWN_NAMESPACE = ['-r', '-m', 'sh', '-c'];
const canMount =
  isLinux &&
  spawnSync('unshare', [...IN_OWN_NAMESPACE, 'mount -t tmpfs -o size=1m tmpfs /mnt']).status === 0;
/** A shell script for StoreChild: runs `script` where it may mount, then Node. */
const mounting = (script: string): string =>
  `exec unshare ${IN_OWN_NAMESPACE.join(' ')} '${script} && exec "$@"' sh "$@"`;

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'store');
});
afterEach(async () => {
  await StoreChild.killAll();
  directory.remove();
});

/** Files end at so many KiB: what lies behind fails as on a full disk. */
const filesUpTo = (kib: number): string => `ulimit -f ${kib * BLOCKS_PER_KIB}; exec "$@"`;
/** POSIX counts in blocks of 512 bytes. */
const BLOCKS_PER_KIB = 2;

/** Changes what a process may do while it runs (util-linux). */
function limitFiles(pid: number, bytes: string): boolean {
  return spawnSync('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}:unlimited`]).status === 0;
}
const canLimit = isLinux && limitFiles(process.pid, 'unlimited');

/** A commit that does not fit is refused; what was there stays, smaller ones go on. */
async function expectSurvival(child: StoreChild): Promise<void> {
  expect(await child.ask(commit('old', 100, 1))).toEqual({ did: null });
  for (let i = 0; i < 3; i++) {
    expect((await child.ask(commit('old', 4000, 2))).failed).toMatchObject(FAILED);
    const { did } = await child.ask({ ask: 'list', limit: 1000 });
    expect(did).toHaveLength(100 + i);
    expect(
      (did as [string, number][]).filter(([key, fill]) => key.startsWith('old') && fill !== 1),
    ).toEqual([]);
    expect(await child.ask(commit(`new ${i}`, 1, 3))).toEqual({ did: null });
  }
}

describe.skipIf(!isLinux)('a disk that is full, as a limit on the size of files', () => {
  test('refuses a commit with ERR_STORE_FAILED; the values before it stay, and smaller commits go on', async () => {
    const child = new StoreChild(filesUpTo(2000));
    expect(await child.ask({ ask: 'open', path })).toEqual({ did: 1 });
    await expectSurvival(child);
    expect(await child.ask({ ask: 'close' })).toEqual({ did: null });
    const store = await openStore({ path });
    expect(await store.list('outbox', { limit: 1000 })).toHaveLength(103);
    await store.close();
  });

  test.skipIf(!canLimit)(
    'is met by the store and never by LMDB, whatever the sizes of commits',
    async () => {
      const child = new StoreChild();
      await child.ask({ ask: 'open', path });
      const ends = new Set<string>();
      for (const sizeBytes of [1, 300, 1980, 2040, 2100, 5000, 30_000]) {
        for (const counts of [[1], [3, 1], [60, 1, 7], [400], [sizeBytes > 5000 ? 100 : 1500, 2]]) {
          limitFiles(child.pid, `${statSync(join(path, 'data.mdb')).size}`);
          for (const end of (await child.ask({ ask: 'commits', counts, sizeBytes }))
            .did as string[])
            ends.add(end);
          limitFiles(child.pid, 'unlimited');
          expect(await child.ask({ ask: 'commits', counts, sizeBytes })).toEqual({
            did: counts.map(() => 'committed'),
          });
        }
      }
      expect([...ends].sort()).toEqual(['ERR_STORE_FAILED', 'committed']);
      expect(await child.end()).toBe(0);
      expect(child.stderr).toBe('');
    },
  );

  test('refuses one commit of several that were under way, and no other', async () => {
    const child = new StoreChild(filesUpTo(2000));
    await child.ask({ ask: 'open', path });
    const answer = await child.ask({ ask: 'commits', counts: [1, 4000, 1], sizeBytes: 2500 });
    expect(answer).toEqual({ did: ['committed', 'ERR_STORE_FAILED', 'committed'] });
    expect(await child.ask({ ask: 'list', limit: 9 })).toEqual({
      did: [
        ['0.0', 0],
        ['2.0', 2],
      ],
    });
  });

  test.skipIf(!canLimit)(
    'that fails while a store is closed does not keep its process from opening it again',
    async () => {
      const child = new StoreChild();
      await child.ask({ ask: 'open', path });
      await child.ask(commit('a', 1, 1));
      limitFiles(child.pid, `${statSync(join(path, 'data.mdb')).size}`);
      let answer: Answer = {};
      for (let i = 0; answer.failed === undefined && i < 1000; i++)
        answer = await child.ask(commit(`b${i}`, 1, 1));
      expect(answer.failed).toMatchObject(FAILED);
      expect(await child.ask({ ask: 'close' })).toEqual({ did: null });
      expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(FAILED);
      limitFiles(child.pid, 'unlimited');
      expect(await child.ask({ ask: 'open', path })).toEqual({ did: 2 });
      expect((await child.ask({ ask: 'list', limit: 1 })).did).toEqual([['a.0', 1]]);
      expect(child.stderr).toBe('');
    },
  );

  test('refuses a new store with ERR_STORE_FAILED, and the process lives', async () => {
    for (const kib of [0, 4, 12, 20, 100]) {
      const child = new StoreChild(filesUpTo(kib));
      expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(FAILED);
      expect(await child.end()).toBe(0);
    }
    await (await openStore({ path })).close();
  });

  test('refuses a store that is there, if it cannot even be marked as open, and the process lives', async () => {
    await (await openStore({ path })).close();
    const child = new StoreChild(filesUpTo(4));
    expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(FAILED);
    expect(await child.end()).toBe(0);
    const store = await openStore({ path });
    await store.close();
  });
});

describe('a file system of two megabytes', () => {
  const tmpfs = (): string => mounting(`mount -t tmpfs -o size=2m tmpfs ${directory.path}`);

  test.skipIf(!canMount)(
    'refuses what does not fit, and keeps what was there (skipped where nothing can be mounted)',
    async () => {
      const child = new StoreChild(tmpfs());
      expect(await child.ask({ ask: 'open', path })).toEqual({ did: 1 });
      await expectSurvival(child);
      await child.ask({ ask: 'fill', directory: directory.path });
      expect((await child.ask(commit('more', 4000, 1))).failed).toMatchObject(FAILED);
      expect((await child.ask({ ask: 'list', limit: 1000 })).did).toHaveLength(103);
      await child.ask({ ask: 'close' });
      expect(await child.end()).toBe(0);
    },
  );

  test.skipIf(!canMount)(
    'that is full refuses a new store, and the process lives (skipped where nothing can be mounted)',
    async () => {
      const child = new StoreChild(tmpfs());
      await child.ask({ ask: 'fill', directory: directory.path });
      for (let i = 0; i < 2; i++) {
        expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(FAILED);
      }
      expect(await child.end()).toBe(0);
    },
  );
});

describe('a directory that cannot be written', () => {
  test.skipIf(!canMount)(
    'is refused with ERR_STORE_FAILED, empty or with a store in it (skipped where nothing can be mounted)',
    async () => {
      const readOnly = mounting(
        `mount --bind ${directory.path} ${directory.path} && mount -o remount,ro,bind ${directory.path}`,
      );
      for (let i = 0; i < 2; i++) {
        const child = new StoreChild(readOnly);
        expect((await child.ask({ ask: 'open', path })).failed).toMatchObject(FAILED);
        expect(await child.end()).toBe(0);
        await (await openStore({ path })).close();
      }
    },
  );

  test.skipIf(!isLinux)('is refused where the system has no place for files (/proc)', async () => {
    await expect(openStore({ path: '/proc/sealcast-store' })).rejects.toMatchObject({
      code: 'ERR_STORE_FAILED',
    });
  });
});
