import type { SendGuard } from '../../runtime/send-guard.js';
import type { Semaphore } from '../../util/semaphore.js';
import { unlessAborted } from '../../util/abort.js';
import type { PreKeysOutcome, Transport } from '../../transport/transport.js';

export type PreKeysRequest = Parameters<Transport['fetchPreKeys']>[0];
/** `undefined`: the contact was changed before the request could begin, and none was made. */
type Fetched = PreKeysOutcome | undefined;

/**
 * Requests for prekeys of a Broadcaster, a bounded number at a time. They take as long as the
 * network does, so the caller holds no lock of a contact.
 */
export class PreKeyFetches {
  readonly #transport: Pick<Transport, 'fetchPreKeys'>;
  readonly #permits: Semaphore;
  readonly #guard: SendGuard;
  /** Requests that broadcasts share, by recipient and access key. */
  readonly #shared = new Map<string, Promise<Fetched>>();
  /** Answers whose bundles begin sessions, and when that is done; never rejected. */
  readonly #uses = new WeakMap<PreKeysOutcome, Promise<undefined>>();

  constructor(transport: Pick<Transport, 'fetchPreKeys'>, permits: Semaphore, guard: SendGuard) {
    this.#transport = transport;
    this.#permits = permits;
    this.#guard = guard;
  }

  /**
   * @param revision at which the contact was read, see {@link SendGuard}.
   * @throws SealcastError ERR_STORE_LOCKED, ERR_INVALID_ARGUMENT; the signal's reason.
   */
  async fetch(request: PreKeysRequest, revision: number, signal: AbortSignal): Promise<Fetched> {
    await this.#permits.acquire(signal);
    try {
      if (!this.#guard.mayBegin(request.destination, revision)) return undefined;
      return await this.#transport.fetchPreKeys(request, { signal });
    } finally {
      this.#permits.release();
    }
  }

  /**
   * As {@link PreKeyFetches.fetch}, for all devices. Broadcasts that find the same stranger at the
   * same time share one answer. One of them may {@link PreKeyFetches.use} its bundles.
   */
  async fetchAll(
    destination: string,
    accessKey: Uint8Array<ArrayBuffer> | null,
    revision: number,
    signal: AbortSignal,
  ): Promise<Fetched> {
    const name = `${destination} ${accessKey === null ? 'account' : Buffer.from(accessKey).toString('hex')}`;
    for (;;) {
      const shared = this.#shared.get(name);
      if (shared === undefined) break;
      try {
        return await unlessAborted(() => shared, signal);
      } catch {
        // The broadcast that asked was stopped, or its request failed: this one asks for itself.
        signal.throwIfAborted();
      }
    }
    const own = this.fetch({ destination, device: 'all', accessKey }, revision, signal).finally(
      () => this.#shared.delete(name),
    );
    this.#shared.set(name, own);
    return own;
  }

  /**
   * Begins sessions with the answer's bundles, once, since a one-time prekey serves once.
   *
   * @returns undefined for a later caller, when the first one is done: the caller looks for the
   *   sessions in the store.
   */
  async use<Result>(
    answer: PreKeysOutcome,
    begin: () => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result | undefined> {
    const first = this.#uses.get(answer);
    if (first !== undefined) {
      await unlessAborted(() => first, signal);
      return undefined;
    }
    const work = begin();
    this.#uses.set(
      answer,
      work.then(
        () => undefined,
        () => undefined,
      ),
    );
    return work;
  }
}
