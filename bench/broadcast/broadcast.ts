// A broadcast against the plain loop over libsignal: recipients a second, processors, event loop,
// memory. The store is LMDB on the disk, recipients have sessions that they answered, one device
// each; the service is a transport that only counts.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { openStore } from 'sealcast';
import { decodeContact, encodeContact } from '#dist/src/store/tables/contacts.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { firstOf, lastOf, readChild } from '../measure/child.js';
import type { CopiedBytes } from '../measure/copied-bytes.js';
import { summarize, type Summary } from '../measure/statistics.js';
import type { BroadcastMode, BroadcastReading } from './broadcast-child.js';
import { populate } from './population.js';
import { makeSender } from './sender-keys.js';
import type { StageReading } from './stages-child.js';

export interface BroadcastRow extends BroadcastReading {
  /**
   * Of the process's first broadcast, or of its last one. In the first, code is compiled and
   * recipients are new.
   */
  readonly broadcast: 'first' | 'later';
}

export interface BroadcastResult {
  readonly benchmark: 'broadcast';
  readonly environment: Environment;
  readonly kernel: string;
  readonly threads: number;
  readonly bodyBytes: number;
  /** The plain loop, one thread, in memory: µs a recipient. */
  readonly loop: Summary;
  /** How many times as fast a later broadcast is, all threads, on the disk. */
  readonly timesLoop: Summary;
  readonly comparedRecipients: number;
  /**
   * µs of all processors, a recipient: each stage alone, and the whole broadcast, in which they
   * disturb each other.
   */
  readonly stages: StageReading & {
    readonly whole: number;
    /** The whole broadcast, where no recipient accepts sealed messages. */
    readonly unsealed?: number;
  };
  /** How long a process's first broadcast takes, over a later one. */
  readonly firstOverLater?: Summary;
  /** Of a recipient, in messages between threads in a later broadcast. */
  readonly copiedBytesEach?: CopiedBytes;
  readonly rows: readonly BroadcastRow[];
  /** Later broadcasts with other numbers of workers. */
  readonly byThreads?: readonly BroadcastReading[];
}

export interface BroadcastBenchOptions {
  /** Ascending; the second is what is compared. */
  readonly recipientCounts: readonly number[];
  readonly roundCount: number;
  readonly threads: number;
  /** Numbers of workers that a broadcast is read with besides. */
  readonly threadCounts: readonly number[];
  /** A folder of recipients made by an earlier run; made, and left, where it is not there. */
  readonly population: string | undefined;
  readonly onProgress: (message: string) => void;
}

const BODY = 'The bridge is closed. Take the ferry, and bring water for two days.';
/** Contacts that one commit changes. */
const BATCH = 1_000;
const fileOf = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const COPIED_BYTES_URL = pathToFileURL(fileOf('../measure/copied-bytes')).href;

interface Paths {
  readonly store: string;
  readonly sender: string;
  readonly acis: string;
}

export async function runBroadcastBench(options: BroadcastBenchOptions): Promise<BroadcastResult> {
  const { recipientCounts, roundCount, threads, threadCounts, population, onProgress } = options;
  const root = population ?? mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  try {
    const paths = new Map<number, Paths>();
    for (const count of recipientCounts) {
      paths.set(count, await ensurePopulation(join(root, String(count)), count, onProgress));
    }
    const compared = recipientCounts[1] ?? recipientCounts[0] ?? 0;
    const comparedPaths = paths.get(compared);
    if (comparedPaths === undefined) throw new RangeError('recipientCounts must not be empty');

    const broadcastTo = (paths: Paths, workers: number): Promise<BroadcastReading[]> =>
      readBroadcast<BroadcastReading>(paths, workers, 'sealed');
    const loops: number[] = [];
    const ratios: number[] = [];
    const firsts: number[] = [];
    const wholes: number[] = [];
    let latest: readonly BroadcastReading[] = [];
    for (let round = 0; round < roundCount; round++) {
      onProgress(`plain loop and broadcast, round ${round + 1} of ${roundCount}`);
      // The last of each process's three, when all is compiled and every recipient has been met.
      const loop = lastOf(
        await readChild<number>(fileOf('loop-child'), [...inOrder(comparedPaths), BODY]),
      );
      latest = await broadcastTo(comparedPaths, threads);
      const { microsecondsEach, cpuMicrosecondsEach } = lastOf(latest);
      loops.push(loop);
      ratios.push(loop / microsecondsEach);
      firsts.push(firstOf(latest).microsecondsEach / microsecondsEach);
      wholes.push(cpuMicrosecondsEach);
    }
    onProgress('stages');
    const stages = lastOf(
      await readChild<StageReading>(fileOf('stages-child'), [
        ...inOrder(comparedPaths),
        String(threads),
        BODY,
      ]),
    );
    const whole = summarize(wholes).median;
    onProgress('unsealed');
    const unsealed = await readUnsealed(comparedPaths, join(root, 'unsealed'), threads);
    onProgress('bytes between threads');
    const copied = lastOf(await readBroadcast<CopiedBytes>(comparedPaths, threads, 'copies'));
    const byThreads: BroadcastReading[] = [];
    for (const workers of threadCounts) {
      onProgress(`${workers} workers`);
      byThreads.push(
        lastOf(workers === threads ? latest : await broadcastTo(comparedPaths, workers)),
      );
    }

    const rows: BroadcastRow[] = [];
    for (const [count, of] of paths) {
      onProgress(`${count} recipients`);
      const readings = count === compared ? latest : await broadcastTo(of, threads);
      rows.push(
        { broadcast: 'first', ...firstOf(readings) },
        { broadcast: 'later', ...lastOf(readings) },
      );
    }
    return {
      benchmark: 'broadcast',
      environment: describeEnvironment(),
      kernel: rows[0]?.kernel ?? '',
      threads,
      bodyBytes: Buffer.byteLength(BODY),
      loop: summarize(loops),
      timesLoop: summarize(ratios),
      comparedRecipients: compared,
      stages: { ...stages, whole, unsealed: unsealed.cpuMicrosecondsEach },
      firstOverLater: summarize(firsts),
      copiedBytesEach: copied,
      rows,
      byThreads,
    };
  } finally {
    if (population === undefined) rmSync(root, { recursive: true, force: true });
  }
}

/** As the children take them. */
const inOrder = ({ store, sender, acis }: Paths): string[] => [store, sender, acis];

function readBroadcast<Reading>(
  paths: Paths,
  threads: number,
  mode: BroadcastMode,
): Promise<Reading[]> {
  return readChild<Reading>(
    fileOf('broadcast-child'),
    [...inOrder(paths), String(threads), BODY, mode],
    mode === 'copies' ? ['--import', COPIED_BYTES_URL] : [],
  );
}

/** A later broadcast from a copy of the store, where all contacts denied sealed messages. */
async function readUnsealed(
  paths: Paths,
  folder: string,
  threads: number,
): Promise<BroadcastReading> {
  try {
    cpSync(paths.store, folder, { recursive: true });
    const store = await openStore({ path: folder });
    const acis = deserialize(readFileSync(paths.acis)) as string[];
    for (let from = 0; from < acis.length; from += BATCH) {
      const some = acis.slice(from, from + BATCH);
      const contacts = await store.getMany('contact', some);
      await store.commit(
        some.map((key, i) => {
          const contact = decodeContact(contacts[i] ?? new Uint8Array(0));
          const denied = { accessMode: 'disabled', accessDeniedMs: Date.now() } as const;
          return { table: 'contact', key, value: encodeContact({ ...contact, ...denied }) };
        }),
      );
    }
    await store.close();
    return lastOf(
      await readBroadcast<BroadcastReading>({ ...paths, store: folder }, threads, 'unsealed'),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ensurePopulation(
  directory: string,
  count: number,
  onProgress: (message: string) => void,
): Promise<Paths> {
  const paths = {
    store: join(directory, 'store'),
    sender: join(directory, 'sender'),
    acis: join(directory, 'acis'),
  };
  if (
    existsSync(paths.acis) &&
    (deserialize(readFileSync(paths.acis)) as string[]).length === count
  )
    return paths;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const sender = makeSender();
  const store = await openStore({ path: paths.store });
  try {
    const acis = await populate(store, sender, count, (made) =>
      onProgress(`making ${count} recipients: ${made}`),
    );
    writeFileSync(paths.sender, serialize(sender), { mode: 0o600 });
    writeFileSync(paths.acis, serialize(acis));
  } finally {
    await store.close();
  }
  return paths;
}
