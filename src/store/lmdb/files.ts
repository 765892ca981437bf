import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, access, chmod, link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SealcastError } from '../../errors.js';
import { checkExtent } from './file-extent.js';

const { O_CREAT, O_EXCL, O_RDWR, O_SYNC } = constants;

/** LMDB's reader table and locks; 126 readers, its own default, take half of it. */
const LOCK_FILE_BYTES = 16 * 1024;
/** Permission bits of group and others. */
const OTHERS_BITS = 0o077;
/** Bytes that the disk must take when a store is opened; a new one's empty tables take less. */
const PROBE_BYTES = 256 * 1024;

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_PAGE_FLAG = 0x08;
/**
 * Bytes of the first page that are checked.
 *
 * Its flags are at 18, the magic at 24, the format at 28, the page size at 48.
 */
const HEADER_BYTES = 52;
const MIN_PAGE_BYTES = 256;
const MAX_PAGE_BYTES = 65_536;

function notLmdb(path: string, why: string): SealcastError {
  return new SealcastError('ERR_STORE_FAILED', `${path} is not a database of this store`, {
    cause: new Error(why),
  });
}

async function checkHeader(path: string, file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  await file.read(header, { position: 0 });
  // Numbers are in the machine's order, which is little-endian on every platform of Node but s390x.
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (
    (header.getUint16(18, little) & META_PAGE_FLAG) === 0 ||
    header.getUint32(24, little) !== MAGIC
  ) {
    throw notLmdb(path, 'it does not begin as an LMDB file does');
  }
  const version = header.getUint16(28, little);
  if (version !== DATA_VERSION)
    throw notLmdb(path, `LMDB data format ${version}, not ${DATA_VERSION}`);
  const pageBytes = header.getUint32(48, little);
  const isPageSize =
    pageBytes >= MIN_PAGE_BYTES &&
    pageBytes <= MAX_PAGE_BYTES &&
    (pageBytes & (pageBytes - 1)) === 0;
  if (!isPageSize || size < 2 * pageBytes) throw notLmdb(path, 'it is cut short');
  await checkExtent(path, file, { pageBytes, little });
}

/** @throws SealcastError ERR_STORE_FAILED: there is a file, and it is no whole database of LMDB. */
async function checkDataFile(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if ((await file.stat()).size > 0) await checkHeader(path, file);
  } finally {
    await file.close();
  }
}

/** Writes `sizeBytes` to the disk, in a file of a unique name that exists while `use` runs. */
async function withFile(
  directory: string,
  sizeBytes: number,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = join(directory, `.room-${randomUUID()}`);
  // O_SYNC rather than sync(), which Node's permission model forbids: a full disk fails here, and
  // not in LMDB.
  const file = await open(path, O_CREAT | O_EXCL | O_RDWR | O_SYNC, 0o600);
  try {
    await file.writeFile(Buffer.alloc(sizeBytes));
    await use(path);
  } finally {
    await file.close();
    await unlink(path);
  }
}

/**
 * Removes the permission bits of group and others from a file of the store, if it exists.
 *
 * A reader of the file has the keys of sessions; a backup or an image may have set the bits.
 *
 * @throws SealcastError ERR_STORE_FAILED: it is another user's file.
 */
async function keepPrivate(path: string): Promise<void> {
  // Windows has access lists, and shows modes that it invents.
  if (process.platform === 'win32' || !(await isThere(path))) return;
  const { mode } = await stat(path);
  if ((mode & OTHERS_BITS) === 0) return;
  try {
    await chmod(path, mode & ~OTHERS_BITS & 0o777);
  } catch (cause) {
    const message = `${path} may be read or written by other users, and its mode cannot be changed: make it 0600`;
    throw new SealcastError('ERR_STORE_FAILED', message, { cause });
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Flushes the names in a directory: a file whose bytes are on the disk is lost with its name. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows opens no directories, and needs no flush of names.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    // Node's permission model forbids it (24 and newer). LMDB's own flush of a new file brings its
    // name to the disk on ext4, XFS and btrfs, so that only other file systems can lose a store
    // that was made right before a power failure.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
  } finally {
    await directory.close();
  }
}

/**
 * Makes a directory, with its parents.
 *
 * Node's own `recursive` never returns where a directory is there and takes no files, as in /proc.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // If it is no directory, opening a file in it fails.
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || (await isThere(parent))) throw error;
    await makeDirectory(parent);
    await makeDirectory(path);
    return;
  }
  await syncDirectory(dirname(path));
}

async function linkIfNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // Another process was first; or the file system has no hard links, and LMDB makes its own file.
    if (
      !['EEXIST', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(
        (error as NodeJS.ErrnoException).code ?? '',
      )
    )
      throw error;
  }
}

/**
 * Prepares the directory for LMDB, and refuses states that lmdb 3.5.6 does not survive.
 *
 * There are two such states (both were seen). Its addon reads freed memory when opening fails,
 * which ends the process (src/env.cpp, `openEnv`: `extended_env` is deleted, then used by
 * `closeEnv`). It maps a lock file that is longer than its blocks on the disk, so that a full disk
 * ends the process with SIGBUS at the first lock.
 *
 * So files that are not LMDB's, and directories and disks that cannot be written, are refused here;
 * and the lock file gets its blocks before LMDB maps it, under its name only once it is whole.
 */
export async function prepareDirectory(path: string): Promise<void> {
  await makeDirectory(resolve(path));
  for (const name of ['data.mdb', 'lock.mdb']) await keepPrivate(join(path, name));
  await checkDataFile(join(path, 'data.mdb'));
  const lockFile = join(path, 'lock.mdb');
  if (!(await isThere(lockFile)))
    await withFile(path, LOCK_FILE_BYTES, (room) => linkIfNew(room, lockFile));
  await withFile(path, PROBE_BYTES, () => Promise.resolve());
  await (await open(lockFile, 'a+', 0o600)).close();
}
