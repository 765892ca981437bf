import { sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { createWorld, keyPairBytes, usmcOfSize } from '../../test/support/signal-fixtures.js';
import { seededBytes } from '../../test/support/seeded-random.js';
import type { EnvelopeInputs } from '../peers/peer.js';

const SENDER_NAME = 'sender';

/** A sender, its subscribers, a content of its own for each, and an envelope from each of them to the sender. */
export async function createInputs(subscriberCount: number, contentBytes: number): Promise<EnvelopeInputs> {
  const world = createWorld(subscriberCount);
  const random = seededBytes('bench/contents');
  const usmcs = world.recipients.map(() => usmcOfSize(world.senderCertificate, contentBytes, random));

  const incoming: EnvelopeInputs['incoming'][number][] = [];
  const incomingContents: EnvelopeInputs['incomingContents'][number][] = [];
  for (const { identity, store } of world.recipients) {
    const certificate = world.authority.issueSenderCertificate(identity.publicKey);
    const usmc = usmcOfSize(certificate, contentBytes, random);
    const senderAddress = store.meet(world.sender.publicKey, SENDER_NAME);
    incoming.push(await sealedSenderEncrypt(usmc, senderAddress, store));
    incomingContents.push(usmc.serialize());
  }
  return {
    sender: world.sender,
    senderKeys: keyPairBytes(world.sender),
    senderStore: world.senderStore,
    subscribers: world.recipients,
    subscriberKeys: world.recipients.map(({ identity }) => identity.publicKey.serialize()),
    usmcs,
    contents: usmcs.map((usmc) => usmc.serialize()),
    incoming,
    incomingContents,
    trustRoot: world.authority.trustRoot,
  };
}
