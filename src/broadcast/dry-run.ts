import type { SenderCertificate } from '../access/sender-certificate.js';
import type { Change, ListOptions, Store, StoreEntry, TableName } from '../store/store.js';
import type {
  AccountExistsOutcome,
  CertificateOutcome,
  PreKeysOutcome,
  SendOutcome,
  Transport,
} from '../transport/transport.js';

/** As long as real ones, so that envelopes are too. */
const CERTIFICATE_BYTES = 350;

/** Nothing that is sealed with it leaves. */
export const DRY_CERTIFICATE: SenderCertificate = {
  bytes: new Uint8Array(CERTIFICATE_BYTES).fill(1),
  expiresAtMs: Number.POSITIVE_INFINITY,
};

/** What a store would be after commits that it never hears of. */
export class OverlayStore implements Store {
  readonly epoch: number;
  readonly #base: Store;
  readonly #changed = new Map<TableName, Map<string, Uint8Array<ArrayBuffer> | undefined>>();

  constructor(base: Store) {
    this.#base = base;
    this.epoch = base.epoch;
  }

  async getMany(table: TableName, keys: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const changed = this.#changed.get(table);
    const values = await this.#base.getMany(table, keys);
    return keys.map((key, i) => (changed?.has(key) === true ? changed.get(key) : values[i]));
  }

  /** Of what is in the base store: a dry run lists nothing that it put in. */
  list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]> {
    return this.#base.list(table, options);
  }

  commit(changes: readonly Change[]): Promise<void> {
    for (const { table, key, value } of changes) {
      let changed = this.#changed.get(table);
      if (changed === undefined) this.#changed.set(table, (changed = new Map<string, Uint8Array<ArrayBuffer>>()));
      changed.set(key, value === null ? undefined : Uint8Array.from(value));
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const SENT: SendOutcome = { status: 'sent' };
const NOTHING = { status: 'unavailable' } as const;

/** Takes everything, and gives nothing. */
export class DryTransport implements Transport {
  sendSealed(): Promise<SendOutcome> {
    return Promise.resolve(SENT);
  }
  sendUnsealed(): Promise<SendOutcome> {
    return Promise.resolve(SENT);
  }
  fetchPreKeys(): Promise<PreKeysOutcome> {
    return Promise.resolve(NOTHING);
  }
  accountExists(): Promise<AccountExistsOutcome> {
    return Promise.resolve(NOTHING);
  }
  fetchSenderCertificate(): Promise<CertificateOutcome> {
    return Promise.resolve(NOTHING);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
