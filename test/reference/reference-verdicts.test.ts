import {
  PublicKey,
  sealedSenderDecryptToUsmc,
  sealedSenderEncrypt,
} from '@signalapp/libsignal-client';
import { describe, expect, it } from 'vitest';
import { copyBytes, equalBytes, fromHex } from './bytes.js';
import { encodePublicKey, sealV1, unsealV1 } from './envelope-v1.js';
import { makeOddEnvelopes } from '../harness/odd-envelopes.js';
import { seededBytes } from '../harness/seeded-random.js';
import {
  createWorld,
  keyPairBytes,
  smallestUsmcBytes,
  usmcOfSize,
} from '../harness/signal-fixtures.js';
import { x25519Points } from '../vectors/index.js';

const world = createWorld(1);
const recipient = world.recipients[0]!;
const recipientKeys = keyPairBytes(recipient.identity);
const senderKeys = keyPairBytes(world.sender);
const usmc = usmcOfSize(world.senderCertificate, smallestUsmcBytes(world.senderCertificate));

async function libsignalOpens(envelope: Uint8Array): Promise<boolean> {
  return sealedSenderDecryptToUsmc(copyBytes(envelope), recipient.store).then(
    () => true,
    () => false,
  );
}

function twinOpens(envelope: Uint8Array): boolean {
  try {
    // The comparison with the certificate's key is not the twin's step: it is made here.
    return equalBytes(unsealV1(recipientKeys, envelope).senderIdentityKey, senderKeys.publicKey);
  } catch {
    return false;
  }
}

describe("the twin's verdicts", () => {
  const oddEnvelopes = makeOddEnvelopes(senderKeys, recipientKeys, usmc.serialize());

  it.each(oddEnvelopes)(
    "are libsignal's on an envelope with: $name",
    async ({ envelope, opens }) => {
      expect({ libsignal: await libsignalOpens(envelope), twin: twinOpens(envelope) }).toEqual({
        libsignal: opens,
        twin: opens,
      });
    },
  );

  it("are libsignal's on recipients' keys of small order, non-canonical and on the twist", async () => {
    const random = seededBytes('verdicts/recipients');
    const { lowOrder, nonCanonical, twist } = x25519Points;
    for (const { name, point } of [...lowOrder, ...nonCanonical, ...twist]) {
      const identityKey = PublicKey.deserialize(encodePublicKey(fromHex(point)));
      const address = world.senderStore.meet(identityKey, name);
      const libsignalSeals = await sealedSenderEncrypt(usmc, address, world.senderStore).then(
        () => true,
        () => false,
      );
      const seal = (): unknown =>
        sealV1(senderKeys, identityKey.serialize(), random(32), Uint8Array.of(1));
      expect(libsignalSeals, name).toBe(!lowOrder.some((low) => low.name === name));
      if (libsignalSeals) expect(seal, name).not.toThrow();
      else expect(seal, name).toThrow(/small order/);
    }
  });
});
