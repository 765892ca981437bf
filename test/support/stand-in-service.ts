// The service as a Transport sees it, in this process: accounts with devices, which decrypt with libsignal what arrives.
import { randomUUID } from 'node:crypto';
import type {
  UnidentifiedSenderMessageContent} from '@signalapp/libsignal-client';
import {
  IdentityKeyPair,
  PreKeySignalMessage,
  PrivateKey,
  ProtocolAddress,
  SenderCertificate,
  ServerCertificate,
  SignalMessage,
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
import { decodeContent, unpadPlaintext, type DataMessage } from '#dist/src/content/index.js';
import { MemoryStores } from './memory-stores.js';
import { bundleOf, generatePreKeys, type PreKeys } from './prekeys.js';

const CIPHERTEXT_WHISPER = 2;
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
  /** What the service takes sealed messages with: the key of the profile key, anything, or nothing. */
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
  readonly accessKey: Uint8Array | null;
  /** Whether libsignal had seen this very ciphertext before, and so did not decrypt it again. */
  readonly duplicate: boolean;
}

/** The account that sends. */
export interface SenderAccount {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  readonly identityKeyPair: IdentityKeyPair;
  readonly profileKey: Uint8Array<ArrayBuffer>;
}

export type RequestName = 'sendSealed' | 'sendUnsealed' | 'fetchPreKeys' | 'accountExists' | 'fetchSenderCertificate';
/** Answers in place of the service; undefined leaves the answer to it. `count`: of requests of that name, this one included. */
export type Intercept = (destination: string, count: number) => Refusal | undefined | Promise<Refusal | undefined>;

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
  readonly requests: { readonly name: RequestName; readonly destination: string }[] = [];
  readonly intercepts = new Map<RequestName, Intercept>();
  /** ms that a sender certificate lives. */
  certificateLifeMs = 7 * DAY_MS;
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
    const registrationIds = new Map([...subscriber.devices].map(([id, { stores }]) => [id, stores.registrationId]));
    subscriber.devices.clear();
    for (const deviceId of deviceIds) {
      const stores = new MemoryStores(subscriber.identity, (registrationIds.get(deviceId) ?? 0) + 1);
      subscriber.devices.set(deviceId, { deviceId, stores, preKeys: await generatePreKeys(stores, 0) });
    }
  }

  /** Texts that each subscriber got, in the order in which they came, duplicates left out. */
  textsOf({ aci }: Subscriber, deviceId = 1): (string | undefined)[] {
    return this.arrivals
      .filter((arrival) => arrival.recipient === aci && arrival.deviceId === deviceId && !arrival.duplicate)
      .map(({ message }) => message.body);
  }

  countOf(name: RequestName, destination?: string): number {
    return this.requests.filter((r) => r.name === name && (destination ?? r.destination) === r.destination).length;
  }

  async #intercept(name: RequestName, destination: string, options?: RequestOptions): Promise<Refusal | undefined> {
    options?.signal?.throwIfAborted();
    this.requests.push({ name, destination });
    return this.intercepts.get(name)?.(destination, this.countOf(name));
  }

  #check(request: SealedSend | UnsealedSend): SendOutcome | Subscriber {
    const subscriber = this.subscribers.get(request.destination);
    const accessKey = 'accessKey' in request ? request.accessKey : null;
    if (subscriber?.registered !== true) return { status: accessKey === null ? 'not-found' : 'unauthorized' };
    if (accessKey !== null && !accepts(subscriber, accessKey)) return { status: 'unauthorized' };
    const given = new Map(request.messages.map(({ deviceId, registrationId }) => [deviceId, registrationId]));
    const missing = [...subscriber.devices.keys()].filter((deviceId) => !given.has(deviceId));
    const extra = [...given.keys()].filter((deviceId) => !subscriber.devices.has(deviceId));
    if (missing.length + extra.length > 0) return { status: 'mismatched-devices', missing, extra, stale: [] };
    const stale = [...given.keys()].filter(
      (deviceId) => subscriber.devices.get(deviceId)?.stores.registrationId !== given.get(deviceId),
    );
    if (stale.length > 0) return { status: 'mismatched-devices', missing: [], extra: [], stale };
    return subscriber;
  }

  async sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const refusal = await this.#intercept('sendSealed', request.destination, options);
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
      await this.#decrypt(subscriber, request, deviceId, type, content, null);
    }
    return { status: 'sent' };
  }

  async #open(subscriber: Subscriber, request: SealedSend, { deviceId, content }: OutboundMessage): Promise<void> {
    const device = deviceOf(subscriber, deviceId);
    const usmc: UnidentifiedSenderMessageContent = await sealedSenderDecryptToUsmc(content, device.stores.identities);
    const certificate = usmc.senderCertificate();
    if (!certificate.validateWithTrustRoots([this.trustRoot], Date.now())) throw new Error('an invalid certificate');
    if (certificate.senderAci()?.getServiceIdString() !== this.sender.aci) throw new Error('another sender');
    const type = usmc.msgType() === CIPHERTEXT_WHISPER ? 'whisper' : 'prekey';
    await this.#decrypt(subscriber, request, deviceId, type, usmc.contents(), request.accessKey);
  }

  async #decrypt(
    subscriber: Subscriber,
    { timestamp }: SealedSend | UnsealedSend,
    deviceId: number,
    type: 'prekey' | 'whisper',
    ciphertext: Uint8Array<ArrayBuffer>,
    accessKey: Uint8Array | null,
  ): Promise<void> {
    const facts = { recipient: subscriber.aci, deviceId, sealed: accessKey !== null, timestamp, type, accessKey };
    const bytes = Buffer.from(ciphertext);
    const seen = this.arrivals.find(
      (arrival) =>
        arrival.recipient === subscriber.aci && arrival.deviceId === deviceId && arrival.ciphertext.equals(bytes),
    );
    if (seen !== undefined) {
      this.arrivals.push({ ...facts, ciphertext: bytes, message: seen.message, duplicate: true });
      return;
    }
    const { stores } = deviceOf(subscriber, deviceId);
    const from = ProtocolAddress.new(this.sender.aci, this.sender.deviceId);
    const own = ProtocolAddress.new(subscriber.aci, deviceId);
    const padded =
      type === 'whisper'
        ? await signalDecrypt(SignalMessage.deserialize(ciphertext), from, own, stores.sessions, stores.identities)
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
    const { dataMessage } = decodeContent(unpadPlaintext(padded));
    if (dataMessage === undefined) throw new Error('not a data message');
    this.arrivals.push({ ...facts, ciphertext: bytes, message: dataMessage, duplicate: false });
  }

  async fetchPreKeys(
    { destination, device, accessKey }: Parameters<Transport['fetchPreKeys']>[0],
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const refusal = await this.#intercept('fetchPreKeys', destination, options);
    if (refusal !== undefined) return refusal;
    const subscriber = this.subscribers.get(destination);
    if (subscriber?.registered !== true) return { status: accessKey === null ? 'not-found' : 'unauthorized' };
    if (accessKey !== null && !accepts(subscriber, accessKey)) return { status: 'unauthorized' };
    const devices = [...subscriber.devices.values()].filter(({ deviceId }) => device === 'all' || deviceId === device);
    if (devices.length === 0) return { status: 'not-found' };
    return { status: 'ok', identityKey: subscriber.identity.publicKey.serialize(), bundles: devices.map(bundleFields) };
  }

  async accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    const refusal = await this.#intercept('accountExists', serviceId, options);
    return refusal ?? { status: 'ok', exists: this.subscribers.get(serviceId)?.registered === true };
  }

  async fetchSenderCertificate(_request: object, options?: RequestOptions): Promise<CertificateOutcome> {
    const refusal = await this.#intercept('fetchSenderCertificate', '', options);
    if (refusal !== undefined) return refusal;
    const { aci, deviceId, identityKeyPair } = this.sender;
    const certificate = SenderCertificate.new(
      aci,
      null,
      deviceId,
      identityKeyPair.publicKey,
      Date.now() + this.certificateLifeMs,
      this.#serverCertificate,
      this.#server,
    );
    return { status: 'ok', certificate: certificate.serialize() };
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
