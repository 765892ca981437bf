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

/** Keys are in the order of their UTF-8 bytes. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

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

  async list(table: TableName, { prefix = '', after, limit }: ListOptions): Promise<readonly StoreEntry[]> {
    const changed = this.#changed.get(table);
    const base: StoreEntry[] = [];
    let isWhole = false;
    for (let last = after; !isWhole && base.length < limit;) {
      const page = await this.#base.list(table, { prefix, limit, ...(last !== undefined && { after: last }) });
      base.push(...page.filter(({ key }) => changed?.has(key) !== true));
      isWhole = page.length < limit;
      last = page.at(-1)?.key;
    }
    const added = [...(changed ?? [])].flatMap(([key, value]): StoreEntry[] => {
      const isMeant = key.startsWith(prefix) && (after === undefined || byBytes(key, after) > 0);
      return value === undefined || !isMeant ? [] : [{ key, value: Uint8Array.from(value) }];
    });
    const all = [...base, ...added].sort((a, b) => byBytes(a.key, b.key));
    // What follows the last one that was read may have others of the base store before it.
    const lastKey = base.at(-1)?.key;
    const known = isWhole || lastKey === undefined ? all : all.filter(({ key }) => byBytes(key, lastKey) <= 0);
    return known.slice(0, limit);
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
