import type {
  AccountExistsOutcome,
  AccountTransport,
  CertificateOutcome,
  DoneOutcome,
  PreKeyCountOutcome,
  PreKeysOutcome,
  ProfileOutcome,
  SendOutcome,
} from 'sealcast';

type Requests = Required<Omit<AccountTransport, 'cdn'>>;
type Arguments<Name extends keyof Requests> = Parameters<Requests[Name]>;

/** A transport that counts what a broadcaster with a good memory does not ask for. */
export class CountingTransport implements AccountTransport {
  /** Service ids of those whose prekeys were fetched. */
  readonly preKeysFetchedFor = new Set<string>();
  certificatesFetched = 0;
  readonly #inner: AccountTransport;

  constructor(inner: AccountTransport) {
    this.#inner = inner;
  }

  async fetchPreKeys(...args: Arguments<'fetchPreKeys'>): Promise<PreKeysOutcome> {
    const outcome = await this.#inner.fetchPreKeys(...args);
    if (outcome.status === 'ok') this.preKeysFetchedFor.add(args[0].destination);
    return outcome;
  }

  async fetchSenderCertificate(
    ...args: Arguments<'fetchSenderCertificate'>
  ): Promise<CertificateOutcome> {
    const outcome = await this.#inner.fetchSenderCertificate(...args);
    if (outcome.status === 'ok') this.certificatesFetched++;
    return outcome;
  }

  sendSealed(...args: Arguments<'sendSealed'>): Promise<SendOutcome> {
    return this.#inner.sendSealed(...args);
  }

  sendUnsealed(...args: Arguments<'sendUnsealed'>): Promise<SendOutcome> {
    return this.#inner.sendUnsealed(...args);
  }

  accountExists(...args: Arguments<'accountExists'>): Promise<AccountExistsOutcome> {
    return this.#inner.accountExists(...args);
  }

  onServerTime(...args: Arguments<'onServerTime'>): () => void {
    return this.#inner.onServerTime?.(...args) ?? ((): void => undefined);
  }

  receive(...args: Arguments<'receive'>): () => void {
    return this.#inner.receive(...args);
  }

  redeliver(): void {
    this.#inner.redeliver();
  }

  fetchProfile(...args: Arguments<'fetchProfile'>): Promise<ProfileOutcome> {
    return this.#inner.fetchProfile(...args);
  }

  countPreKeys(...args: Arguments<'countPreKeys'>): Promise<PreKeyCountOutcome> {
    return this.#inner.countPreKeys(...args);
  }

  uploadPreKeys(...args: Arguments<'uploadPreKeys'>): Promise<DoneOutcome> {
    return this.#inner.uploadPreKeys(...args);
  }

  setAccountAttributes(...args: Arguments<'setAccountAttributes'>): Promise<DoneOutcome> {
    return this.#inner.setAccountAttributes(...args);
  }

  setProfile(...args: Arguments<'setProfile'>): Promise<DoneOutcome> {
    return this.#inner.setProfile(...args);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
