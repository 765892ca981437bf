import type {
  IdentityKeyPair,
  ProtocolAddress,
  UnidentifiedSenderMessageContent,
} from '@signalapp/libsignal-client';
import type { KeyPairBytes } from '../../test/reference/envelope-v1.js';
import type { Bytes } from '../../test/reference/bytes.js';
import type { MemoryIdentityStore, SignalAuthority } from '../../test/harness/signal-fixtures.js';

export interface Subscriber {
  readonly identity: IdentityKeyPair;
  readonly store: MemoryIdentityStore;
  /** Address of the subscriber in the sender's store. */
  readonly address: ProtocolAddress;
}

/** The same for every peer: made once, by libsignal. */
export interface EnvelopeInputs {
  readonly sender: IdentityKeyPair;
  readonly senderKeys: KeyPairBytes;
  readonly senderStore: MemoryIdentityStore;
  readonly subscribers: readonly Subscriber[];
  readonly subscriberKeys: readonly Bytes[];
  /** usmcs[i] goes to subscribers[i]; contents[i] are its bytes. */
  readonly usmcs: readonly UnidentifiedSenderMessageContent[];
  readonly contents: readonly Bytes[];
  /**
   * Envelopes that libsignal sealed towards the sender: incoming[i] by subscribers[i], with
   * incomingContents[i] inside.
   */
  readonly incoming: readonly Bytes[];
  readonly incomingContents: readonly Bytes[];
  /** Signer of the certificates in them. */
  readonly authority: SignalAuthority;
}

/** Something that seals and unseals v1 envelopes. */
export interface Peer {
  readonly name: string;
  /**
   * One call of `seal` or `unseal` in a round handles this many; the slow ones are timed on fewer.
   */
  readonly envelopesPerRound: number;
  /** Seals contents[i] for subscribers[i], i below `envelopeCount`. */
  seal(envelopeCount: number): Promise<Uint8Array[]>;
  /** Opens incoming[i], i below `envelopeCount`, and gives the USMC's bytes. */
  unseal(envelopeCount: number): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** The entry that must be there. */
export function entry<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no entry ${index} among ${values.length}`);
  return value;
}
