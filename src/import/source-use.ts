import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { basename } from 'node:path';
import type { AccountFiles } from './account-files.js';
import { fail } from './parts.js';

/** The kernel's list of file locks; Linux alone has it. */
const LOCKS = '/proc/locks';

interface FileLock {
  readonly pid: number;
  readonly major: number;
  readonly minor: number;
  readonly inode: bigint;
}

/** `1: POSIX  ADVISORY  WRITE 1234 fe:00:123456 0 EOF`, or `1: -> POSIX ...` of a waiting one. */
const LOCK_LINE = /^\d+:.*\s(-?\d+)\s([0-9a-f]+):([0-9a-f]+):(\d+)\s/;

/** Parses the text of /proc/locks; passes over lines of another form. */
export function parseLocks(text: string): FileLock[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, major, minor, inode] = LOCK_LINE.exec(line) ?? [];
    if (pid === undefined || major === undefined || minor === undefined || inode === undefined)
      return [];
    return [
      {
        pid: Number(pid),
        major: parseInt(major, 16),
        minor: parseInt(minor, 16),
        inode: BigInt(inode),
      },
    ];
  });
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Parts of a device number as Linux packs them (`makedev` of glibc). */
const majorOf = (dev: bigint): number => Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn));
const minorOf = (dev: bigint): number => Number((dev & 0xffn) | ((dev >> 12n) & ~0xffn));

/** Whether the process has the file open; true where it cannot be looked at. */
async function hasOpen(pid: number, path: string): Promise<boolean> {
  const directory = `/proc/${pid}/fd`;
  try {
    const wanted = await realpath(path);
    for (const name of await readdir(directory)) {
      const target = await readlink(`${directory}/${name}`).catch(() => undefined);
      if (target === wanted) return true;
    }
    return false;
  } catch {
    return true;
  }
}

/** Whether another process than this one holds a lock of the file. */
async function isLockedByOther(path: string, locks: readonly FileLock[]): Promise<boolean> {
  const file = await statOf(path);
  if (file === undefined) return false;
  for (const { pid, major, minor, inode } of locks) {
    if (pid === process.pid || inode !== file.ino) continue;
    if (major === majorOf(file.dev) && minor === minorOf(file.dev)) return true;
    // Some file systems (overlayfs, btrfs) tell the kernel and `stat` different devices.
    if (await hasOpen(pid, path)) return true;
  }
  return false;
}

const filesOf = ({ json, database }: AccountFiles): string[] => [
  json,
  database,
  `${database}-wal`,
  `${database}-shm`,
];

/**
 * Refuses a source that another process has open: signal-cli locks the account's JSON for as long
 * as it runs, and SQLite its database.
 *
 * Only Linux tells which files are locked, and only of processes in the same PID namespace; on
 * other systems the lock of the database is all there is.
 *
 * @throws SealcastError ERR_IMPORT_IN_USE
 */
export async function refuseInUse(files: AccountFiles): Promise<void> {
  let text: string;
  try {
    text = await readFile(LOCKS, 'utf8');
  } catch {
    return;
  }
  const locks = parseLocks(text);
  for (const path of filesOf(files)) {
    if (await isLockedByOther(path, locks)) {
      fail(
        'ERR_IMPORT_IN_USE',
        `another process has ${basename(path)} open: stop signal-cli, its daemon included`,
      );
    }
  }
}

/** Times and sizes of the source's files, by which a change is found. */
export async function stampOf({ json, database }: AccountFiles): Promise<string> {
  const files = await Promise.all([json, database, `${database}-wal`].map(statOf));
  return files
    .map((file) =>
      // An absent log and an empty one are the same.
      file === undefined || file.size === 0n ? '-' : `${file.ino}/${file.size}/${file.mtimeNs}`,
    )
    .join(' ');
}

/** @throws SealcastError ERR_IMPORT_IN_USE: the files are not as they were. */
export async function refuseChanged(files: AccountFiles, before: string): Promise<void> {
  if ((await stampOf(files)) !== before)
    fail('ERR_IMPORT_IN_USE', 'the account changed while it was read: stop signal-cli');
}
