import { SealcastError } from '../errors.js';

/**
 * One lock for each service id: whoever takes a step on a session of one of its devices, or changes what is known of the
 * contact, holds it until that is on the disk.
 */
export class RecipientLocks {
  /** Of each service id that is held or waited for, when the last of those is done. */
  readonly #tails = new Map<string, Promise<void>>();
  #closed = false;

  /**
   * Resolves, once all are held, with what lets them go. All are queued for in one step, so that two who want the same ones
   * stand in the same order everywhere, and neither waits for the other.
   *
   * @throws SealcastError ERR_CLOSED, also for who still waits when they are closed.
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
   * From now on nobody gets one. Resolves when those that are held are let go: whoever takes them over in other locks, on the same
   * store, would not know of the steps that are being taken.
   *
   * @param except names of locks that nobody takes a step in the store with, and that may be held for long.
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
