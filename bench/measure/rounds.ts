// Interleaved rounds: every task once a round, in an order that moves on by one, so that what
// disturbs the machine disturbs all of them, and ratios are taken within a round.
import { Bench } from 'tinybench';
import { clearGarbage, clearYoungGarbage } from './garbage.js';
import { summarize, type Summary } from './statistics.js';

export interface RoundTask {
  readonly name: string;
  /** Operations of one run: envelopes, shared secrets, hashes. */
  readonly operationCount: number;
  /** Prepares a run before the clock starts. */
  readonly prepare?: () => void | Promise<void>;
  readonly run: () => unknown;
}

/** Of one task in one round, an operation. */
export interface RoundSample {
  readonly microseconds: number;
  /**
   * Of all the process's threads: what a task that works on several of them takes from the machine.
   */
  readonly cpuMicroseconds: number;
}

/** By task name: one sample a round. */
export type RoundSamples = ReadonlyMap<string, readonly RoundSample[]>;

export interface RoundOptions {
  readonly roundCount: number;
  /** Rounds before the first that counts: code is compiled, recipients become known. */
  readonly warmupRoundCount: number;
  readonly onRound?: (finishedRoundCount: number) => void;
}

export async function runRounds(
  tasks: readonly RoundTask[],
  { roundCount, warmupRoundCount, onRound }: RoundOptions,
): Promise<RoundSamples> {
  const samples = new Map<string, RoundSample[]>(tasks.map(({ name }) => [name, []]));
  if (samples.size !== tasks.length) throw new Error('two tasks have one name');
  for (let round = 0; round < warmupRoundCount + roundCount; round++) {
    const firstTask = round % tasks.length;
    const ofRound = await runRound([...tasks.slice(firstTask), ...tasks.slice(0, firstTask)]);
    if (round < warmupRoundCount) continue;
    for (const [name, sample] of ofRound) samples.get(name)?.push(sample);
    onRound?.(round + 1 - warmupRoundCount);
  }
  return samples;
}

/** How many times as fast as the baseline a task is: quartiles of the ratios within each round. */
export function timesAsFast(samples: RoundSamples, name: string, baseline: string): Summary {
  const baselines = microsecondsOf(samples, baseline);
  return summarize(
    microsecondsOf(samples, name).map(
      (microseconds, round) => (baselines[round] ?? NaN) / microseconds,
    ),
  );
}

export function microsecondsOf(samples: RoundSamples, name: string): number[] {
  return samplesOf(samples, name).map(({ microseconds }) => microseconds);
}

export function samplesOf(samples: RoundSamples, name: string): readonly RoundSample[] {
  const found = samples.get(name);
  if (found === undefined) throw new Error(`no samples of ${name}`);
  return found;
}

async function runRound(tasks: readonly RoundTask[]): Promise<Map<string, RoundSample>> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  const cpuMicroseconds = new Map<string, number>();
  for (const { name, prepare, run } of tasks) {
    const runOnce = async (): Promise<void> => {
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      cpuMicroseconds.set(name, user + system);
    };
    const beforeEach = async (): Promise<void> => {
      await prepare?.();
      await clearYoungGarbage();
    };
    bench.add(name, runOnce, { async: true, beforeEach });
  }
  await clearGarbage();
  await bench.run();
  return new Map(
    tasks.map(({ name, operationCount }) => {
      const result = bench.getTask(name)?.result;
      const cpu = cpuMicroseconds.get(name);
      if (result?.state !== 'completed' || cpu === undefined)
        throw new Error(`${name} did not complete`);
      const microseconds = result.latency.mean * 1000;
      return [
        name,
        { microseconds: microseconds / operationCount, cpuMicroseconds: cpu / operationCount },
      ];
    }),
  );
}
