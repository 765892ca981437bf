import type {
  AccountExistsOutcome,
  CertificateOutcome,
  PreKeysOutcome,
  SealedSend,
  SendOutcome,
  Transport,
  UnsealedSend,
} from 'sealcast';

export type PreKeysRequest = Parameters<Transport['fetchPreKeys']>[0];

const NOTHING = { status: 'unavailable' } as const;
const SENT: SendOutcome = { status: 'sent' };

/** A service that takes everything at once, and counts it. */
export class CountingTransport implements Transport {
  envelopes = 0;
  bytes = 0;
  readonly #certificate: Uint8Array<ArrayBuffer>;

  constructor(certificate: Uint8Array<ArrayBuffer>) {
    this.#certificate = certificate;
  }

  sendSealed({ messages }: SealedSend): Promise<SendOutcome> {
    for (const { content } of messages) {
      this.envelopes += 1;
      this.bytes += content.length;
    }
    return Promise.resolve(SENT);
  }
  sendUnsealed({ messages }: UnsealedSend): Promise<SendOutcome> {
    for (const { content } of messages) {
      this.envelopes += 1;
      this.bytes += content.length;
    }
    return Promise.resolve(SENT);
  }
  fetchPreKeys(_request: PreKeysRequest): Promise<PreKeysOutcome> {
    return Promise.resolve(NOTHING);
  }
  accountExists(): Promise<AccountExistsOutcome> {
    return Promise.resolve(NOTHING);
  }
  fetchSenderCertificate(): Promise<CertificateOutcome> {
    return Promise.resolve({ status: 'ok', certificate: this.#certificate });
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
