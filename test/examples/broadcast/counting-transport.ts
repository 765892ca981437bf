import type { AccountExistsOutcome, CertificateOutcome, PreKeysOutcome, SendOutcome, Transport } from 'sealcast';

/** A transport that counts what a broadcaster with a good memory does not ask for. */
export class CountingTransport implements Transport {
  /** Service ids of those whose prekeys were fetched. */
  readonly preKeysFetchedFor = new Set<string>();
  certificatesFetched = 0;
  readonly #inner: Transport;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  async fetchPreKeys(...args: Parameters<Transport['fetchPreKeys']>): Promise<PreKeysOutcome> {
    const outcome = await this.#inner.fetchPreKeys(...args);
    if (outcome.status === 'ok') this.preKeysFetchedFor.add(args[0].destination);
    return outcome;
  }

  async fetchSenderCertificate(...args: Parameters<Transport['fetchSenderCertificate']>): Promise<CertificateOutcome> {
    const outcome = await this.#inner.fetchSenderCertificate(...args);
    if (outcome.status === 'ok') this.certificatesFetched++;
    return outcome;
  }

  sendSealed(...args: Parameters<Transport['sendSealed']>): Promise<SendOutcome> {
    return this.#inner.sendSealed(...args);
  }

  sendUnsealed(...args: Parameters<Transport['sendUnsealed']>): Promise<SendOutcome> {
    return this.#inner.sendUnsealed(...args);
  }

  accountExists(...args: Parameters<Transport['accountExists']>): Promise<AccountExistsOutcome> {
    return this.#inner.accountExists(...args);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
