/**
 * One lock for each service id: whoever takes a step on a session of one of its devices, or changes what is known of the
 * contact, holds it until that is on the disk.
 */
export class AddressLocks {
  /** Of each service id that is held or waited for, when the last of those is done. */
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Resolves, once all are held, with what lets them go. All are queued for in one step, so that two who want the same ones
   * stand in the same order everywhere, and neither waits for the other.
   */
  async acquire(serviceIds: Iterable<string>): Promise<() => void> {
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
    return release;
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
