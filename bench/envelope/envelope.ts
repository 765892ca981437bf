// One v1 envelope, sealed and unsealed, by sealcast and its peers: on the same inputs, in one run.
import { availableParallelism } from 'node:os';
import { findAvailableKernels, type AvailableKernels } from '../kernel/available.js';
import { runX25519Rounds } from '../kernel/x25519.js';
import { runRounds } from '../measure/rounds.js';
import { describeEnvironment, NODE_MAJOR } from '../report/environment.js';
import { createInputs } from './inputs.js';
import { createPeerTasks } from './peer-tasks.js';
import type { EnvelopeCase, EnvelopePlan } from './plan.js';
import type { CaseResult, EnvelopeResult } from './report.js';
import { roundTasks, rowsOf, type Operation } from './rows.js';
import { SealcastTasks, type Variant } from './sealcast-tasks.js';
import { targetResults } from './targets.js';

type OnProgress = (message: string) => void;

interface MeasuredCase {
  readonly result: CaseResult;
  readonly skippedPeers: readonly string[];
}

const CHECKED_ENVELOPE_COUNT = 64;
/** A call with few recipients is repeated until a sample has about as many envelopes. */
const SAMPLE_ENVELOPES = 512;
/** Sealing and preparing meet the same recipients; unsealing has rounds of its own. */
const TOGETHER: readonly (readonly Operation[])[] = [['seal', 'prepare'], ['unseal']];

export async function runEnvelopeBench(
  plan: EnvelopePlan,
  onProgress: OnProgress,
): Promise<EnvelopeResult> {
  const kernels = await findAvailableKernels();
  const full = await runCase(plan.full, kernels, onProgress);
  const others: CaseResult[] = [];
  for (const other of plan.others) others.push((await runCase(other, kernels, onProgress)).result);
  onProgress('bare X25519');
  const x25519 = await runX25519Rounds([kernels.picked, ...kernels.others]);
  return {
    benchmark: 'envelope',
    environment: describeEnvironment(),
    kernel: kernels.picked,
    skipped: [...kernels.skipped, ...full.skippedPeers],
    cases: [full.result, ...others],
    x25519,
    targets: targetResults(NODE_MAJOR, { rows: full.result.rows, x25519, kernel: kernels.picked }),
  };
}

async function runCase(
  envelopeCase: EnvelopeCase,
  kernels: AvailableKernels,
  onProgress: OnProgress,
): Promise<MeasuredCase> {
  const { contentBytes, recipientCount, roundCount, warmupRoundCount, everything } = envelopeCase;
  const title = `${contentBytes} bytes, ${recipientCount} recipients`;
  onProgress(`${title}: making subscribers`);
  const callsPerRound = Math.ceil(SAMPLE_ENVELOPES / recipientCount);
  const inputs = await createInputs(recipientCount, contentBytes);
  const peers = await createPeerTasks(
    inputs,
    everything ? 'all' : 'libsignal',
    CHECKED_ENVELOPE_COUNT,
  );
  const sealcast = await SealcastTasks.create({
    inputs,
    contentBytes,
    recipientCount,
    callsPerRound,
    totalRoundCount: roundCount + warmupRoundCount,
    variants: variantsOf(kernels, everything),
    everyState: everything,
    checkedEnvelopeCount: CHECKED_ENVELOPE_COUNT,
  });
  try {
    const tasks = [...sealcast.tasks, ...peers.tasks];
    const rows: CaseResult['rows'][number][] = [];
    for (const operations of TOGETHER) {
      const together = tasks.filter(({ identity }) => operations.includes(identity.operation));
      const samples = await runRounds(roundTasks(together), {
        roundCount,
        warmupRoundCount,
        onRound: (finished) =>
          onProgress(`${title}: ${operations[0] ?? ''}: round ${finished} of ${roundCount}`),
      });
      rows.push(...rowsOf(together, samples));
    }
    return {
      result: { contentBytes, recipientCount, roundCount, callsPerRound, rows },
      skippedPeers: peers.skipped,
    };
  } finally {
    await sealcast.close();
    await peers.close();
  }
}

/**
 * The kernel that sealcast picks by itself, on one thread; with `everything` on all of them too,
 * and the other kernels.
 */
function variantsOf({ picked, others }: AvailableKernels, everything: boolean): Variant[] {
  const threads = availableParallelism();
  const oneThread = (kernel: Variant['kernel']): Variant => ({ kernel, threads: 1 });
  if (!everything) return [oneThread(picked)];
  return [
    oneThread(picked),
    ...(threads > 1 ? [{ kernel: picked, threads }] : []),
    ...others.map(oneThread),
  ];
}
