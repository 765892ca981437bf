// A Signal world in memory, made with libsignal itself: identities, certificates, and contents of a
// chosen size.
import type { PublicKey } from '@signalapp/libsignal-client';
import {
  IdentityChange,
  IdentityKeyPair,
  IdentityKeyStore,
  PlaintextContent,
  PrivateKey,
  ProtocolAddress,
  SenderCertificate,
  ServerCertificate,
  UnidentifiedSenderMessageContent,
} from '@signalapp/libsignal-client';
import type { Bytes } from '../reference/bytes.js';
import { seededBytes, type SeededRandom } from './seeded-random.js';

export const NEVER_EXPIRES_MS = 8_640_000_000_000_000;

/**
 * First byte of a PlaintextContent; libsignal looks at nothing behind it when it wraps one into a
 * USMC.
 */
const PLAINTEXT_CONTENT_VERSION = 0xc0;
const SENDER_ACI = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const SENDER_DEVICE_ID = 1;
const RECIPIENT_DEVICE_ID = 1;

/** An identity, and the keys of those it has met, in plain JavaScript. */
export class MemoryIdentityStore extends IdentityKeyStore {
  private readonly identities = new Map<string, PublicKey>();

  constructor(readonly identityKeyPair: IdentityKeyPair) {
    super();
  }

  /** Makes `identityKey` the key of an address, and returns the address. */
  meet(identityKey: PublicKey, name: string): ProtocolAddress {
    const address = ProtocolAddress.new(name, RECIPIENT_DEVICE_ID);
    this.identities.set(address.toString(), identityKey);
    return address;
  }

  override getIdentityKey(): Promise<PrivateKey> {
    return Promise.resolve(this.identityKeyPair.privateKey);
  }

  override getIdentityKeyPair(): Promise<IdentityKeyPair> {
    return Promise.resolve(this.identityKeyPair);
  }

  override getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(1);
  }

  override saveIdentity(address: ProtocolAddress, key: PublicKey): Promise<IdentityChange> {
    this.identities.set(address.toString(), key);
    return Promise.resolve(IdentityChange.NewOrUnchanged);
  }

  override isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }

  override getIdentity(address: ProtocolAddress): Promise<PublicKey | null> {
    return Promise.resolve(this.identities.get(address.toString()) ?? null);
  }
}

/** Who signs certificates. */
export interface SignalAuthority {
  readonly trustRoot: PublicKey;
  issueSenderCertificate(senderIdentityKey: PublicKey, expirationMs?: number): SenderCertificate;
}

export function createAuthority(): SignalAuthority {
  const trustRootKey = PrivateKey.generate();
  const serverKey = PrivateKey.generate();
  const serverCertificate = ServerCertificate.new(1, serverKey.getPublicKey(), trustRootKey);
  return {
    trustRoot: trustRootKey.getPublicKey(),
    issueSenderCertificate: (senderIdentityKey, expirationMs = NEVER_EXPIRES_MS) =>
      SenderCertificate.new(
        SENDER_ACI,
        null,
        SENDER_DEVICE_ID,
        senderIdentityKey,
        expirationMs,
        serverCertificate,
        serverKey,
      ),
  };
}

/** A USMC of type PLAINTEXT_CONTENT around a payload of `payloadBytes` (at least one) bytes. */
export function usmcWithPayload(
  certificate: SenderCertificate,
  payloadBytes: number,
  random: SeededRandom = seededBytes('payload'),
  groupId: Bytes | null = null,
): UnidentifiedSenderMessageContent {
  const payload = random(payloadBytes);
  payload[0] = PLAINTEXT_CONTENT_VERSION;
  const message = PlaintextContent.deserialize(payload).asCiphertextMessage();
  return UnidentifiedSenderMessageContent.new(message, certificate, 0, groupId);
}

/** The smallest size that {@link usmcOfSize} can make with this certificate. */
export function smallestUsmcBytes(certificate: SenderCertificate): number {
  return usmcWithPayload(certificate, 1).serialize().length;
}

/** A USMC whose serialized form is exactly `sizeBytes` long. */
export function usmcOfSize(
  certificate: SenderCertificate,
  sizeBytes: number,
  random: SeededRandom = seededBytes('payload'),
): UnidentifiedSenderMessageContent {
  // The payload's length prefix grows by a byte at 2^7, 2^14, ... bytes, so it is found rather than
  // computed. At each of those steps one size is jumped over; a group id, which no other size gets,
  // makes up for it.
  const overheadBytes = smallestUsmcBytes(certificate) - 1;
  for (const groupId of [null, random(1)]) {
    const groupIdFieldBytes = groupId === null ? 0 : 2 + groupId.length;
    for (let prefixGrowthBytes = 0; prefixGrowthBytes <= 3; prefixGrowthBytes++) {
      const payloadBytes = sizeBytes - overheadBytes - groupIdFieldBytes - prefixGrowthBytes;
      if (payloadBytes < 1) break;
      const usmc = usmcWithPayload(certificate, payloadBytes, random, groupId);
      if (usmc.serialize().length === sizeBytes) return usmc;
    }
  }
  throw new RangeError(`no USMC of ${sizeBytes} bytes with this certificate`);
}

/** One sender with a certificate, and as many recipients as are asked for. */
export interface SignalWorld {
  readonly authority: SignalAuthority;
  readonly sender: IdentityKeyPair;
  readonly senderStore: MemoryIdentityStore;
  readonly senderCertificate: SenderCertificate;
  readonly recipients: readonly SignalRecipient[];
}

export interface SignalRecipient {
  readonly identity: IdentityKeyPair;
  readonly store: MemoryIdentityStore;
  /** What the sender's store knows the recipient by. */
  readonly address: ProtocolAddress;
}

export function createWorld(recipientCount: number): SignalWorld {
  const authority = createAuthority();
  const sender = IdentityKeyPair.generate();
  const senderStore = new MemoryIdentityStore(sender);
  const recipients = Array.from({ length: recipientCount }, (_, i): SignalRecipient => {
    const identity = IdentityKeyPair.generate();
    return {
      identity,
      store: new MemoryIdentityStore(identity),
      address: senderStore.meet(identity.publicKey, `recipient-${i}`),
    };
  });
  return {
    authority,
    sender,
    senderStore,
    senderCertificate: authority.issueSenderCertificate(sender.publicKey),
    recipients,
  };
}

/** The halves of an identity as bytes: 33 and 32. */
export function keyPairBytes(identity: IdentityKeyPair): { publicKey: Bytes; privateKey: Bytes } {
  return { publicKey: identity.publicKey.serialize(), privateKey: identity.privateKey.serialize() };
}
