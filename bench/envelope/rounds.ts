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

/** Microseconds an envelope, by task name: one sample a round. */
export type RoundSamples = ReadonlyMap<string, readonly number[]>;

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
  const samples = new Map<string, number[]>(tasks.map(({ name }) => [name, []]));
  for (let round = 0; round < warmupRoundCount + roundCount; round++) {
    const firstTask = round % tasks.length;
    const latencies = await runRound([...tasks.slice(firstTask), ...tasks.slice(0, firstTask)]);
    if (round < warmupRoundCount) continue;
    for (const [name, microsecondsPerEnvelope] of latencies) samples.get(name)?.push(microsecondsPerEnvelope);
    onRound?.(round + 1 - warmupRoundCount);
  }
  return samples;
}

async function runRound(tasks: readonly RoundTask[]): Promise<Map<string, number>> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  for (const { name, prepare, run } of tasks) {
    bench.add(name, run, { async: true, ...(prepare && { beforeEach: () => prepare() }) });
  }
  await bench.run();
  return new Map(
    tasks.map(({ name, envelopeCount }) => {
      const result = bench.getTask(name)?.result;
      if (result?.state !== 'completed') throw new Error(`${name} did not complete`);
      return [name, (result.latency.mean * 1000) / envelopeCount];
    }),
  );
}
