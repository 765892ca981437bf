// Runs in a process of its own (see population.ts): makes senders with libsignal, a session with
// each that both sides have written in, and what each sends to the account.
import { randomBytes, randomUUID } from 'node:crypto';
import {
  ContentHint,
  IdentityKeyPair,
  KEMKeyPair,
  KyberPreKeyRecord,
  PreKeyBundle,
  PreKeySignalMessage,
  PrivateKey,
  ProtocolAddress,
  PublicKey,
  SenderCertificate,
  ServerCertificate,
  SignalMessage,
  SignedPreKeyRecord,
  UnidentifiedSenderMessageContent,
  processPreKeyBundle,
  sealedSenderEncrypt,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  type CiphertextMessage,
} from '@signalapp/libsignal-client';
import { SERVICE_ENVELOPE_TYPE, encodeContent, padPlaintext } from '#dist/src/content/index.js';
import {
  contentMessage,
  serialize,
  serviceEnvelopeMessage,
  toLong,
} from '#dist/src/content/messages.js';
import { MemoryStores } from '../../test/fakes/memory-stores.js';
import { REPLY_COUNT, type AccountKeys, type Correspondent } from './population.js';

const SENT_AT_ONCE = 250;
const DEVICE_ID = 1;
const REGISTRATION_ID = 77;
const DAY_MS = 24 * 60 * 60 * 1000;
const CERTIFICATE_DAYS = 30;
const PROFILE_KEY_BYTES = 32;
const REPLY = 'Thank you. Is the ferry running in the evening too?';
/** Content that the account sends out; only the fact that it sends matters. */
const ANNOUNCEMENT = new Uint8Array(159);
/** One for all: making it is half of the work, and no figure depends on it. */
const KYBER = KEMKeyPair.generate();
const DELIVERY_RECEIPT = 0;

let left = Number(process.argv[2]);
process.once('message', (account: AccountKeys) => void makeAll(account));

async function makeAll(account: AccountKeys): Promise<void> {
  while (left > 0) {
    const made: Correspondent[] = [];
    while (made.length < Math.min(SENT_AT_ONCE, left))
      made.push(await new Conversation(account).make());
    left -= made.length;
    await new Promise<void>((resolve, reject) => {
      process.send?.(made, (error: Error | null) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
  process.disconnect();
}

/** The account and a correspondent, both sides of it. */
class Conversation {
  readonly #account: AccountKeys;
  readonly #own: MemoryStores;
  readonly #ownAddress: ProtocolAddress;
  readonly #theirs: MemoryStores;
  readonly #theirAci = randomUUID();
  readonly #theirAddress = ProtocolAddress.new(this.#theirAci, DEVICE_ID);
  readonly #profileKey = new Uint8Array(randomBytes(PROFILE_KEY_BYTES));
  readonly #certificate: SenderCertificate;

  constructor(account: AccountKeys) {
    const { aci, deviceId, registrationId, publicKey, privateKey, lastReplyMs } = account;
    this.#account = account;
    const ownIdentity = new IdentityKeyPair(
      PublicKey.deserialize(publicKey),
      PrivateKey.deserialize(privateKey),
    );
    this.#own = new MemoryStores(ownIdentity, registrationId);
    this.#ownAddress = ProtocolAddress.new(aci, deviceId);
    this.#theirs = new MemoryStores(IdentityKeyPair.generate(), REGISTRATION_ID);
    this.#certificate = SenderCertificate.new(
      this.#theirAci,
      null,
      DEVICE_ID,
      this.#theirs.identityKeyPair.publicKey,
      lastReplyMs + CERTIFICATE_DAYS * DAY_MS,
      ServerCertificate.deserialize(account.serverCertificate),
      PrivateKey.deserialize(account.serverPrivateKey),
    );
  }

  async make(): Promise<Correspondent> {
    await this.#begin();
    const sessions: Uint8Array[] = [];
    const letters: Uint8Array[] = [];
    for (let reply = 0; reply < REPLY_COUNT; reply++) {
      await this.#announce();
      sessions.push(await this.#ownSession());
      // A day between each two, so that the account hears of the correspondent again.
      const timestamp = this.#account.lastReplyMs - (REPLY_COUNT - 1 - reply) * DAY_MS;
      const content = encodeContent({
        dataMessage: { body: REPLY, timestamp, profileKey: this.#profileKey },
      });
      const encrypted = await this.#encrypt(content);
      letters.push(await this.#seal(encrypted, timestamp));
      await this.#decrypt(encrypted);
    }
    sessions.push(await this.#ownSession());
    const timestamp = this.#account.lastReplyMs;
    const receipt = {
      receiptMessage: { type: DELIVERY_RECEIPT, timestamp: [toLong(BigInt(timestamp))] },
    };
    letters.push(
      await this.#seal(await this.#encrypt(serialize(contentMessage, receipt)), timestamp),
    );
    return {
      aci: this.#theirAci,
      deviceId: DEVICE_ID,
      registrationId: REGISTRATION_ID,
      identityKey: this.#theirs.identityKeyPair.publicKey.serialize(),
      profileKey: this.#profileKey,
      sessions,
      letters,
    };
  }

  /** The account writes first, and is answered: from there on nothing is a prekey message. */
  async #begin(): Promise<void> {
    const { identityKeyPair } = this.#theirs;
    const signed = PrivateKey.generate();
    const signature = identityKeyPair.privateKey.sign(signed.getPublicKey().serialize());
    const kyberSignature = identityKeyPair.privateKey.sign(KYBER.getPublicKey().serialize());
    await this.#theirs.signedPreKeys.saveSignedPreKey(
      1,
      SignedPreKeyRecord.new(1, 1, signed.getPublicKey(), signed, signature),
    );
    await this.#theirs.kyberPreKeys.saveLastResort(
      1,
      KyberPreKeyRecord.new(1, 1, KYBER, kyberSignature),
    );
    const bundle = PreKeyBundle.new(
      REGISTRATION_ID,
      DEVICE_ID,
      null,
      null,
      1,
      signed.getPublicKey(),
      signature,
      identityKeyPair.publicKey,
      1,
      KYBER.getPublicKey(),
      kyberSignature,
    );
    const { sessions, identities } = this.#own;
    await processPreKeyBundle(bundle, this.#theirAddress, this.#ownAddress, sessions, identities);
    const hello = await signalEncrypt(
      ANNOUNCEMENT,
      this.#theirAddress,
      this.#ownAddress,
      sessions,
      identities,
    );
    await signalDecryptPreKey(
      PreKeySignalMessage.deserialize(hello.serialize()),
      this.#ownAddress,
      this.#theirAddress,
      this.#theirs.sessions,
      this.#theirs.identities,
      this.#theirs.preKeys,
      this.#theirs.signedPreKeys,
      this.#theirs.kyberPreKeys,
    );
    await this.#decrypt(await this.#encrypt(new Uint8Array(0)));
  }

  /** The account broadcasts. */
  async #announce(): Promise<void> {
    const [own, theirs] = [this.#own, this.#theirs];
    const sent = await signalEncrypt(
      ANNOUNCEMENT,
      this.#theirAddress,
      this.#ownAddress,
      own.sessions,
      own.identities,
    );
    const message = SignalMessage.deserialize(sent.serialize());
    await signalDecrypt(
      message,
      this.#ownAddress,
      this.#theirAddress,
      theirs.sessions,
      theirs.identities,
    );
  }

  async #ownSession(): Promise<Uint8Array> {
    const session = await this.#own.sessions.getSession(this.#theirAddress);
    if (session === null) throw new Error('no session came of it');
    return session.serialize();
  }

  #encrypt(content: Uint8Array): Promise<CiphertextMessage> {
    const { sessions, identities } = this.#theirs;
    return signalEncrypt(
      padPlaintext(content),
      this.#ownAddress,
      this.#theirAddress,
      sessions,
      identities,
    );
  }

  async #decrypt(encrypted: CiphertextMessage): Promise<void> {
    const { sessions, identities } = this.#own;
    const message = SignalMessage.deserialize(encrypted.serialize());
    await signalDecrypt(message, this.#theirAddress, this.#ownAddress, sessions, identities);
  }

  /** As it goes to the service, and as the service delivers it. */
  async #seal(encrypted: CiphertextMessage, timestamp: number): Promise<Uint8Array> {
    const { identities } = this.#theirs;
    const hint = ContentHint.Resendable;
    const usmc = UnidentifiedSenderMessageContent.new(encrypted, this.#certificate, hint, null);
    const content = await sealedSenderEncrypt(usmc, this.#ownAddress, identities);
    const time = toLong(BigInt(timestamp));
    return serialize(serviceEnvelopeMessage, {
      type: SERVICE_ENVELOPE_TYPE.unidentifiedSender,
      clientTimestamp: time,
      serverTimestamp: time,
      serverGuid: randomUUID(),
      destinationServiceId: this.#account.aci,
      urgent: true,
      content,
    });
  }
}
