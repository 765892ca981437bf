// Sealed replies of known senders, received, against the plain loop over libsignal: messages a
// second, processors, event loop, memory. The store is LMDB on the disk; the service is a transport
// that delivers, and counts what is acknowledged.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { summarize, type Summary } from '../measure/statistics.js';
import { THREAD_KINDS, type ThreadKind, type ThreadTimes } from '../measure/thread-cpu.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import type { LoopReading } from './loop-child.js';
import { BATCHES, Population } from './population.js';
import type { ReceiveReading } from './receive-child.js';
import type { StageReading } from './stages-child.js';

/**
 * Batches of the rows: a process's first one, a later one, and receipts. In the first, code is
 * compiled and certificates are new.
 */
export const ROW_BATCHES = { first: 'reply-1', later: 'reply-3', receipts: 'receipt' } as const;
export type RowName = keyof typeof ROW_BATCHES;

/** Of one batch, over all rounds. */
export interface ReceiveRow {
  readonly batch: RowName;
  /** Letters that the service has on their way unacknowledged: its own 256, or all of them. */
  readonly window: 'service' | 'all';
  readonly microsecondsEach: Summary;
  readonly cpuMicrosecondsEach: Summary;
  /** By kind of thread; absent where the system does not tell. */
  readonly threadMicrosecondsEach?: Readonly<Record<ThreadKind, Summary>>;
  /** Part of the main thread's time in which it collects garbage. */
  readonly mainGcMicrosecondsEach: Summary;
  /** How many times as fast as the plain loop it is in the same round. */
  readonly timesLoop: Summary;
  readonly loopP50Ms: Summary;
  readonly loopP99Ms: Summary;
  readonly loopMaxMs: Summary;
  readonly anonymousMegabytes: Summary;
}

export interface ReceiveResult {
  readonly benchmark: 'receive';
  readonly environment: Environment;
  readonly threads: number;
  readonly messages: number;
  readonly rounds: number;
  readonly serviceWindow: number;
  /** The plain loop, one thread, in memory: µs a message, of each row's batch. */
  readonly loop: Readonly<Record<RowName, Summary>>;
  /**
   * µs of all processors, a message: each stage alone, and all of a later batch, in which they
   * disturb each other.
   */
  readonly stages: StageReading & { readonly whole: number };
  readonly rows: readonly ReceiveRow[];
}

export interface ReceiveBenchOptions {
  readonly messageCount: number;
  readonly roundCount: number;
  readonly threads: number;
  /** A folder of senders made by an earlier run; made, and left, where it is not there. */
  readonly population: string | undefined;
  readonly onProgress: (message: string) => void;
}

/** Unacknowledged messages at which Signal's service stops. */
const SERVICE_WINDOW = 256;
const MAX_OUTPUT_BYTES = 2 ** 20;
const run = promisify(execFile);
const childPath = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

interface Round {
  readonly loop: readonly LoopReading[];
  /** Readings of a round that delivers all at once, as no real service does. */
  readonly readings: Readonly<Partial<Record<ReceiveRow['window'], readonly ReceiveReading[]>>>;
}

export async function runReceiveBench(options: ReceiveBenchOptions): Promise<ReceiveResult> {
  const { messageCount, roundCount, threads, population: given, onProgress } = options;
  const root = given ?? mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  const directory = join(root, `received-${messageCount}`);
  try {
    await new Population(directory).ensure(messageCount, onProgress);
    const rounds: Round[] = [];
    for (let round = 0; round < roundCount; round++) {
      onProgress(`plain loop and receiver, round ${round + 1} of ${roundCount}`);
      const loop = await readChild<LoopReading[]>('loop-child', [directory]);
      const service = await readFromCopy<ReceiveReading[]>(
        'receive-child',
        directory,
        threads,
        SERVICE_WINDOW,
      );
      if (round < roundCount - 1) rounds.push({ loop, readings: { service } });
      else {
        const all = await readFromCopy<ReceiveReading[]>(
          'receive-child',
          directory,
          threads,
          messageCount,
        );
        rounds.push({ loop, readings: { service, all } });
      }
    }
    onProgress('stages');
    const stages = await readFromCopy<StageReading>('stages-child', directory, threads);
    return resultOf(rounds, stages, threads, messageCount);
  } finally {
    if (given === undefined) rmSync(root, { recursive: true, force: true });
  }
}

function resultOf(
  rounds: readonly Round[],
  stages: StageReading,
  threads: number,
  messages: number,
): ReceiveResult {
  const names = Object.keys(ROW_BATCHES) as RowName[];
  const rows = (['service', 'all'] as const).flatMap((window) =>
    names.map((batch) => rowOf(rounds, window, batch)),
  );
  const loop = Object.fromEntries(
    names.map((name) => [
      name,
      summarize(rounds.map((round) => loopOf(round, name).microsecondsEach)),
    ]),
  ) as Record<RowName, Summary>;
  const later = rows.find(({ batch, window }) => batch === 'later' && window === 'service');
  return {
    benchmark: 'receive',
    environment: describeEnvironment(),
    threads,
    messages,
    rounds: rounds.length,
    serviceWindow: SERVICE_WINDOW,
    loop,
    stages: { ...stages, whole: later?.cpuMicrosecondsEach.median ?? NaN },
    rows,
  };
}

function rowOf(rounds: readonly Round[], window: ReceiveRow['window'], batch: RowName): ReceiveRow {
  const pairs = rounds.flatMap((round) => {
    const readings = round.readings[window];
    return readings === undefined
      ? []
      : [{ reading: at(readings, batch), loop: loopOf(round, batch) }];
  });
  const of = (
    name: Exclude<keyof ReceiveReading, 'stageMsEach' | 'threadMicrosecondsEach'>,
  ): Summary => summarize(pairs.map(({ reading }) => reading[name]));
  const threads = threadTimesOf(
    pairs.flatMap(({ reading }) => reading.threadMicrosecondsEach ?? []),
  );
  const ratios = pairs.map(({ reading, loop }) => loop.microsecondsEach / reading.microsecondsEach);
  return {
    batch,
    window,
    microsecondsEach: of('microsecondsEach'),
    cpuMicrosecondsEach: of('cpuMicrosecondsEach'),
    ...(threads !== undefined && { threadMicrosecondsEach: threads }),
    mainGcMicrosecondsEach: of('mainGcMicrosecondsEach'),
    timesLoop: summarize(ratios),
    loopP50Ms: of('loopP50Ms'),
    loopP99Ms: of('loopP99Ms'),
    loopMaxMs: of('loopMaxMs'),
    anonymousMegabytes: of('anonymousMegabytes'),
  };
}

function threadTimesOf(
  times: readonly ThreadTimes[],
): Readonly<Record<ThreadKind, Summary>> | undefined {
  if (times.length === 0) return undefined;
  return Object.fromEntries(
    THREAD_KINDS.map((kind) => [kind, summarize(times.map((each) => each[kind]))]),
  ) as Record<ThreadKind, Summary>;
}

const loopOf = ({ loop }: Round, name: RowName): LoopReading => at(loop, name);

function at<Reading>(readings: readonly Reading[], name: RowName): Reading {
  const reading = readings[BATCHES.indexOf(ROW_BATCHES[name])];
  if (reading === undefined) throw new Error('a benchmark read nothing');
  return reading;
}

async function readChild<Reading>(name: string, rest: readonly string[]): Promise<Reading> {
  const { stdout } = await run(process.execPath, [childPath(name), ...rest], {
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return JSON.parse(stdout) as Reading;
}

/** Each process has a store of its own, as it was before anything was received. */
async function readFromCopy<Reading>(
  name: string,
  directory: string,
  ...rest: number[]
): Promise<Reading> {
  const copy = mkdtempSync(join(tmpdir(), 'sealcast-bench-store-'));
  try {
    cpSync(new Population(directory).storePath, copy, { recursive: true });
    return await readChild<Reading>(name, [directory, copy, ...rest.map(String)]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
