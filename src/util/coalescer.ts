import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work on items that came together. */
export interface CoalescedWork<Item> {
  /** Never rejects: it tells its failure to those who added the items. */
  run(items: readonly Item[]): Promise<void>;
}

export interface CoalescerOptions {
  /**
   * Whether a batch begins while another one is worked on. Default false: items that come meanwhile
   * share the next batch.
   */
  readonly overlaps?: boolean;
}

/**
 * Collects items into batches.
 *
 * Items that are added in one turn of the event loop, or while a batch is worked on, share one.
 */
export class Coalescer<Item> {
  readonly #work: CoalescedWork<Item>;
  readonly #overlaps: boolean;
  #items: Item[] = [];
  #holds = 0;
  #running: Promise<void> | undefined;

  constructor(work: CoalescedWork<Item>, { overlaps = false }: CoalescerOptions = {}) {
    this.#work = work;
    this.#overlaps = overlaps;
  }

  add(item: Item): void {
    this.#items.push(item);
    this.#start();
  }

  /** @returns the items that wait: they are the caller's to work on, and in no batch. */
  take(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  /** Has items wait. @returns a call that ends the hold; further calls of it do nothing. */
  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      this.#start();
    };
  }

  /**
   * Works on all items that wait, also on held ones; resolves when no batch is under way, unless
   * batches overlap.
   */
  async drain(): Promise<void> {
    await this.#running;
    while (this.#items.length > 0) await this.#work.run(this.take());
  }

  #start(): void {
    if (this.#items.length > 0 && this.#holds === 0) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await nextTurn();
    while (this.#items.length > 0 && this.#holds === 0) {
      const running = this.#work.run(this.take());
      if (!this.#overlaps) await running;
    }
    this.#running = undefined;
  }
}
