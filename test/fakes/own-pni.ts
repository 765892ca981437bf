// The account's phone-number identity, as a link leaves it in the store, and people who write to it.
import { randomUUID } from 'node:crypto';
import {
  IdentityKeyPair,
  PreKeyBundle,
  PreKeyRecord,
  PrivateKey,
  ProtocolAddress,
  processPreKeyBundle,
  signalEncrypt,
  type CiphertextMessage,
} from '@signalapp/libsignal-client';
import type { Store } from 'sealcast';
import { padPlaintext } from '#dist/src/content/index.js';
import { contentMessage, serialize } from '#dist/src/content/messages.js';
import { credentialsChange } from '#dist/src/store/tables/credentials.js';
import { preKeyChange } from '#dist/src/store/tables/prekeys.js';
import { generateKyberPreKey, generatePreKeys, type PreKeys } from '../harness/prekeys.js';
import { serviceEnvelope, type MailboxService } from './mailbox-service.js';
import { MemoryStores } from './memory-stores.js';
import type { Subscriber } from './stand-in-service.js';

/** Types of the service's envelopes, by those of libsignal's messages. */
const ENVELOPE_TYPES = new Map([
  [2, 1],
  [3, 3],
]);

/** A PNI that the phone made. */
export interface GivenPni {
  /** A UUID. */
  readonly pni: string;
  readonly identity: IdentityKeyPair;
  readonly signed: PreKeys['signed'];
  readonly kyber: PreKeys['kyberLastResort'];
}

export class OwnPniFake {
  readonly serviceId: string;
  readonly identity: IdentityKeyPair;
  readonly registrationId = 4321;
  readonly #service: MailboxService;
  readonly #store: Store;
  #signed: PreKeys['signed'] | undefined;

  /** @param given is in the store already; without it, {@link publish} makes one. */
  constructor(service: MailboxService, store: Store, given?: GivenPni) {
    this.#service = service;
    this.#store = store;
    this.serviceId = `PNI:${given?.pni ?? randomUUID()}`;
    this.identity = given?.identity ?? IdentityKeyPair.generate();
    this.#signed = given?.signed;
  }

  /** Puts the identity and its prekeys into the account's store. */
  async publish(): Promise<void> {
    const stores = new MemoryStores(this.identity, this.registrationId);
    const { signed, kyberLastResort } = await generatePreKeys(stores, 0);
    this.#signed = signed;
    await this.#store.commit([
      credentialsChange({
        password: 'a password',
        number: '+15550100',
        pniIdentity: {
          pni: this.serviceId,
          registrationId: this.registrationId,
          identityPublicKey: this.identity.publicKey.serialize(),
          identityPrivateKey: this.identity.privateKey.serialize(),
        },
        capabilities: {},
        createdAtMs: 1,
      }),
      preKeyChange('signedPreKey', signed.id(), signed.serialize(), 'pni'),
      preKeyChange('kyberPreKey', kyberLastResort.id(), kyberLastResort.serialize(), 'pni'),
    ]);
  }

  /** A bundle with one-time prekeys of the given id, whose private halves go into the store. */
  async bundle(id: number): Promise<PreKeyBundle> {
    const signed = this.#signed;
    if (signed === undefined) throw new Error('publish comes first');
    const key = PrivateKey.generate();
    const record = PreKeyRecord.new(id, key.getPublicKey(), key);
    const kyber = generateKyberPreKey(id, this.identity.privateKey);
    await this.#store.commit([
      preKeyChange('preKey', id, record.serialize(), 'pni'),
      preKeyChange('kyberPreKey', id, kyber.serialize(), 'pni'),
    ]);
    return PreKeyBundle.new(
      this.registrationId,
      this.#service.sender.deviceId,
      id,
      key.getPublicKey(),
      signed.id(),
      signed.publicKey(),
      signed.signature(),
      this.identity.publicKey,
      id,
      kyber.publicKey(),
      kyber.signature(),
    );
  }

  get address(): ProtocolAddress {
    return ProtocolAddress.new(this.serviceId, this.#service.sender.deviceId);
  }

  /** A subscriber's device encrypts to the PNI; the first time with the prekeys of that id. */
  async encrypt(
    subscriber: Subscriber,
    content: object,
    oneTimeId = 1,
  ): Promise<CiphertextMessage> {
    const device = subscriber.devices.get(1);
    if (device === undefined) throw new Error('no such device');
    const { stores } = device;
    const own = ProtocolAddress.new(subscriber.aci, 1);
    if ((await stores.sessions.getSession(this.address)) === null) {
      const bundle = await this.bundle(oneTimeId);
      await processPreKeyBundle(bundle, this.address, own, stores.sessions, stores.identities);
    }
    const padded = padPlaintext(serialize(contentMessage, content));
    return signalEncrypt(padded, this.address, own, stores.sessions, stores.identities);
  }

  /** Delivers a message to a PNI, this one unless another is given. */
  deliver(subscriber: Subscriber, message: CiphertextMessage, to = this.serviceId): void {
    const now = Date.now();
    this.#service.queue(
      serviceEnvelope({
        clientTimestamp: now,
        serverTimestamp: now,
        type: ENVELOPE_TYPES.get(message.type()) ?? 0,
        sourceServiceId: subscriber.aci,
        sourceDeviceId: 1,
        destinationServiceId: to,
        content: message.serialize(),
      }),
    );
  }

  async send(subscriber: Subscriber, content: object, oneTimeId = 1): Promise<void> {
    this.deliver(subscriber, await this.encrypt(subscriber, content, oneTimeId));
  }
}
