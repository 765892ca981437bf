// The service as a Receiver sees it: it delivers what subscribers send to the account, and forgets
// it when it is acknowledged.
import { randomUUID } from 'node:crypto';
import type { CiphertextMessage } from '@signalapp/libsignal-client';
import {
  CiphertextMessageType,
  ContentHint,
  DecryptionErrorMessage,
  PlaintextContent,
  PreKeyBundle,
  PreKeyRecord,
  PreKeySignalMessage,
  PrivateKey,
  ProtocolAddress,
  SignalMessage,
  UnidentifiedSenderMessageContent,
  processPreKeyBundle,
  sealedSenderEncrypt,
  signalDecrypt,
  signalDecryptPreKey,
  signalEncrypt,
  type SenderCertificate,
} from '@signalapp/libsignal-client';
import type {
  AccountTransport,
  DoneOutcome,
  PreKeyCountOutcome,
  ProfileOutcome,
  SealcastError,
  Store,
  TransportListener,
} from 'sealcast';
import { padPlaintext } from '#dist/src/content/index.js';
import {
  contentMessage,
  serialize,
  serviceEnvelopeMessage,
  toLong,
} from '#dist/src/content/messages.js';
import { MemoryStores } from './memory-stores.js';
import {
  bundleOf,
  generateKyberPreKey,
  generatePreKeys,
  type PreKeys,
} from '../harness/prekeys.js';
import { StandInService, type Subscriber } from './stand-in-service.js';

/** A message in the account's queue. */
interface Queued {
  readonly id: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How a subscriber sends. */
export interface SendOptions {
  readonly deviceId?: number;
  readonly sealed?: boolean;
  readonly timestamp?: number;
  readonly serverTimestamp?: number;
  readonly certificate?: SenderCertificate;
  readonly hint?: ContentHint;
  readonly groupId?: Uint8Array<ArrayBuffer>;
  /** The PNI that the service says is the account's from now on, without its prefix. */
  readonly updatedPni?: string;
}

export interface RetryRequestFacts {
  readonly ciphertext?: Uint8Array<ArrayBuffer>;
  /** Of the ciphertext, as `CiphertextMessage.type()` numbers it. */
  readonly type?: CiphertextMessageType;
  /** Which of the account's devices is meant. */
  readonly ofDevice?: number;
}

const ENVELOPE_TYPES = new Map([
  [2, 1],
  [3, 3],
  [7, 7],
  [8, 8],
]);
export const SEALED = 6;
const CIPHERTEXT_WHISPER = 2;

export class MailboxService extends StandInService implements AccountTransport {
  readonly #queue = new Map<number, Queued>();
  readonly acknowledged: number[] = [];
  #nextId = 1;
  #listener: TransportListener | undefined;
  /** Counts connections: an acknowledgement counts only on the one that the message came over. */
  #connection = 1;
  redeliveries = 0;
  /** Messages that the service has on their way unacknowledged at most, as the real one has 256. */
  window = Infinity;
  readonly #onTheWay = new Set<number>();
  /** The account's own keys, as another client of it would have made them. */
  #preKeys: PreKeys | undefined;
  #store: Store | undefined;
  #lastOneTimeId = 1;
  readonly #ownStores = new MemoryStores(this.sender.identityKeyPair, this.sender.registrationId);

  get queueLength(): number {
    return this.#queue.size;
  }

  receive(listener: TransportListener): () => void {
    if (this.#listener !== undefined) throw new Error('there is a listener already');
    this.#listener = listener;
    this.#deliver();
    return () => {
      this.#listener = undefined;
      this.#onTheWay.clear();
    };
  }

  redeliver(): void {
    this.redeliveries += 1;
    this.reconnect();
  }

  /** The account's connection is refused for good: nothing more comes. */
  endConnection(error: SealcastError): void {
    this.#connection += 1;
    this.#listener?.onConnectionInterrupted?.(null);
    this.#listener?.onConnectionEnded?.(error);
  }

  /** The connection is lost, and made again: what was not acknowledged is delivered again. */
  reconnect(): void {
    this.#connection += 1;
    this.#onTheWay.clear();
    this.#listener?.onConnectionInterrupted?.(null);
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    for (const queued of this.#queue.values()) {
      if (this.#onTheWay.size >= this.window) return;
      if (!this.#onTheWay.has(queued.id)) this.#hand(queued);
    }
    this.#listener?.onQueueEmpty?.();
  }

  #hand({ id, bytes }: Queued): void {
    if (this.#listener === undefined) return;
    this.#onTheWay.add(id);
    const connection = this.#connection;
    this.#listener.onIncomingMessage?.(bytes, Date.now(), {
      send: (status) => {
        if (connection !== this.#connection) throw new Error('the connection is gone');
        if (status !== 200) throw new Error(`acknowledged with ${status}`);
        this.#queue.delete(id);
        this.#onTheWay.delete(id);
        this.acknowledged.push(id);
        if (this.window !== Infinity) this.#deliver();
      },
    });
  }

  /** Puts an envelope of the service's into the account's queue. @returns its number there */
  queue(bytes: Uint8Array<ArrayBuffer>): number {
    const queued = { id: this.#nextId++, bytes };
    this.#queue.set(queued.id, queued);
    if (this.#onTheWay.size < this.window) this.#hand(queued);
    return queued.id;
  }

  /**
   * Puts prekeys of the account into its store, for subscribers to begin sessions with; each gets
   * one-time ones of its own.
   */
  async publishPreKeys(store: Store): Promise<void> {
    this.#store = store;
    const preKeys = await generatePreKeys(this.#ownStores, 0);
    this.#preKeys = preKeys;
    const { signed, kyberLastResort } = preKeys;
    await store.commit([
      { table: 'signedPreKey', key: String(signed.id()), value: signed.serialize() },
      {
        table: 'kyberPreKey',
        key: String(kyberLastResort.id()),
        value: kyberLastResort.serialize(),
      },
    ]);
  }

  /**
   * A subscriber's device begins a session with the account; with one-time prekeys of its own,
   * unless it is given others.
   */
  async beginSession(subscriber: Subscriber, deviceId = 1, given?: PreKeyBundle): Promise<void> {
    const { stores } = deviceOf(subscriber, deviceId);
    const bundle = given ?? (await this.oneTimeBundle());
    const to = ProtocolAddress.new(this.sender.aci, this.sender.deviceId);
    const own = ProtocolAddress.new(subscriber.aci, deviceId);
    await processPreKeyBundle(bundle, to, own, stores.sessions, stores.identities);
  }

  /** Id of the one-time prekeys that were handed out last, EC and Kyber. */
  get lastOneTimeId(): number {
    return this.#lastOneTimeId;
  }

  /** A subscriber's device decrypts a message of another client of the account. */
  async deliverRatchet(
    subscriber: Subscriber,
    deviceId: number,
    message: CiphertextMessage,
  ): Promise<void> {
    const { to: account, own } = this.addressesOf(subscriber, deviceId);
    await this.openRatchet(deviceOf(subscriber, deviceId).stores, account, own, message);
  }

  /** A client decrypts a message, of either kind. */
  async openRatchet(
    { sessions, identities, preKeys, signedPreKeys, kyberPreKeys }: MemoryStores,
    from: ProtocolAddress,
    own: ProtocolAddress,
    message: CiphertextMessage,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = message.serialize();
    if (message.type() === CIPHERTEXT_WHISPER)
      return signalDecrypt(SignalMessage.deserialize(bytes), from, own, sessions, identities);
    return signalDecryptPreKey(
      PreKeySignalMessage.deserialize(bytes),
      from,
      own,
      sessions,
      identities,
      preKeys,
      signedPreKeys,
      kyberPreKeys,
    );
  }

  /** What the service hands out when no one-time prekeys are left. */
  lastResortBundle(): PreKeyBundle {
    return bundleOf(this.#ownStores, this.sender.deviceId, this.#ownPreKeys());
  }

  #ownPreKeys(): PreKeys {
    if (this.#preKeys === undefined) throw new Error('publishPreKeys comes first');
    return this.#preKeys;
  }

  async oneTimeBundle(): Promise<PreKeyBundle> {
    const { signed } = this.#ownPreKeys();
    const { identityKeyPair, registrationId, deviceId } = this.sender;
    const id = ++this.#lastOneTimeId;
    const key = PrivateKey.generate();
    const record = PreKeyRecord.new(id, key.getPublicKey(), key);
    const kyber = generateKyberPreKey(id, identityKeyPair.privateKey);
    await this.#store?.commit([
      { table: 'preKey', key: String(id), value: record.serialize() },
      { table: 'kyberPreKey', key: String(id), value: kyber.serialize() },
    ]);
    return PreKeyBundle.new(
      registrationId,
      deviceId,
      id,
      key.getPublicKey(),
      signed.id(),
      signed.publicKey(),
      signed.signature(),
      identityKeyPair.publicKey,
      id,
      kyber.publicKey(),
      kyber.signature(),
    );
  }

  /** A subscriber's device encrypts a Content, of any fields of the schema. */
  async encrypt(subscriber: Subscriber, content: object, deviceId = 1): Promise<CiphertextMessage> {
    const { stores } = deviceOf(subscriber, deviceId);
    const to = ProtocolAddress.new(this.sender.aci, this.sender.deviceId);
    const own = ProtocolAddress.new(subscriber.aci, deviceId);
    if ((await stores.sessions.getSession(to)) === null)
      await this.beginSession(subscriber, deviceId);
    return signalEncrypt(paddedContent(content), to, own, stores.sessions, stores.identities);
  }

  /**
   * A subscriber's device sends a Content to the account. @returns the envelope's number in the
   * queue
   */
  async send(subscriber: Subscriber, content: object, options: SendOptions = {}): Promise<number> {
    return this.post(
      subscriber,
      await this.encrypt(subscriber, content, options.deviceId),
      options,
    );
  }

  /** The same, with what was encrypted before. */
  async post(
    subscriber: Subscriber,
    message: CiphertextMessage,
    options: SendOptions = {},
  ): Promise<number> {
    return this.queue(await this.envelope(subscriber, message, options));
  }

  /** The account's address, and a subscriber's. */
  addressesOf(
    { aci }: Subscriber,
    deviceId = 1,
  ): { readonly to: ProtocolAddress; readonly own: ProtocolAddress } {
    const { sender } = this;
    return {
      to: ProtocolAddress.new(sender.aci, sender.deviceId),
      own: ProtocolAddress.new(aci, deviceId),
    };
  }

  async envelope(
    subscriber: Subscriber,
    message: CiphertextMessage,
    options: SendOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { sealed = true, deviceId = 1, timestamp = Date.now() } = options;
    const { hint = ContentHint.Default, groupId = null } = options;
    const facts = {
      clientTimestamp: timestamp,
      serverTimestamp: options.serverTimestamp ?? Date.now(),
      ...(options.updatedPni !== undefined && { updatedPni: options.updatedPni }),
    };
    if (!sealed) {
      return serviceEnvelope({
        ...facts,
        type: ENVELOPE_TYPES.get(message.type()) ?? 0,
        sourceServiceId: subscriber.aci,
        sourceDeviceId: deviceId,
        content: message.serialize(),
      });
    }
    const certificate = options.certificate ?? this.certificateOf(subscriber, deviceId);
    const usmc = UnidentifiedSenderMessageContent.new(message, certificate, hint, groupId);
    return serviceEnvelope({
      ...facts,
      type: SEALED,
      content: await this.sealed(subscriber, usmc, deviceId),
    });
  }

  /** A subscriber's device seals for the account. */
  async sealed(
    subscriber: Subscriber,
    usmc: UnidentifiedSenderMessageContent,
    deviceId = 1,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { stores } = deviceOf(subscriber, deviceId);
    const { to } = this.addressesOf(subscriber);
    // libsignal seals for whom the identity store knows.
    await stores.identities.saveIdentity(to, this.sender.identityKeyPair.publicKey);
    return sealedSenderEncrypt(usmc, to, stores.identities);
  }

  /**
   * What a subscriber's device says when it cannot decrypt what the account sent with this
   * timestamp.
   *
   * @param ciphertext a SignalMessage, or bytes of one of another kind; without one, the request
   *   names no key.
   */
  retryRequestFor(
    subscriber: Subscriber,
    timestamp: number,
    {
      ciphertext,
      type = CiphertextMessageType.SenderKey,
      ofDevice = this.sender.deviceId,
    }: RetryRequestFacts = {},
  ): { readonly message: Uint8Array<ArrayBuffer>; readonly plaintext: CiphertextMessage } {
    if (!this.subscribers.has(subscriber.aci)) throw new Error('no such subscriber');
    const error = DecryptionErrorMessage.forOriginal(
      ciphertext ?? Uint8Array.of(0x33),
      type,
      timestamp,
      ofDevice,
    );
    return {
      message: error.serialize(),
      plaintext: PlaintextContent.from(error).asCiphertextMessage(),
    };
  }

  /** A subscriber's device forgets its sessions, as one does whose store is broken. */
  async loseSessions(subscriber: Subscriber, deviceId = 1): Promise<void> {
    const stores = new MemoryStores(
      subscriber.identity,
      deviceOf(subscriber, deviceId).stores.registrationId,
    );
    subscriber.devices.set(deviceId, {
      deviceId,
      stores,
      preKeys: await generatePreKeys(stores, 0),
    });
  }

  /** From now on devices ask for what they cannot decrypt to be sent again. */
  haveDevicesAsk(options: SendOptions = {}): void {
    this.onUndecryptable = async (subscriber, { timestamp, deviceId, type, ciphertext }) => {
      const facts = { ciphertext, type: ratchetType(type) };
      const { plaintext } = this.retryRequestFor(subscriber, timestamp, facts);
      await this.post(subscriber, plaintext, { ...options, deviceId });
    };
  }

  /** Another device of our own account, which sends sync messages. */
  async ownDevice(deviceId = 2, identity = this.sender.identityKeyPair): Promise<Subscriber> {
    const own: Subscriber = {
      ...(await this.subscribe([deviceId])),
      aci: this.sender.aci,
      identity,
    };
    await this.addDevice(own, deviceId);
    return own;
  }

  certificateOf({ aci, identity }: Subscriber, deviceId = 1): SenderCertificate {
    return this.certify({ aci, deviceId, key: identity.publicKey });
  }

  // What the account asks of the service, of which these tests have no need.
  fetchProfile(): Promise<ProfileOutcome> {
    return Promise.resolve({ status: 'not-found' });
  }
  countPreKeys(): Promise<PreKeyCountOutcome> {
    return Promise.resolve({ status: 'ok', preKeys: 100, kyberPreKeys: 100 });
  }
  uploadPreKeys(): Promise<DoneOutcome> {
    return Promise.resolve({ status: 'ok' });
  }
  setAccountAttributes(): Promise<DoneOutcome> {
    return Promise.resolve({ status: 'ok' });
  }
  setProfile(): Promise<DoneOutcome> {
    return Promise.resolve({ status: 'ok' });
  }
}

/** An Envelope of the service's, of any fields of the schema. */
export function serviceEnvelope(
  fields: Readonly<Record<string, unknown>>,
): Uint8Array<ArrayBuffer> {
  const { clientTimestamp, serverTimestamp, ...others } = fields;
  return serialize(serviceEnvelopeMessage, {
    serverGuid: randomUUID(),
    ...others,
    ...(clientTimestamp !== undefined && {
      clientTimestamp: toLong(BigInt(clientTimestamp as number)),
    }),
    ...(serverTimestamp !== undefined && {
      serverTimestamp: toLong(BigInt(serverTimestamp as number)),
    }),
  });
}

/** A Content of any fields of the schema, or bytes in its place, padded. */
export function paddedContent(content: object): Uint8Array<ArrayBuffer> {
  const bytes = content instanceof Uint8Array ? Uint8Array.from(content) : undefined;
  return padPlaintext(bytes ?? serialize(contentMessage, contentMessage.fromObject(content)));
}

export const ratchetType = (type: 'prekey' | 'whisper'): CiphertextMessageType =>
  type === 'prekey' ? CiphertextMessageType.PreKey : CiphertextMessageType.Whisper;

function deviceOf(subscriber: Subscriber, deviceId: number): { readonly stores: MemoryStores } {
  const device = subscriber.devices.get(deviceId);
  if (device === undefined) throw new Error('no such device');
  return device;
}
