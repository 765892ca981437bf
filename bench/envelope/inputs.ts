import { IdentityKeyPair, sealedSenderEncrypt } from '@signalapp/libsignal-client';
import type { Bytes } from '../../test/reference/bytes.js';
import { seededBytes, type SeededRandom } from '../../test/harness/seeded-random.js';
import {
  createWorld,
  keyPairBytes,
  MemoryIdentityStore,
  usmcOfSize,
  type SignalAuthority,
} from '../../test/harness/signal-fixtures.js';
import type { EnvelopeInputs } from '../peers/peer.js';

const RECIPIENT_NAME = 'recipient';

/** A sender, its subscribers, a content for each, and envelopes from the first of them. */
export async function createInputs(
  subscriberCount: number,
  contentBytes: number,
  incomingCount = subscriberCount,
): Promise<EnvelopeInputs> {
  const world = createWorld(subscriberCount);
  const random = seededBytes('bench/contents');
  const usmcs = world.recipients.map(() =>
    usmcOfSize(world.senderCertificate, contentBytes, random),
  );
  const senders = world.recipients.slice(0, incomingCount);
  const incoming = await createIncoming(
    world.authority,
    world.sender,
    senders,
    contentBytes,
    random,
  );
  return {
    sender: world.sender,
    senderKeys: keyPairBytes(world.sender),
    senderStore: world.senderStore,
    subscribers: world.recipients,
    subscriberKeys: world.recipients.map(({ identity }) => identity.publicKey.serialize()),
    usmcs,
    contents: usmcs.map((usmc) => usmc.serialize()),
    incoming: incoming.envelopes,
    incomingContents: incoming.contents,
    authority: world.authority,
  };
}

export interface Incoming {
  readonly envelopes: readonly Bytes[];
  readonly contents: readonly Bytes[];
}

export interface IncomingSender {
  readonly identity: IdentityKeyPair;
  readonly store: MemoryIdentityStore;
}

/** One envelope from each sender, sealed by libsignal with a certificate of the authority. */
export async function createIncoming(
  authority: SignalAuthority,
  recipient: IdentityKeyPair,
  senders: readonly IncomingSender[],
  contentBytes: number,
  random: SeededRandom,
): Promise<Incoming> {
  const envelopes: Bytes[] = [];
  const contents: Bytes[] = [];
  for (const { identity, store } of senders) {
    const usmc = usmcOfSize(
      authority.issueSenderCertificate(identity.publicKey),
      contentBytes,
      random,
    );
    const recipientAddress = store.meet(recipient.publicKey, RECIPIENT_NAME);
    envelopes.push(await sealedSenderEncrypt(usmc, recipientAddress, store));
    contents.push(usmc.serialize());
  }
  return { envelopes, contents };
}

export function createStrangers(count: number): IncomingSender[] {
  return Array.from({ length: count }, () => {
    const identity = IdentityKeyPair.generate();
    return { identity, store: new MemoryIdentityStore(identity) };
  });
}
