import { checkPeer } from '../peers/check.js';
import { createLibsignalPeer } from '../peers/libsignal.js';
import { createNoblePeer } from '../peers/noble.js';
import { createOpensslPeer } from '../peers/openssl.js';
import type { EnvelopeInputs, Peer } from '../peers/peer.js';
import { createRustPeer, RUST_MISSING, type RustPeerOptions } from '../peers/rust.js';
import type { EnvelopeTask, RustName, SubjectName } from './rows.js';

/** noble takes some twenty times as long as the others: it is timed on fewer envelopes. */
const NOBLE_ENVELOPE_COUNT = 16;
/** Enough envelopes for a sample: libsignal's time for one does not depend on their number. */
const MAX_ENVELOPE_COUNT = 1_024;
const MIN_ENVELOPE_COUNT = 256;

const RUST_KEEPS: readonly (readonly [RustName, RustPeerOptions['keep']])[] = [
  ['rust', 'nothing'],
  ['rust-kept', 'staticSecrets'],
  ['rust-tables', 'tables'],
];

export interface PeerTasks {
  readonly tasks: readonly EnvelopeTask[];
  /** One line for each peer that does not run here. */
  readonly skipped: readonly string[];
  close(): Promise<void>;
}

/** The peers, each one call after the other on this thread, checked against libsignal. */
export async function createPeerTasks(
  inputs: EnvelopeInputs,
  which: 'all' | 'libsignal',
  checkedEnvelopeCount: number,
): Promise<PeerTasks> {
  const envelopeCount = Math.min(MAX_ENVELOPE_COUNT, inputs.contents.length);
  const peers: [SubjectName, Peer][] = [['libsignal', createLibsignalPeer(inputs, envelopeCount)]];
  const skipped: string[] = [];
  if (which === 'all') {
    peers.push(
      ['openssl', createOpensslPeer(inputs, envelopeCount, { cacheStaticSecrets: false })],
      ['openssl-kept', createOpensslPeer(inputs, envelopeCount, { cacheStaticSecrets: true })],
      ['noble', createNoblePeer(inputs, Math.min(NOBLE_ENVELOPE_COUNT, envelopeCount))],
    );
    const rust = rustPeers(inputs, envelopeCount);
    peers.push(...rust);
    if (rust.length === 0) skipped.push(RUST_MISSING);
  }
  for (const [, peer] of peers)
    await checkPeer(peer, inputs, Math.min(checkedEnvelopeCount, peer.envelopesPerRound));
  return {
    tasks: peers.flatMap(([subject, peer]) => [
      taskOf('seal', subject, peer),
      // Tables serve sealing alone.
      ...(subject === 'rust-tables' ? [] : [taskOf('unseal', subject, peer)]),
    ]),
    skipped,
    async close() {
      for (const [, peer] of peers) await peer.close();
    },
  };
}

function rustPeers(inputs: EnvelopeInputs, envelopeCount: number): [RustName, Peer][] {
  return RUST_KEEPS.flatMap(([name, keep]): [RustName, Peer][] => {
    const peer = createRustPeer(inputs, envelopeCount, { keep });
    return peer === null ? [] : [[name, peer]];
  });
}

function taskOf(operation: 'seal' | 'unseal', subject: SubjectName, peer: Peer): EnvelopeTask {
  const { envelopesPerRound } = peer;
  // With few subscribers it goes over them several times, for a sample that a clock can tell from
  // the next one.
  const callCount = subject === 'noble' ? 1 : Math.ceil(MIN_ENVELOPE_COUNT / envelopesPerRound);
  return {
    identity: { operation, subject, kernel: null, threads: 1, acquaintance: null },
    task: {
      operationCount: envelopesPerRound * callCount,
      run: async () => {
        for (let call = 0; call < callCount; call++) await peer[operation](envelopesPerRound);
      },
    },
  };
}
