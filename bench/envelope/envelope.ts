// One v1 envelope, sealed and unsealed, by sealcast and its peers: on the same inputs, in one run.
import { PrivateKey } from '@signalapp/libsignal-client';
import { availableParallelism } from 'node:os';
import { seededBytes } from '../../test/support/seeded-random.js';
import { checkPeer } from '../peers/check.js';
import { createLibsignalPeer } from '../peers/libsignal.js';
import { createNoblePeer } from '../peers/noble.js';
import { createOpensslPeer } from '../peers/openssl.js';
import type { EnvelopeInputs, Peer } from '../peers/peer.js';
import { createSealcastPeer, sealFor, unsealWith, type SealcastPeer } from '../peers/sealcast.js';
import { describeEnvironment } from '../report/environment.js';
import { createIncoming, createInputs, createStrangers } from './inputs.js';
import { rowsOf, type EnvelopeResult } from './report.js';
import { runRounds, type RoundTask } from './rounds.js';

export interface EnvelopeBenchOptions {
  readonly recipientCount: number;
  readonly contentBytes: number;
  readonly roundCount: number;
  readonly warmupRoundCount: number;
  readonly onProgress: (message: string) => void;
}

const CHECKED_ENVELOPE_COUNT = 64;
/** noble takes some twenty times as long as the others: it is timed on fewer envelopes. */
const NOBLE_ENVELOPE_COUNT = 32;

export async function runEnvelopeBench(options: EnvelopeBenchOptions): Promise<EnvelopeResult> {
  const { recipientCount, contentBytes, roundCount, warmupRoundCount, onProgress } = options;
  onProgress(`making ${recipientCount} subscribers`);
  const inputs = await createInputs(recipientCount, contentBytes);

  const oneThread = await createSealcastPeer(inputs, recipientCount, 1);
  const allThreads = await createSealcastPeer(inputs, recipientCount, availableParallelism());
  // These two never seal: what their unsealing keeps of a sender comes from unsealing alone.
  const validating = await createSealcastPeer(inputs, recipientCount, 1);
  const unacquainted = await createSealcastPeer(inputs, recipientCount, 1);
  const libsignal = createLibsignalPeer(inputs, recipientCount);
  const noble = createNoblePeer(inputs, Math.min(NOBLE_ENVELOPE_COUNT, recipientCount));
  const peers: readonly Peer[] = [
    oneThread,
    ...(allThreads.threads > 1 ? [allThreads] : []),
    libsignal,
    createOpensslPeer(inputs, recipientCount, { cacheStaticSecrets: false }),
    createOpensslPeer(inputs, recipientCount, { cacheStaticSecrets: true }),
    noble,
  ];
  try {
    onProgress('checking every peer against libsignal');
    for (const peer of peers) await checkPeer(peer, inputs, Math.min(CHECKED_ENVELOPE_COUNT, peer.envelopesPerRound));

    const rounds = (operation: string): Parameters<typeof runRounds>[1] => ({
      roundCount,
      warmupRoundCount,
      onRound: (finishedRoundCount) => onProgress(`${operation}: round ${finishedRoundCount} of ${roundCount}`),
    });
    const sealTasks = [...peers.map((peer) => taskOf('seal', peer)), firstSightTask(oneThread, inputs)];
    const unsealTasks = [
      ...peers.map((peer) => taskOf('unseal', peer)),
      validatingTask(validating, inputs),
      strangersTask(unacquainted, inputs, contentBytes),
    ];
    const baselines = { libsignal: libsignal.name, noble: noble.name };
    const sealSamples = await runRounds(sealTasks, rounds('seal'));
    const unsealSamples = await runRounds(unsealTasks, rounds('unseal'));
    return {
      benchmark: 'envelope',
      environment: describeEnvironment(),
      kernel: oneThread.kernel,
      recipientCount,
      contentBytes,
      roundCount,
      envelopesPerRound: Object.fromEntries(peers.map(({ name, envelopesPerRound }) => [name, envelopesPerRound])),
      rows: [...rowsOf('seal', sealSamples, baselines), ...rowsOf('unseal', unsealSamples, baselines)],
    };
  } finally {
    for (const peer of [...peers, allThreads, validating, unacquainted]) await peer.close();
  }
}

function taskOf(operation: 'seal' | 'unseal', peer: Peer): RoundTask {
  const envelopeCount = peer.envelopesPerRound;
  return { name: peer.name, envelopeCount, run: () => peer[operation](envelopeCount) };
}

/** Sealing for recipients that the Sealer meets for the first time: DH(S, R) is computed as well. */
function firstSightTask(peer: SealcastPeer, inputs: EnvelopeInputs): RoundTask {
  const envelopeCount = peer.envelopesPerRound;
  let strangerKeys: Uint8Array[] = [];
  return {
    name: `${peer.name}, recipients never seen`,
    envelopeCount,
    prepare() {
      strangerKeys = Array.from({ length: envelopeCount }, () => PrivateKey.generate().getPublicKey().serialize());
    },
    run: () => sealFor(peer.sealer, strangerKeys, inputs.contents, envelopeCount),
  };
}

/** Unsealing with certificates validated, from senders whose certificate was seen before. */
function validatingTask(peer: SealcastPeer, inputs: EnvelopeInputs): RoundTask {
  const envelopeCount = peer.envelopesPerRound;
  const options = { trustRoots: [inputs.authority.trustRoot], timestamp: Date.now() };
  return {
    name: `${peer.name}, certificates validated`,
    envelopeCount,
    run: () => unsealWith(peer.sealer, inputs.incoming, envelopeCount, options),
  };
}

/** Unsealing from senders that the Sealer meets for the first time: keys and certificates are new in every round. */
function strangersTask(peer: SealcastPeer, inputs: EnvelopeInputs, contentBytes: number): RoundTask {
  const envelopeCount = peer.envelopesPerRound;
  const random = seededBytes('bench/strangers');
  let envelopes: readonly Uint8Array[] = [];
  return {
    name: `${peer.name}, senders never seen`,
    envelopeCount,
    async prepare() {
      const strangers = createStrangers(envelopeCount);
      ({ envelopes } = await createIncoming(inputs.authority, inputs.sender, strangers, contentBytes, random));
    },
    run: () => unsealWith(peer.sealer, envelopes, envelopeCount),
  };
}
