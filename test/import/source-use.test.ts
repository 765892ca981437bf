import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { importSignalCli, MemoryStore, type SignalCliImport, type Store } from 'sealcast';
import { parseLocks } from '#dist/src/import/source-use.js';
import { findSqlite } from '#dist/src/import/sqlite.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MailboxService } from '../fakes/mailbox-service.js';
import { WatchedStore } from '../fakes/watched-store.js';
import { SignalCliFolder } from '../harness/signal-cli-folder.js';
import { temporaryDirectory } from '../harness/store-files.js';

let directory: ReturnType<typeof temporaryDirectory>;
let folder: SignalCliFolder;
let holder: ChildProcess | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
  folder = new SignalCliFolder(join(directory.path, 'signal-cli'), new MailboxService());
  folder.write();
});
afterEach(() => {
  holder?.kill('SIGKILL');
  holder = undefined;
  directory.remove();
});

const importFrom = (
  mode: 'move' | 'contacts',
  store: Store = new MemoryStore(),
): Promise<SignalCliImport> => importSignalCli({ from: folder.path, store, mode });

/** A process that holds a lock of the file, as signal-cli does of its account. */
async function lock(path: string): Promise<void> {
  // Without a fork the shell itself has the lock, and says so.
  holder = spawn('flock', ['--no-fork', path, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await once(holder.stdout!, 'data');
}
const hasLocks =
  existsSync('/proc/locks') && spawnSync('flock', ['--version'], { stdio: 'ignore' }).status === 0;

describe('a source that another process has open', () => {
  test.runIf(hasLocks).each(['move', 'contacts'] as const)(
    'is refused (%s) until that process ends',
    async (mode) => {
      await lock(folder.jsonPath);
      await expect(importFrom(mode)).rejects.toMatchObject({
        code: 'ERR_IMPORT_IN_USE',
        retryable: true,
      });
      expect(existsSync(folder.jsonPath)).toBe(true);
      holder?.kill('SIGKILL');
      await once(holder!, 'exit');
      expect((await importFrom(mode)).mode).toBe(mode);
    },
  );

  test.runIf(hasLocks)('is refused where only its database is locked', async () => {
    await lock(folder.databasePath);
    await expect(importFrom('move')).rejects.toMatchObject({ code: 'ERR_IMPORT_IN_USE' });
  });

  test('is refused where its files change while they are read', async () => {
    const store = new WatchedStore(new MemoryStore(), {
      before: () => appendFileSync(folder.jsonPath, ' '),
    });
    await expect(importFrom('move', store)).rejects.toMatchObject({ code: 'ERR_IMPORT_IN_USE' });
    expect(existsSync(folder.jsonPath)).toBe(true);
  });
});

describe('a lock of SQLite that a killed import left', () => {
  test('does not keep the next one out', async () => {
    mkdirSync(`${folder.databasePath}.lock`);
    expect((await importFrom('move')).mode).toBe('move');
  });
});

describe('the list of locks', () => {
  test('is read, with waiting locks and lines of another form', () => {
    const text = [
      '1: POSIX  ADVISORY  WRITE 1234 fe:01:123456 0 EOF',
      '1: -> POSIX  ADVISORY  READ 99 00:2a:7 0 9',
      '2: FLOCK  ADVISORY  WRITE -1 103:02:18446744073709551615 0 EOF',
      'something else',
      '',
    ].join('\n');
    expect(parseLocks(text)).toEqual([
      { pid: 1234, major: 0xfe, minor: 1, inode: 123456n },
      { pid: 99, major: 0, minor: 0x2a, inode: 7n },
      { pid: -1, major: 0x103, minor: 2, inode: 18446744073709551615n },
    ]);
  });
});

describe('without a library for SQLite', () => {
  test('the error says what to install', () => {
    const none = { node: () => undefined, wasm: () => undefined };
    expect(() => findSqlite(none)).toThrow(
      expect.objectContaining({
        code: 'ERR_IMPORT_LIBRARY',
        message: expect.stringContaining('npm install node-sqlite3-wasm') as string,
      }) as Error,
    );
  });
});
