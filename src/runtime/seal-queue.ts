import type { SealcastError } from '../errors.js';
import type { SealResult } from '../engine/types.js';
import type { Sealer, SealRequest } from '../sealer/sealer.js';
import { Coalescer } from '../util/coalescer.js';

interface Order {
  readonly requests: readonly SealRequest[];
  readonly resolve: (results: readonly SealResult[]) => void;
  readonly reject: (error: SealcastError) => void;
}

/** Passes the seals of one turn of the event loop to the Sealer as one batch. */
export class SealQueue {
  readonly #sealer: Sealer;
  /** Batches overlap: the workers process many at a time. */
  readonly #orders = new Coalescer<Order>(
    { run: (orders) => this.#sealAll(orders) },
    { overlaps: true },
  );

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** As {@link Sealer.seal}. */
  seal(requests: readonly SealRequest[]): Promise<readonly SealResult[]> {
    return new Promise((resolve, reject) => this.#orders.add({ requests, resolve, reject }));
  }

  /** As {@link Sealer.sealChecked}: a batch of its own. */
  sealChecked(keys: Uint8Array, contents: readonly Uint8Array[]): Promise<readonly SealResult[]> {
    return this.#sealer.sealChecked(keys, contents);
  }

  async #sealAll(orders: readonly Order[]): Promise<void> {
    try {
      const results = await this.#sealer.seal(orders.flatMap(({ requests }) => requests));
      let at = 0;
      for (const { requests, resolve } of orders) {
        resolve(results.slice(at, at + requests.length));
        at += requests.length;
      }
    } catch (error) {
      for (const { reject } of orders) reject(error as SealcastError);
    }
  }
}
