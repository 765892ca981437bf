import { readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { loadLibsignal } from '../../access/libsignal.js';
import type { Places } from '../places.js';
import { count } from '../text.js';
import { fail, ok, warn, type Finding } from './finding.js';

const DAY_MS = 86_400_000;
const MIN_FREE_BYTES = 1 << 30;
const MAX_LIBSIGNAL_AGE_DAYS = 180;
const OTHERS = 0o077;

/** libsignal that this version of sealcast was tested with, and when it was the newest. */
export const TESTED_LIBSIGNAL = { version: '0.103.0', newestMs: Date.UTC(2026, 10, 1) } as const;

/** Numbers of a version, without a prerelease. */
const numbersOf = (version: string): number[] =>
  version.replace(/^v/, '').split(/[.+-]/, 3).map(Number);

function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [numbersOf(version), numbersOf(least)];
  const i = want.findIndex((number, place) => have[place] !== number);
  return i === -1 || (have[i] ?? 0) > (want[i] ?? 0);
}

/** @param version as `process.version` */
export function checkNode(version: string): Finding {
  const detail = `${version}, ${process.platform} ${process.arch}`;
  if (!isAtLeast(version, '20.19.0')) return fail(detail, 'install Node.js 22 or newer');
  // The end of Node.js 20: 2026-04.
  if (!isAtLeast(version, '22.0.0'))
    return warn(`${detail}: it gets no security fixes`, 'install Node.js 22 or newer');
  return ok(detail);
}

export async function checkKernel(): Promise<Finding> {
  const { selectKernel } = await import('../../kernel/select.js');
  const { name } = await selectKernel('auto');
  return ok(name);
}

/** Version of the installed libsignal. */
export function libsignalVersion(): string {
  const file = new URL('../package.json', import.meta.resolve('@signalapp/libsignal-client'));
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

/** Whether libsignal loads, and is not so old that the service may soon refuse it. */
export async function checkLibsignal(
  nowMs: number,
  version = libsignalVersion(),
): Promise<Finding> {
  await loadLibsignal();
  const { version: tested, newestMs } = TESTED_LIBSIGNAL;
  if (!isAtLeast(version, tested))
    return warn(`${version}, older than ${tested}`, 'install the newest sealcast');
  // A later version has a date that is not known here.
  const ageDays = version === tested ? Math.floor((nowMs - newestMs) / DAY_MS) : 0;
  if (ageDays <= MAX_LIBSIGNAL_AGE_DAYS) return ok(version);
  return warn(
    `${version}, which was the newest ${count(ageDays)} days ago: the service refuses old ones`,
    'install the newest sealcast',
  );
}

/** Whether the clock can be right, as far as that shows without the service. */
export function checkLocalClock(nowMs: number): Finding {
  const detail = new Date(nowMs).toISOString();
  return nowMs >= TESTED_LIBSIGNAL.newestMs
    ? ok(detail)
    : fail(`${detail}: before this version was made`, 'set the clock of this machine');
}

/** Whether other users can read or change the files of the store. */
export async function checkPermissions(
  { dataDir }: Pick<Places, 'dataDir'>,
  ownUid = process.getuid?.(),
): Promise<Finding> {
  if (process.platform === 'win32') return { verdict: 'skip', detail: 'as the folder has them' };
  for (const path of [dataDir, join(dataDir, 'data.mdb'), join(dataDir, 'lock.mdb')]) {
    const found = await stat(path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && path !== dataDir) return undefined;
      throw error;
    });
    if (found === undefined) continue;
    const { mode, uid } = found;
    if (ownUid !== undefined && uid !== ownUid)
      return fail(
        `${path} belongs to user ${uid}, and this one is ${ownUid}`,
        'run sealcast as its owner, or give another --data-dir',
      );
    if ((mode & OTHERS) !== 0)
      return warn(`other users can get at ${path}`, `run: chmod -R go= ${dataDir}`);
  }
  return ok('for this user alone');
}

export async function checkDisk(path: string, room: typeof statfs = statfs): Promise<Finding> {
  const { bavail, bsize } = await room(path);
  const freeBytes = bavail * bsize;
  const detail = `${count(Math.floor(freeBytes / (1 << 20)))} MiB free`;
  return freeBytes >= MIN_FREE_BYTES
    ? ok(detail)
    : warn(detail, 'a full disk stops broadcasts: make room');
}
