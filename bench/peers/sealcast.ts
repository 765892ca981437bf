// sealcast itself, through its public name, as its users call it: one batch a call.
import { Sealer, type SealOptions, type UnsealOptions } from 'sealcast';
import type { KernelChoice } from 'sealcast/kernel';
import { entry, type EnvelopeInputs, type Peer } from './peer.js';

export interface SealcastPeer extends Peer {
  readonly kernel: string;
  readonly threads: number;
  readonly sealer: Sealer;
}

export interface SealcastOptions {
  readonly threads: number;
  readonly kernel?: KernelChoice;
  /** sealcast's own default where not given. */
  readonly recipientCacheBytes?: number;
}

export async function createSealcastPeer(
  inputs: EnvelopeInputs,
  envelopesPerRound: number,
  options: SealcastOptions,
): Promise<SealcastPeer> {
  const sealer = await Sealer.create({ identityKeyPair: inputs.sender, ...options });
  const { kernel, threads } = sealer.stats();
  return {
    name: `sealcast (${kernel}), ${formatThreads(threads)}`,
    kernel,
    threads,
    sealer,
    envelopesPerRound,
    seal: (envelopeCount) => sealFor(sealer, inputs.subscriberKeys, inputs.contents, envelopeCount),
    unseal: (envelopeCount) => unsealWith(sealer, inputs.incoming, envelopeCount),
    close: () => sealer.close(),
  };
}

export function formatThreads(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`;
}

/** Gives every recipient all that can be computed ahead; fails unless it holds afterwards. */
export async function prepareAll(
  sealer: Sealer,
  recipientKeys: readonly Uint8Array[],
): Promise<void> {
  for (const result of await sealer.prepare(recipientKeys)) if (!result.ok) throw result.error;
  const { tables } = sealer.stats();
  if (tables < recipientKeys.length) {
    throw new Error(`only ${tables} of ${recipientKeys.length} recipients got a table`);
  }
}

/** Seals contents[i] for the holder of recipientKeys[i]. */
export async function sealFor(
  sealer: Sealer,
  recipientKeys: readonly Uint8Array[],
  contents: readonly Uint8Array[],
  envelopeCount: number,
  options: SealOptions = {},
): Promise<Uint8Array[]> {
  const requests = Array.from({ length: envelopeCount }, (_, i) => ({
    recipientIdentityKey: entry(recipientKeys, i),
    content: entry(contents, i),
  }));
  const results = await sealer.seal(requests, options);
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return result.envelope;
  });
}

/**
 * Unseals with trust roots. The certificates are validated, and DH(S, R) is kept of senders whose
 * certificate held.
 */
export async function unsealWith(
  sealer: Sealer,
  envelopes: readonly Uint8Array[],
  envelopeCount: number,
  options: UnsealOptions = {},
): Promise<Uint8Array[]> {
  const results = await sealer.unseal(envelopes.slice(0, envelopeCount), options);
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return result.content;
  });
}
