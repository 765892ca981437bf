import { randomBytes, randomUUID } from 'node:crypto';
import {
  IdentityKeyPair,
  PrivateKey,
  SenderCertificate,
  ServerCertificate,
} from '@signalapp/libsignal-client';
import { deriveAccessKey } from '../../access/access-key.js';
import type {
  AccountExistsOutcome,
  CertificateOutcome,
  PreKeysOutcome,
  SealedSend,
  SendOutcome,
  Transport,
} from '../../transport/transport.js';
import { DemoSubscriber } from './subscriber.js';
import { SYSTEM_CLOCK } from '../../util/clock.js';

const DAY_MS = 86_400_000;

/**
 * Service of the demo, in this process: it checks access keys, and hands each envelope to its
 * subscriber, who decrypts it.
 */
export class DemoTransport implements Transport {
  readonly account = {
    aci: randomUUID(),
    deviceId: 1,
    registrationId: 1,
    identityKeyPair: IdentityKeyPair.generate(),
    profileKey: new Uint8Array(randomBytes(32)),
  };
  readonly subscribers: readonly DemoSubscriber[];
  /** Envelopes that came, and texts that were decrypted, by service id. */
  envelopes = 0;
  readonly texts = new Map<string, string | undefined>();
  readonly #byAci: ReadonlyMap<string, DemoSubscriber>;
  readonly #root = PrivateKey.generate();
  readonly #server = PrivateKey.generate();

  constructor(subscribers: number) {
    this.subscribers = Array.from({ length: subscribers }, () => new DemoSubscriber());
    this.#byAci = new Map(this.subscribers.map((subscriber) => [subscriber.aci, subscriber]));
  }

  get trustRoot(): Uint8Array<ArrayBuffer> {
    return this.#root.getPublicKey().serialize();
  }

  async sendSealed({ destination, accessKey, messages }: SealedSend): Promise<SendOutcome> {
    const subscriber = this.#byAci.get(destination);
    if (subscriber === undefined) return { status: 'not-found' };
    if (Buffer.compare(accessKey, deriveAccessKey(subscriber.profileKey)) !== 0)
      return { status: 'unauthorized' };
    for (const { content } of messages) {
      this.envelopes += 1;
      this.texts.set(destination, await subscriber.open(content, this.#root.getPublicKey()));
    }
    return { status: 'sent' };
  }

  /** The demo has no recipient who takes unsealed messages alone. */
  sendUnsealed(): Promise<SendOutcome> {
    return Promise.resolve({ status: 'unauthorized' });
  }

  fetchPreKeys({ destination }: Parameters<Transport['fetchPreKeys']>[0]): Promise<PreKeysOutcome> {
    const subscriber = this.#byAci.get(destination);
    if (subscriber === undefined) return Promise.resolve({ status: 'not-found' });
    const { identityKey, bundle } = subscriber;
    return Promise.resolve({ status: 'ok', identityKey, bundles: [bundle] });
  }

  accountExists(serviceId: string): Promise<AccountExistsOutcome> {
    return Promise.resolve({ status: 'ok', exists: this.#byAci.has(serviceId) });
  }

  fetchSenderCertificate(): Promise<CertificateOutcome> {
    const { aci, deviceId, identityKeyPair } = this.account;
    const certificate = SenderCertificate.new(
      aci,
      null,
      deviceId,
      identityKeyPair.publicKey,
      SYSTEM_CLOCK.now() + DAY_MS,
      ServerCertificate.new(1, this.#server.getPublicKey(), this.#root),
      this.#server,
    );
    return Promise.resolve({ status: 'ok', certificate: certificate.serialize() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
