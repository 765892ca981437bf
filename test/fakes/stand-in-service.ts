// The service as a Transport sees it, in this process: accounts with devices, which decrypt with
// libsignal what arrives.
import { randomUUID } from 'node:crypto';
import {
  DecryptionErrorMessage,
  IdentityKeyPair,
  PlaintextContent,
  PreKeySignalMessage,
  PrivateKey,
  ProtocolAddress,
  SenderCertificate,
  ServerCertificate,
  SignalMessage,
  type UnidentifiedSenderMessageContent,
  sealedSenderDecryptToUsmc,
  signalDecrypt,
  signalDecryptPreKey,
  type PublicKey,
} from '@signalapp/libsignal-client';
import type {
  AccountExistsOutcome,
  CertificateOutcome,
  OutboundMessage,
  PreKeyBundleFields,
  PreKeysOutcome,
  Refusal,
  RequestOptions,
  SealedSend,
  SendOutcome,
  Transport,
  UnsealedSend,
} from 'sealcast';
import { deriveAccessKey } from 'sealcast';
import {
  decodeContent,
  decodeSyncMessage,
  unpadPlaintext,
  type DataMessage,
  type SyncMessage,
} from '#dist/src/content/index.js';
import { MemoryStores } from './memory-stores.js';
import { bundleOf, generatePreKeys, type PreKeys } from '../harness/prekeys.js';

const CIPHERTEXT_WHISPER = 2;
const CIPHERTEXT_PLAINTEXT = 8;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A device of a subscriber, with libsignal's own memory. */
export interface SubscriberDevice {
  readonly deviceId: number;
  readonly stores: MemoryStores;
  readonly preKeys: PreKeys;
}

export interface Subscriber {
  readonly aci: string;
  identity: IdentityKeyPair;
  profileKey: Uint8Array<ArrayBuffer>;
  /**
   * What the service takes sealed messages with: the key of the profile key, anything, or nothing.
   */
  access: 'key' | 'unrestricted' | 'none';
  registered: boolean;
  devices: Map<number, SubscriberDevice>;
}

/** A message that a device took. */
export interface Arrival {
  readonly recipient: string;
  readonly deviceId: number;
  readonly sealed: boolean;
  readonly timestamp: number;
  /** The ratchet's ciphertext, as it was inside the envelope. */
  readonly ciphertext: Buffer;
  readonly type: 'prekey' | 'whisper';
  readonly message: DataMessage;
  /** The Content that the message is of, serialized. */
  readonly contentBytes: Uint8Array<ArrayBuffer>;
  /** A PniSignatureMessage that came with it, serialized. */
  readonly pniSignature: Uint8Array | undefined;
  readonly accessKey: Uint8Array | null;
  /** The sender certificate that was in the envelope; null where there was none. */
  readonly certificate: SenderCertificate | null;
  /** Whether libsignal had seen this very ciphertext before, and so did not decrypt it again. */
  readonly duplicate: boolean;
}

/** A message between devices of one account. */
export interface SyncArrival {
  readonly deviceId: number;
  readonly timestamp: number;
  readonly sealed: boolean;
  readonly message: SyncMessage;
  /** Serialized. */
  readonly bytes: Uint8Array;
}

/** A DecryptionErrorMessage that a device got. */
export interface RetryRequest {
  readonly recipient: string;
  readonly deviceId: number;
  readonly sealed: boolean;
  readonly message: DecryptionErrorMessage;
}

/** The account that sends. */
export interface SenderAccount {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  readonly identityKeyPair: IdentityKeyPair;
  readonly profileKey: Uint8Array<ArrayBuffer>;
}

/** What a device got, and could not decrypt. */
export interface UndecryptableMessage {
  readonly timestamp: number;
  readonly deviceId: number;
  readonly type: 'prekey' | 'whisper';
  readonly ciphertext: Uint8Array<ArrayBuffer>;
}

export type RequestName =
  'sendSealed' | 'sendUnsealed' | 'fetchPreKeys' | 'accountExists' | 'fetchSenderCertificate';
/** A request as it came; `accessKey` is undefined where it has no place. */
export interface Request {
  readonly name: RequestName;
  readonly destination: string;
  readonly accessKey: Uint8Array | null | undefined;
}
/** What a sender certificate says. */
export interface CertificateFacts {
  readonly aci: string;
  readonly deviceId: number;
  readonly key: PublicKey;
  readonly expiresAtMs: number;
  /** Whether another root than the service's own stands behind it. */
  readonly foreign: boolean;
}
/**
 * Answers in place of the service; undefined leaves the answer to it. `count`: of requests of that
 * name, this one included.
 */
export type Intercept = (
  destination: string,
  count: number,
) => Refusal | undefined | Promise<Refusal | undefined>;

export class StandInService implements Transport {
  readonly sender: SenderAccount = {
    aci: randomUUID(),
    deviceId: 1,
    registrationId: 4711,
    identityKeyPair: IdentityKeyPair.generate(),
    profileKey: new Uint8Array(32).fill(0x99),
  };
  readonly subscribers = new Map<string, Subscriber>();
  readonly arrivals: Arrival[] = [];
  /** What devices were told of messages that could not be decrypted. */
  readonly retryRequests: RetryRequest[] = [];
  /** Messages that other devices of our account got. */
  readonly syncMessages: SyncArrival[] = [];
  readonly requests: Request[] = [];
  /** What a device does that cannot decrypt what it got; without it, the request fails. */
  onUndecryptable:
    ((subscriber: Subscriber, message: UndecryptableMessage) => Promise<void>) | undefined;
  readonly intercepts = new Map<RequestName, Intercept>();
  /** ms that a sender certificate lives. */
  certificateLifeMs = 7 * DAY_MS;
  /** The service's time, by which certificates expire. */
  now = (): number => Date.now();
  /** What the next certificates say that they would not say of themselves. */
  certificateFacts: Partial<CertificateFacts> = {};
  #turn: Promise<void> = Promise.resolve();
  readonly #root = PrivateKey.generate();
  readonly #server = PrivateKey.generate();
  readonly #serverCertificate = ServerCertificate.new(1, this.#server.getPublicKey(), this.#root);

  get trustRoot(): PublicKey {
    return this.#root.getPublicKey();
  }

  /** An account with devices, which has given nobody its profile key yet. */
  async subscribe(deviceIds: readonly number[] = [1]): Promise<Subscriber> {
    const subscriber: Subscriber = {
      aci: randomUUID(),
      identity: IdentityKeyPair.generate(),
      profileKey: crypto.getRandomValues(new Uint8Array(32)),
      access: 'key',
      registered: true,
      devices: new Map(),
    };
    for (const deviceId of deviceIds) await this.addDevice(subscriber, deviceId);
    this.subscribers.set(subscriber.aci, subscriber);
    return subscriber;
  }

  /** A new device, or the same one set up anew, with another registration id. */
  async addDevice(subscriber: Subscriber, deviceId: number): Promise<SubscriberDevice> {
    const before = subscriber.devices.get(deviceId)?.stores.registrationId ?? 100 * deviceId;
    const stores = new MemoryStores(subscriber.identity, before + 1);
    const device = { deviceId, stores, preKeys: await generatePreKeys(stores, 0) };
    subscriber.devices.set(deviceId, device);
    return device;
  }

  /** Registered again on a new phone: another identity key, no old devices. */
  async reregister(subscriber: Subscriber): Promise<void> {
    subscriber.identity = IdentityKeyPair.generate();
    const deviceIds = [...subscriber.devices.keys()];
    const registrationIds = new Map(
      [...subscriber.devices].map(([id, { stores }]) => [id, stores.registrationId]),
    );
    subscriber.devices.clear();
    for (const deviceId of deviceIds) {
      const stores = new MemoryStores(
        subscriber.identity,
        (registrationIds.get(deviceId) ?? 0) + 1,
      );
      subscriber.devices.set(deviceId, {
        deviceId,
        stores,
        preKeys: await generatePreKeys(stores, 0),
      });
    }
  }

  /** Texts that each subscriber got, in the order in which they came, duplicates left out. */
  textsOf({ aci }: Subscriber, deviceId = 1): (string | undefined)[] {
    return this.arrivals
      .filter(
        (arrival) =>
          arrival.recipient === aci && arrival.deviceId === deviceId && !arrival.duplicate,
      )
      .map(({ message }) => message.body);
  }

  countOf(name: RequestName, destination?: string): number {
    return this.requests.filter(
      (r) => r.name === name && (destination ?? r.destination) === r.destination,
    ).length;
  }

  async #intercept(
    name: RequestName,
    destination: string,
    options?: RequestOptions,
    accessKey?: Uint8Array | null,
  ): Promise<Refusal | undefined> {
    options?.signal?.throwIfAborted();
    this.requests.push({ name, destination, accessKey });
    const answer = this.intercepts.get(name)?.(destination, this.countOf(name));
    const signal = options?.signal;
    if (!(answer instanceof Promise) || signal === undefined) return answer;
    return Promise.race([answer, aborted(signal)]);
  }

  #check(request: SealedSend | UnsealedSend): SendOutcome | Subscriber {
    const subscriber = this.subscribers.get(request.destination);
    const accessKey = 'accessKey' in request ? request.accessKey : null;
    if (subscriber?.registered !== true)
      return { status: accessKey === null ? 'not-found' : 'unauthorized' };
    if (accessKey !== null && !accepts(subscriber, accessKey)) return { status: 'unauthorized' };
    const given = new Map(
      request.messages.map(({ deviceId, registrationId }) => [deviceId, registrationId]),
    );
    const missing = [...subscriber.devices.keys()].filter((deviceId) => !given.has(deviceId));
    const extra = [...given.keys()].filter((deviceId) => !subscriber.devices.has(deviceId));
    if (missing.length + extra.length > 0)
      return { status: 'mismatched-devices', missing, extra, stale: [] };
    const stale = [...given.keys()].filter(
      (deviceId) => subscriber.devices.get(deviceId)?.stores.registrationId !== given.get(deviceId),
    );
    if (stale.length > 0) return { status: 'mismatched-devices', missing: [], extra: [], stale };
    return subscriber;
  }

  async sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const refusal = await this.#intercept(
      'sendSealed',
      request.destination,
      options,
      request.accessKey,
    );
    if (refusal !== undefined) return refusal;
    const subscriber = this.#check(request);
    if ('status' in subscriber) return subscriber;
    for (const message of request.messages) await this.#open(subscriber, request, message);
    return { status: 'sent' };
  }

  async sendUnsealed(request: UnsealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const refusal = await this.#intercept('sendUnsealed', request.destination, options);
    if (refusal !== undefined) return refusal;
    const subscriber = this.#check(request);
    if ('status' in subscriber) return subscriber;
    for (const { deviceId, type, content } of request.messages) {
      if (type === 'plaintext') this.#noteRetryRequest(subscriber, deviceId, false, content);
      else await this.#decrypt(subscriber, request, deviceId, type, content, null);
    }
    return { status: 'sent' };
  }

  async #open(
    subscriber: Subscriber,
    request: SealedSend,
    { deviceId, content }: OutboundMessage,
  ): Promise<void> {
    const device = deviceOf(subscriber, deviceId);
    const usmc: UnidentifiedSenderMessageContent = await sealedSenderDecryptToUsmc(
      content,
      device.stores.identities,
    );
    const certificate = usmc.senderCertificate();
    if (!certificate.validateWithTrustRoots([this.trustRoot], 0))
      throw new Error('an invalid certificate');
    if (certificate.senderAci()?.getServiceIdString() !== this.sender.aci)
      throw new Error('another sender');
    if (usmc.msgType() === CIPHERTEXT_PLAINTEXT) {
      this.#noteRetryRequest(subscriber, deviceId, true, usmc.contents());
      return;
    }
    const type = usmc.msgType() === CIPHERTEXT_WHISPER ? 'whisper' : 'prekey';
    await this.#decrypt(
      subscriber,
      request,
      deviceId,
      type,
      usmc.contents(),
      request.accessKey,
      certificate,
    );
  }

  #noteRetryRequest(
    { aci }: Subscriber,
    deviceId: number,
    sealed: boolean,
    bytes: Uint8Array<ArrayBuffer>,
  ): void {
    const content = decodeContent(unpadPlaintext(PlaintextContent.deserialize(bytes).body()));
    const message = DecryptionErrorMessage.deserialize(
      content.decryptionErrorMessage ?? new Uint8Array(0),
    );
    this.retryRequests.push({ recipient: aci, deviceId, sealed, message });
  }

  /** A device takes one message after the other. */
  #decrypt(...given: Parameters<StandInService['decryptNow']>): Promise<void> {
    const [subscriber, { timestamp }, deviceId, type, ciphertext] = given;
    const turn = this.#turn
      .then(() => this.decryptNow(...given))
      .catch((error: unknown) => {
        if (this.onUndecryptable === undefined) throw error;
        return this.onUndecryptable(subscriber, { timestamp, deviceId, type, ciphertext });
      });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  private async decryptNow(
    subscriber: Subscriber,
    { timestamp }: SealedSend | UnsealedSend,
    deviceId: number,
    type: 'prekey' | 'whisper',
    ciphertext: Uint8Array<ArrayBuffer>,
    accessKey: Uint8Array | null,
    certificate: SenderCertificate | null = null,
  ): Promise<void> {
    const sealed = accessKey !== null;
    const facts = {
      recipient: subscriber.aci,
      deviceId,
      sealed,
      timestamp,
      type,
      accessKey,
      certificate,
    };
    const bytes = Buffer.from(ciphertext);
    const seen = this.arrivals.find(
      (arrival) =>
        arrival.recipient === subscriber.aci &&
        arrival.deviceId === deviceId &&
        arrival.ciphertext.equals(bytes),
    );
    if (seen !== undefined) {
      this.arrivals.push({
        ...facts,
        ciphertext: bytes,
        message: seen.message,
        contentBytes: seen.contentBytes,
        pniSignature: seen.pniSignature,
        duplicate: true,
      });
      return;
    }
    const { stores } = deviceOf(subscriber, deviceId);
    const from = ProtocolAddress.new(this.sender.aci, this.sender.deviceId);
    const own = ProtocolAddress.new(subscriber.aci, deviceId);
    const padded =
      type === 'whisper'
        ? await signalDecrypt(
            SignalMessage.deserialize(ciphertext),
            from,
            own,
            stores.sessions,
            stores.identities,
          )
        : await signalDecryptPreKey(
            PreKeySignalMessage.deserialize(ciphertext),
            from,
            own,
            stores.sessions,
            stores.identities,
            stores.preKeys,
            stores.signedPreKeys,
            stores.kyberPreKeys,
          );
    const contentBytes = unpadPlaintext(padded);
    const { dataMessage, pniSignatureMessage, syncMessage } = decodeContent(contentBytes);
    if (syncMessage !== undefined) {
      const message = decodeSyncMessage(syncMessage);
      this.syncMessages.push({ deviceId, timestamp, sealed, message, bytes: syncMessage });
      return;
    }
    if (dataMessage === undefined) throw new Error('not a data message');
    this.arrivals.push({
      ...facts,
      ciphertext: bytes,
      message: dataMessage,
      contentBytes,
      pniSignature: pniSignatureMessage,
      duplicate: false,
    });
  }

  async fetchPreKeys(
    { destination, device, accessKey }: Parameters<Transport['fetchPreKeys']>[0],
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const refusal = await this.#intercept('fetchPreKeys', destination, options, accessKey);
    if (refusal !== undefined) return refusal;
    const subscriber = this.subscribers.get(destination);
    if (subscriber?.registered !== true)
      return { status: accessKey === null ? 'not-found' : 'unauthorized' };
    if (accessKey !== null && !accepts(subscriber, accessKey)) return { status: 'unauthorized' };
    const devices = [...subscriber.devices.values()].filter(
      ({ deviceId }) => device === 'all' || deviceId === device,
    );
    if (devices.length === 0) return { status: 'not-found' };
    return {
      status: 'ok',
      identityKey: subscriber.identity.publicKey.serialize(),
      bundles: devices.map(bundleFields),
    };
  }

  async accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    const refusal = await this.#intercept('accountExists', serviceId, options);
    return (
      refusal ?? { status: 'ok', exists: this.subscribers.get(serviceId)?.registered === true }
    );
  }

  async fetchSenderCertificate(
    _request: object,
    options?: RequestOptions,
  ): Promise<CertificateOutcome> {
    const refusal = await this.#intercept('fetchSenderCertificate', '', options);
    if (refusal !== undefined) return refusal;
    return { status: 'ok', certificate: this.#certificateBytes() };
  }

  #certificateBytes(): Uint8Array<ArrayBuffer> {
    if (this.certificateFacts.expiresAtMs !== 2 ** 53) return this.#makeCertificate().serialize();
    // libsignal issues none that a number cannot hold: one of 2^53 - 1 is changed, and signed
    // again.
    this.certificateFacts = { ...this.certificateFacts, expiresAtMs: 2 ** 53 - 1 };
    const certificate = this.#makeCertificate();
    this.certificateFacts = { ...this.certificateFacts, expiresAtMs: 2 ** 53 };
    const signed = Buffer.from(certificate.certificate());
    const bytes = Buffer.from(certificate.serialize());
    const before = Buffer.from('ffffffffffff1f00', 'hex');
    const after = Buffer.from('0000000000002000', 'hex');
    after.copy(bytes, bytes.indexOf(before));
    after.copy(signed, signed.indexOf(before));
    const signature = Buffer.from(this.#server.sign(signed));
    signature.copy(bytes, bytes.indexOf(Buffer.from(certificate.signature())));
    return new Uint8Array(bytes);
  }

  #makeCertificate(): SenderCertificate {
    const { aci, deviceId, identityKeyPair } = this.sender;
    return this.certify({
      aci,
      deviceId,
      key: identityKeyPair.publicKey,
      ...this.certificateFacts,
    });
  }

  /** A sender certificate for anybody. */
  certify(
    given: Pick<CertificateFacts, 'aci' | 'deviceId' | 'key'> & Partial<CertificateFacts>,
    serverKeyId = 1,
  ): SenderCertificate {
    const facts: CertificateFacts = {
      expiresAtMs: this.now() + this.certificateLifeMs,
      foreign: false,
      ...given,
    };
    const root = facts.foreign ? PrivateKey.generate() : this.#root;
    const issuer =
      facts.foreign || serverKeyId !== 1
        ? ServerCertificate.new(serverKeyId, this.#server.getPublicKey(), root)
        : this.#serverCertificate;
    return SenderCertificate.new(
      facts.aci,
      null,
      facts.deviceId,
      facts.key,
      facts.expiresAtMs,
      issuer,
      this.#server,
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function accepts({ access, profileKey }: Subscriber, accessKey: Uint8Array): boolean {
  if (access === 'none') return false;
  return access === 'unrestricted' || Buffer.compare(accessKey, deriveAccessKey(profileKey)) === 0;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function deviceOf(subscriber: Subscriber, deviceId: number): SubscriberDevice {
  const device = subscriber.devices.get(deviceId);
  if (device === undefined) throw new Error('no such device');
  return device;
}

function bundleFields({ deviceId, stores, preKeys }: SubscriberDevice): PreKeyBundleFields {
  const bundle = bundleOf(stores, deviceId, preKeys);
  return {
    deviceId,
    registrationId: bundle.registrationId(),
    signedPreKeyId: bundle.signedPreKeyId(),
    signedPreKeyPublic: bundle.signedPreKeyPublic().serialize(),
    signedPreKeySignature: bundle.signedPreKeySignature(),
    kyberPreKeyId: bundle.kyberPreKeyId(),
    kyberPreKeyPublic: bundle.kyberPreKeyPublic().serialize(),
    kyberPreKeySignature: bundle.kyberPreKeySignature(),
  };
}
