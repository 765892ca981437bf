import { AbortWatch } from '../util/abort-watch.js';
import { RecipientLocks } from '../session/recipient-locks.js';
import { Semaphore } from '../util/semaphore.js';
import { SendGuard } from '../runtime/send-guard.js';
import type { SenderCertificate } from '../access/sender-certificate.js';
import type { Change, ListOptions, Store, StoreEntry, TableName } from '../store/store.js';
import { serviceIdIn } from '../store/tables/sessions.js';
import type {
  AccountExistsOutcome,
  CertificateOutcome,
  PreKeysOutcome,
  SendOutcome,
  Transport,
} from '../transport/transport.js';
import { Outbox } from './outbox.js';
import { PreKeyFetches } from './flow/prekey-fetches.js';
import type { BroadcastContext } from './context.js';

/** Length of real certificates, so that envelopes are as long as real ones. */
const CERTIFICATE_BYTES = 350;

/** Sender certificate of dry runs: nothing that is sealed with it leaves. */
export const DRY_CERTIFICATE: SenderCertificate = {
  bytes: new Uint8Array(CERTIFICATE_BYTES).fill(1),
  expiresAtMs: Number.POSITIVE_INFINITY,
};

/**
 * Values up to this length are kept once, whatever the number of rows that have them. Rows that are
 * queued or done are of this length at most.
 */
const MAX_SHARED_BYTES = 64;
const MAX_SHARED_VALUES = 256;

/**
 * Context of a dry run. It reads the store, writes into memory of its own, sends nothing, and takes
 * no shared lock.
 *
 * Its memory grows with the recipients that are on their way, whose sessions it keeps. A delivery
 * that has ended leaves a row, so that it is counted once (some 200 bytes).
 */
export function dryRunContext(context: BroadcastContext, store: Store): BroadcastContext {
  const overlay = new OverlayStore(store);
  const transport = new DryTransport();
  const guard = SendGuard.of(overlay);
  return {
    ...context,
    outbox: new Outbox(overlay, context.clock),
    transport,
    guard,
    preKeys: new PreKeyFetches(transport, new Semaphore(1, new AbortWatch()), guard),
    certificates: {
      get: () => Promise.resolve(DRY_CERTIFICATE),
      ready: () => DRY_CERTIFICATE,
      isUsable: () => true,
      settleClock: () => Promise.resolve(),
    },
    locks: new RecipientLocks(),
    // Retry requests are about rows of the store: none is answered here.
    resends: { isRequested: () => false, answering: () => undefined },
    telemetry: context.telemetry.forDryRun(),
    events: { emit: () => undefined },
    onPartEnded: (serviceId) => overlay.forget(serviceId),
  };
}

/** Store as the base would be after commits that the base never hears of. */
export class OverlayStore implements Store {
  readonly epoch: number;
  readonly orderOf: (table: TableName, key: string) => string;
  readonly #base: Store;
  readonly #changed = new Map<TableName, Map<string, Uint8Array<ArrayBuffer> | undefined>>();
  /** Keys of changed sessions and contacts, by service id. */
  readonly #ofRecipients = new Map<string, { readonly table: TableName; readonly key: string }[]>();
  /** Small values, by their bytes. */
  readonly #shared = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(base: Store) {
    this.#base = base;
    this.epoch = base.epoch;
    // In hex, UTF-8 bytes are in their own order.
    this.orderOf = (table, key) => base.orderOf?.(table, key) ?? Buffer.from(key).toString('hex');
  }

  async getMany(
    table: TableName,
    keys: readonly string[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    const changed = this.#changed.get(table);
    // The base is not asked for what has changed: its own value may be damaged.
    const others = keys.filter((key) => changed?.has(key) !== true);
    const values = await this.#base.getMany(table, others);
    let at = 0;
    return keys.map((key) =>
      changed?.has(key) === true ? copyOf(changed.get(key)) : values[at++],
    );
  }

  async list(
    table: TableName,
    { prefix = '', after, limit, onDamaged }: ListOptions,
  ): Promise<readonly StoreEntry[]> {
    const changed = this.#changed.get(table);
    const compare = (a: string, b: string): number =>
      a === b ? 0 : this.orderOf(table, a) < this.orderOf(table, b) ? -1 : 1;
    const base: StoreEntry[] = [];
    let isWhole = false;
    for (let last = after; !isWhole && base.length < limit;) {
      const page = await this.#base.list(table, {
        prefix,
        limit,
        ...(last !== undefined && { after: last }),
        onDamaged: (damaged) => {
          if (damaged.key === undefined || changed?.has(damaged.key) !== true) onDamaged?.(damaged);
        },
      });
      base.push(...page.filter(({ key }) => changed?.has(key) !== true));
      isWhole = page.length < limit;
      last = page.at(-1)?.key;
    }
    const added = [...(changed ?? [])].flatMap(([key, value]): StoreEntry[] => {
      const isMeant = key.startsWith(prefix) && (after === undefined || compare(key, after) > 0);
      return value === undefined || !isMeant ? [] : [{ key, value: Uint8Array.from(value) }];
    });
    const all = [...base, ...added].sort((a, b) => compare(a.key, b.key));
    // Entries after the last one that was read may have others of the base store before them.
    const lastKey = base.at(-1)?.key;
    const known =
      isWhole || lastKey === undefined ? all : all.filter(({ key }) => compare(key, lastKey) <= 0);
    return known.slice(0, limit);
  }

  commit(changes: readonly Change[]): Promise<void> {
    for (const { table, key, value } of changes) {
      let changed = this.#changed.get(table);
      if (changed === undefined)
        this.#changed.set(table, (changed = new Map<string, Uint8Array<ArrayBuffer>>()));
      if ((table === 'session' || table === 'contact') && !changed.has(key)) this.#note(table, key);
      changed.set(key, value === null ? undefined : this.#copy(value));
    }
    return Promise.resolve();
  }

  #note(table: TableName, key: string): void {
    const serviceId = table === 'session' ? serviceIdIn(key) : key;
    const keys = this.#ofRecipients.get(serviceId);
    if (keys === undefined) this.#ofRecipients.set(serviceId, [{ table, key }]);
    else keys.push({ table, key });
  }

  #copy(value: Uint8Array): Uint8Array<ArrayBuffer> {
    if (value.length > MAX_SHARED_BYTES) return Uint8Array.from(value);
    const name = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1');
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const copy = Uint8Array.from(value);
    if (this.#shared.size < MAX_SHARED_VALUES) this.#shared.set(name, copy);
    return copy;
  }

  /** Forgets the changes to a recipient's sessions and contact: nothing more is done with them. */
  forget(serviceId: string): void {
    for (const { table, key } of this.#ofRecipients.get(serviceId) ?? [])
      this.#changed.get(table)?.delete(key);
    this.#ofRecipients.delete(serviceId);
  }

  /** Changes that it keeps. */
  get size(): number {
    return [...this.#changed.values()].reduce((sum, { size }) => sum + size, 0);
  }

  mayAct(): boolean {
    return this.#base.mayAct?.() ?? true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const copyOf = (value: Uint8Array | undefined): Uint8Array<ArrayBuffer> | undefined =>
  value && Uint8Array.from(value);

const SENT: SendOutcome = { status: 'sent' };
const NOTHING = { status: 'unavailable' } as const;

/** Transport that accepts everything, and gives nothing. */
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
