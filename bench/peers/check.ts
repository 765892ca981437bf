// No peer is timed before libsignal has opened what it seals, and it has opened what libsignal
// sealed.
import { sealedSenderDecryptToUsmc } from '@signalapp/libsignal-client';
import { copyBytes, equalBytes } from '../../test/reference/bytes.js';
import { entry, type EnvelopeInputs, type Peer } from './peer.js';

export async function checkPeer(
  peer: Peer,
  inputs: EnvelopeInputs,
  envelopeCount: number,
): Promise<void> {
  const envelopes = await peer.seal(envelopeCount);
  if (envelopes.length !== envelopeCount)
    throw new Error(`${peer.name} sealed ${envelopes.length} of ${envelopeCount}`);
  for (const [i, envelope] of envelopes.entries()) {
    const usmc = await sealedSenderDecryptToUsmc(
      copyBytes(envelope),
      entry(inputs.subscribers, i).store,
    );
    requireEqual(
      usmc.serialize(),
      entry(inputs.contents, i),
      `${peer.name} sealed something else in envelope ${i}`,
    );
  }

  const contents = await peer.unseal(envelopeCount);
  if (contents.length !== envelopeCount)
    throw new Error(`${peer.name} opened ${contents.length} of ${envelopeCount}`);
  for (const [i, content] of contents.entries()) {
    requireEqual(
      content,
      entry(inputs.incomingContents, i),
      `${peer.name} read something else in envelope ${i}`,
    );
  }
}

function requireEqual(actual: Uint8Array, expected: Uint8Array, complaint: string): void {
  if (!equalBytes(actual, expected)) throw new Error(complaint);
}
