// libsignal's native addon, as an application drives it: one envelope after the other, with USMCs
// built beforehand and an identity store in plain JavaScript. (Starting all of them at once and
// awaiting the lot was measured as well; it takes as long.)
import { sealedSenderDecryptToUsmc, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { entry, type EnvelopeInputs, type Peer } from './peer.js';

export function createLibsignalPeer(inputs: EnvelopeInputs, envelopesPerRound: number): Peer {
  return {
    name: 'libsignal addon',
    envelopesPerRound,
    async seal(envelopeCount) {
      const envelopes: Uint8Array[] = [];
      for (let i = 0; i < envelopeCount; i++) {
        const { address } = entry(inputs.subscribers, i);
        envelopes.push(
          await sealedSenderEncrypt(entry(inputs.usmcs, i), address, inputs.senderStore),
        );
      }
      return envelopes;
    },
    async unseal(envelopeCount) {
      const contents: Uint8Array[] = [];
      for (let i = 0; i < envelopeCount; i++) {
        const usmc = await sealedSenderDecryptToUsmc(entry(inputs.incoming, i), inputs.senderStore);
        contents.push(usmc.serialize());
      }
      return contents;
    },
    close: () => Promise.resolve(),
  };
}
