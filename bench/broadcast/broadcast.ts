// A broadcast against the plain loop over libsignal: recipients a second, processors, event loop,
// memory. The store is LMDB on the disk, recipients have sessions that they answered, one device
// each; the service is a transport that only counts.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { PrivateKey, SenderCertificate, ServerCertificate } from '@signalapp/libsignal-client';
import { openStore } from 'sealcast';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { summarize, type Summary } from '../measure/statistics.js';
import type { BroadcastReading } from './broadcast-child.js';
import { populate, type SenderKeys } from './population.js';
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
  readonly stages: StageReading & { readonly whole: number };
  readonly rows: readonly BroadcastRow[];
}

export interface BroadcastBenchOptions {
  /** Ascending; the second is what is compared. */
  readonly recipientCounts: readonly number[];
  readonly roundCount: number;
  readonly threads: number;
  /** A folder of recipients made by an earlier run; made, and left, where it is not there. */
  readonly population: string | undefined;
  readonly onProgress: (message: string) => void;
}

const BODY = 'The bridge is closed. Take the ferry, and bring water for two days.';
const DAY_MS = 24 * 60 * 60 * 1000;
const run = promisify(execFile);
const childPath = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const MAX_OUTPUT_BYTES = 2 ** 20;

interface Paths {
  readonly store: string;
  readonly sender: string;
  readonly acis: string;
}

export async function runBroadcastBench(options: BroadcastBenchOptions): Promise<BroadcastResult> {
  const { recipientCounts, roundCount, threads, population, onProgress } = options;
  const root = population ?? mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  try {
    const paths = new Map<number, Paths>();
    for (const count of recipientCounts) {
      paths.set(count, await ensurePopulation(join(root, String(count)), count, onProgress));
    }
    const compared = recipientCounts[1] ?? recipientCounts[0] ?? 0;
    const comparedPaths = paths.get(compared);
    if (comparedPaths === undefined) throw new RangeError('recipientCounts must not be empty');

    const loops: number[] = [];
    const ratios: number[] = [];
    const wholes: number[] = [];
    let latest: readonly BroadcastReading[] = [];
    for (let round = 0; round < roundCount; round++) {
      onProgress(`plain loop and broadcast, round ${round + 1} of ${roundCount}`);
      // The last of each process's three, when all is compiled and every recipient has been met.
      const loop = lastOf(await readChild<number>('loop-child', comparedPaths, [BODY]));
      latest = await readChild<BroadcastReading>('broadcast-child', comparedPaths, [
        String(threads),
        BODY,
      ]);
      const { microsecondsEach, cpuMicrosecondsEach } = lastOf(latest);
      loops.push(loop);
      ratios.push(loop / microsecondsEach);
      wholes.push(cpuMicrosecondsEach);
    }
    onProgress('stages');
    const stages = lastOf(
      await readChild<StageReading>('stages-child', comparedPaths, [String(threads), BODY]),
    );
    const whole = summarize(wholes).median;

    const rows: BroadcastRow[] = [];
    for (const [count, of] of paths) {
      onProgress(`${count} recipients`);
      const readings =
        count === compared
          ? latest
          : await readChild<BroadcastReading>('broadcast-child', of, [String(threads), BODY]);
      rows.push(
        { broadcast: 'first', ...lastOf(readings.slice(0, 1)) },
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
      stages: { ...stages, whole },
      rows,
    };
  } finally {
    if (population === undefined) rmSync(root, { recursive: true, force: true });
  }
}

function lastOf<Reading>(readings: readonly Reading[]): Reading {
  const last = readings.at(-1);
  if (last === undefined) throw new Error('a benchmark read nothing');
  return last;
}

/** Readings of the child, one for each run of the measured work. */
async function readChild<Reading>(
  name: string,
  { store, sender, acis }: Paths,
  rest: string[],
): Promise<Reading[]> {
  const { stdout } = await run(process.execPath, [childPath(name), store, sender, acis, ...rest], {
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return JSON.parse(stdout) as Reading[];
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

function makeSender(): SenderKeys {
  const [root, server, identity] = [
    PrivateKey.generate(),
    PrivateKey.generate(),
    PrivateKey.generate(),
  ];
  const aci = '9d0652a3-dcc3-4d11-975f-74d61598733f';
  const deviceId = 1;
  const certificate = SenderCertificate.new(
    aci,
    null,
    deviceId,
    identity.getPublicKey(),
    Date.now() + 30 * DAY_MS,
    ServerCertificate.new(1, server.getPublicKey(), root),
    server,
  );
  return {
    aci,
    deviceId,
    registrationId: 4711,
    publicKey: identity.getPublicKey().serialize(),
    privateKey: identity.serialize(),
    rootPublicKey: root.getPublicKey().serialize(),
    certificate: certificate.serialize(),
  };
}
