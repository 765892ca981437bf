// Interleaved rounds: every task once a round, in an order that moves on by one, so that what disturbs the machine
// disturbs all of them, and ratios are taken within a round.
import { Bench } from 'tinybench';

export interface RoundTask {
  readonly name: string;
  readonly envelopeCount: number;
  /** What must be ready before the clock runs. */
  readonly prepare?: () => void | Promise<void>;
  readonly run: () => Promise<unknown>;
}

/** Of one task in one round, an envelope. */
export interface RoundSample {
  readonly microseconds: number;
  /** Of all the process's threads: what a task that works on several of them takes from the machine. */
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
  for (let round = 0; round < warmupRoundCount + roundCount; round++) {
    const firstTask = round % tasks.length;
    const ofRound = await runRound([...tasks.slice(firstTask), ...tasks.slice(0, firstTask)]);
    if (round < warmupRoundCount) continue;
    for (const [name, sample] of ofRound) samples.get(name)?.push(sample);
    onRound?.(round + 1 - warmupRoundCount);
  }
  return samples;
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
    bench.add(name, runOnce, { async: true, ...(prepare && { beforeEach: () => prepare() }) });
  }
  await bench.run();
  return new Map(
    tasks.map(({ name, envelopeCount }) => {
      const result = bench.getTask(name)?.result;
      const cpu = cpuMicroseconds.get(name);
      if (result?.state !== 'completed' || cpu === undefined) throw new Error(`${name} did not complete`);
      const microseconds = result.latency.mean * 1000;
      return [name, { microseconds: microseconds / envelopeCount, cpuMicroseconds: cpu / envelopeCount }];
    }),
  );
}
