import { SealcastError } from '../errors.js';
import { Fifo } from '../pool/fifo.js';
import type { Delivery } from './parcel.js';

/** Deliveries that may lie ready before whoever iterates slows the broadcast down. */
const HIGH_WATER = 1024;

/**
 * Deliveries on their way to whoever iterates. What happens before anybody does is kept; once it is clear that nobody will
 * (`discard`), or no longer, it is dropped, and holds nobody up.
 */
export class DeliveryStream {
  readonly #ready = new Fifo<Delivery>();
  #iterated = false;
  #discarding = false;
  #hurried = false;
  #ended = false;
  #error: unknown;
  #onReady: (() => void) | undefined;
  #onTaken: (() => void)[] = [];

  /** Resolves when the next one may follow. */
  push(delivery: Delivery): Promise<void> | undefined {
    if (this.#discarding) return undefined;
    this.#ready.push(delivery);
    this.#onReady?.();
    if (!this.#iterated || this.#hurried || this.#ready.length < HIGH_WATER) return undefined;
    return new Promise((resolve) => this.#onTaken.push(resolve));
  }

  /** From now on nobody waits for whoever iterates: he may be waiting for the broadcast to stop. */
  hurry(): void {
    this.#hurried = true;
    this.#letFollow();
  }

  /** @param error what the broadcast stopped with; undefined if it came to its end. */
  end(error?: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#onReady?.();
    this.#letFollow();
  }

  /** Nobody is going to iterate, unless somebody has begun to. */
  discard(): void {
    if (!this.#iterated) this.#drop();
  }

  #drop(): void {
    this.#discarding = true;
    this.#ready.clear();
    this.#letFollow();
  }

  #letFollow(): void {
    const waiting = this.#onTaken;
    this.#onTaken = [];
    for (const follow of waiting) follow();
  }

  async *iterate(): AsyncGenerator<Delivery, void, void> {
    if (this.#iterated || this.#discarding) {
      const message = 'deliveries are iterated once, before summary() is asked for';
      throw new SealcastError('ERR_INVALID_ARGUMENT', message);
    }
    this.#iterated = true;
    try {
      for (;;) {
        const delivery = this.#ready.shift();
        if (delivery !== undefined) {
          if (this.#ready.length < HIGH_WATER / 2) this.#letFollow();
          yield delivery;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error as Error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#onReady = resolve;
          });
          this.#onReady = undefined;
        }
      }
    } finally {
      // Left in the middle: the broadcast goes on.
      this.#drop();
    }
  }
}
