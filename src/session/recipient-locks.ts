import { SealcastError } from '../errors.js';

/** Of each name that is held or waited for, when the last of those is done. */
type Tails = Map<string, Promise<void>>;

const tailsByStore = new WeakMap<object, Tails>();

/**
 * One lock for each service id. A task that takes a step on a session of one of its devices, or
 * changes the contact's record, holds it until the commit.
 */
export class RecipientLocks {
  readonly #tails: Tails;
  #closed = false;

  constructor(tails: Tails = new Map()) {
    this.#tails = tails;
  }

  /**
   * Locks that exclude all others of the same store, whether an account is open on it or not.
   *
   * Each has an end of its own: the locks of an account are closed with it, those of a list stay.
   */
  static of(store: object): RecipientLocks {
    let tails = tailsByStore.get(store);
    if (tails === undefined) tailsByStore.set(store, (tails = new Map<string, Promise<void>>()));
    return new RecipientLocks(tails);
  }

  /**
   * Resolves, once all locks are held, with a function that releases them. All are queued for in
   * one step, so that two tasks that want the same ones have the same order everywhere, and no
   * deadlock arises.
   *
   * @throws SealcastError ERR_CLOSED, also for tasks that wait when the locks are closed.
   */
  async acquire(serviceIds: Iterable<string>): Promise<() => void> {
    this.#assertOpen();
    const wanted = new Set(serviceIds);
    let release!: () => void;
    const tail = new Promise<void>((resolve) => {
      release = () => {
        for (const serviceId of wanted) {
          if (this.#tails.get(serviceId) === tail) this.#tails.delete(serviceId);
        }
        resolve();
      };
    });
    const before: Promise<void>[] = [];
    for (const serviceId of wanted) {
      const held = this.#tails.get(serviceId);
      if (held !== undefined) before.push(held);
      this.#tails.set(serviceId, tail);
    }
    await Promise.all(before);
    try {
      this.#assertOpen();
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SealcastError('ERR_CLOSED', 'the account is closed');
  }

  /**
   * Refuses every lock from now on. Resolves when the held ones are released: another owner of the
   * same store, with other locks, would not know of the steps under way.
   *
   * @param except names of locks under which no task takes a step in the store, and that may be
   *   held for long.
   */
  async close(except: ReadonlySet<string>): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#tails].flatMap(([name, tail]) => (except.has(name) ? [] : [tail])));
  }

  /** Runs `work` with the lock held. */
  async with<Result>(serviceIds: Iterable<string>, work: () => Promise<Result>): Promise<Result> {
    const release = await this.acquire(serviceIds);
    try {
      return await work();
    } finally {
      release();
    }
  }
}
