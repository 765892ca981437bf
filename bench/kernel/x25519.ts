// Bare X25519 in batches, through the public name, against one call after the other of each peer.
import { loadKernel, type KernelName } from 'sealcast/kernel';
import { microsecondsOf, runRounds, timesAsFast } from '../measure/rounds.js';
import { summarize, type Summary } from '../measure/statistics.js';
import { calibrated, requireSameResults, type Subject } from '../measure/subject.js';
import {
  createX25519Inputs,
  joinPoints,
  joinScalars,
  OPENSSL_X25519,
  sharedSecretPeers,
} from '../peers/x25519.js';

export interface X25519Row {
  readonly name: string;
  /** null for peers. */
  readonly kernel: string | null;
  readonly microseconds: Summary;
  /** How many times as fast as crypto.diffieHellman. */
  readonly timesOpenssl: Summary;
}

const BATCH = 256;
const ROUND_COUNT = 21;

export async function runX25519Rounds(kernelNames: readonly KernelName[]): Promise<X25519Row[]> {
  const inputs = createX25519Inputs(BATCH);
  const [scalars, points] = [joinScalars(inputs), joinPoints(inputs)];
  const kernels = await Promise.all(kernelNames.map((kernel) => loadKernel({ kernel })));
  const ofKernels = kernels.map((kernel): Subject & { readonly kernel: string } => ({
    name: `sealcast (${kernel.name})`,
    kernel: kernel.name,
    operationsPerTurn: BATCH,
    run(turns) {
      for (let turn = 0; turn < turns; turn++) kernel.x25519(scalars, points);
    },
    result: () => kernel.x25519(scalars, points),
  }));
  const peers = sharedSecretPeers(inputs, BATCH).map((peer) => ({ ...peer, kernel: null }));
  const subjects = [...ofKernels, ...peers];
  requireSameResults('bare X25519', subjects);
  const samples = await runRounds(subjects.map(calibrated), {
    roundCount: ROUND_COUNT,
    warmupRoundCount: 1,
  });
  return subjects.map(({ name, kernel }) => ({
    name,
    kernel,
    microseconds: summarize(microsecondsOf(samples, name)),
    timesOpenssl: timesAsFast(samples, name, OPENSSL_X25519),
  }));
}
