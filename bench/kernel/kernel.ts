// Parts of the kernel, each against the best available peer: on the same inputs, in one run.
import { runRounds, timesAsFast, samplesOf, type RoundSamples } from '../measure/rounds.js';
import { quantile, summarize } from '../measure/statistics.js';
import { calibrated, requireSameResults, type Subject } from '../measure/subject.js';
import { describeEnvironment } from '../report/environment.js';
import { curveOperations } from './curve-operations.js';
import { loadInnerKernels, type InnerKernel } from './inner-kernel.js';
import type { KernelOperation } from './operation.js';
import type { KernelResult, KernelRow } from './report.js';
import { symmetricOperations } from './symmetric-operations.js';

export interface KernelBenchOptions {
  readonly roundCount: number;
  readonly onProgress: (message: string) => void;
}

export async function runKernelBench({
  roundCount,
  onProgress,
}: KernelBenchOptions): Promise<KernelResult> {
  const { kernels, picked, skipped } = loadInnerKernels();
  const rows: KernelRow[] = [];
  for (const operation of [...curveOperations(), ...symmetricOperations()]) {
    onProgress(operation.name);
    rows.push(...(await measure(operation, kernels, roundCount)));
  }
  return {
    benchmark: 'kernel',
    environment: describeEnvironment(),
    kernels: kernels.map(({ name }) => name),
    picked,
    skipped,
    roundCount,
    rows,
  };
}

async function measure(
  operation: KernelOperation,
  kernels: readonly InnerKernel[],
  roundCount: number,
): Promise<KernelRow[]> {
  const ofKernels = kernels.map((kernel) => ({ kernel, subjects: operation.ofKernel(kernel) }));
  const ours = ofKernels.flatMap(({ subjects }) => subjects);
  if (ours.length === 0) return [];
  const subjects = [...ours, ...operation.peers];
  requireSameResults(operation.name, subjects);
  const samples = await runRounds(subjects.map(calibrated), { roundCount, warmupRoundCount: 1 });
  const bestPeer = fastest(operation.peers, samples);
  return subjects.map(({ name }) => ({
    operation: operation.name,
    ...(operation.bytes !== undefined && { bytes: operation.bytes }),
    name,
    kernel:
      ofKernels.find(({ subjects: own }) => own.some((subject) => subject.name === name))?.kernel
        .name ?? null,
    nanoseconds: summarize(samplesOf(samples, name).map(({ microseconds }) => microseconds * 1000)),
    ...(bestPeer !== undefined && {
      bestPeer,
      timesBestPeer: timesAsFast(samples, name, bestPeer),
    }),
  }));
}

function fastest(subjects: readonly Subject[], samples: RoundSamples): string | undefined {
  const median = (name: string): number =>
    quantile(
      samplesOf(samples, name).map(({ microseconds }) => microseconds),
      0.5,
    );
  return subjects.map(({ name }) => name).sort((a, b) => median(a) - median(b))[0];
}
