import { SealcastError } from '../errors.js';
import { Queue } from '../util/queue.js';
import type { Delivery } from './delivery.js';

/** Deliveries that may be ready before a slow iteration slows the broadcast down. */
const HIGH_WATER = 1024;
/** Deliveries that are kept for an iteration that has not begun yet. */
const MAX_UNREAD = 65_536;

/**
 * Deliveries on their way to an iteration. The stream keeps the ones that come before it begins.
 * Once it is clear that none will begin (`discard`), or that it has ended, deliveries are dropped,
 * and hold no recipient up.
 *
 * A run may also be left alone, neither iterated nor asked for its summary. When its unread
 * deliveries would fill the memory, none is kept: the outbox has them all, and a late iteration
 * gets them from there, then the ones that follow.
 */
export class DeliveryStream {
  readonly #stored: () => AsyncIterable<Delivery>;
  readonly #maxUnread: number;
  readonly #ready = new Queue<Delivery>();
  /** Recipients whose outcome is being written to the outbox, and not pushed yet. */
  readonly #writing = new Set<string>();
  /**
   * Deliveries that no outbox has: of entries that are no service ids. Undefined until unread
   * deliveries are no longer kept.
   */
  #unstored: Delivery[] | undefined;
  /** Recipients that are pushed while an iteration reads the outbox. */
  #pushed: Set<string> | undefined;
  #iterated = false;
  #discarding = false;
  #hurried = false;
  #ended = false;
  #error: unknown;
  #onReady: (() => void) | undefined;
  #onTaken: (() => void)[] = [];

  /** @param stored deliveries as the outbox has them, in any order. */
  constructor(stored: () => AsyncIterable<Delivery>, maxUnread = MAX_UNREAD) {
    this.#stored = stored;
    this.#maxUnread = maxUnread;
  }

  /** Records that the recipient's outcome goes to the outbox now. It is pushed when it is there. */
  writing(recipient: string): void {
    this.#writing.add(recipient);
    this.#pushed?.add(recipient);
  }

  /** Adds a delivery. Resolves when the next one may follow. */
  push(delivery: Delivery): Promise<void> | undefined {
    const isStored = this.#writing.delete(delivery.recipient);
    if (this.#discarding) return undefined;
    if (!this.#iterated && this.#isLeft(delivery, isStored)) return undefined;
    this.#ready.push(delivery);
    this.#onReady?.();
    if (!this.#iterated || this.#hurried || this.#ready.length < HIGH_WATER) return undefined;
    return new Promise((resolve) => this.#onTaken.push(resolve));
  }

  /** Whether deliveries are dropped, as too many are unread. */
  #isLeft(delivery: Delivery, isStored: boolean): boolean {
    if (this.#unstored === undefined) {
      if (this.#ready.length < this.#maxUnread) return false;
      this.#unstored = [];
      for (let kept = this.#ready.shift(); kept !== undefined; kept = this.#ready.shift()) {
        if (kept.error?.code === 'ERR_RECIPIENT_INVALID' && kept.error.index !== undefined)
          this.#unstored.push(kept);
      }
    }
    if (!isStored && this.#unstored.length < this.#maxUnread) this.#unstored.push(delivery);
    return true;
  }

  /** Stops waiting for a slow iteration: its caller may be waiting for the broadcast to stop. */
  stopBackpressure(): void {
    this.#hurried = true;
    this.#releaseWaiting();
  }

  /** @param error that the broadcast stopped with; undefined if it came to its end. */
  end(error?: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#onReady?.();
    this.#releaseWaiting();
  }

  /** Drops the deliveries, as no iteration is going to begin. Does nothing if one has begun. */
  discard(): void {
    if (!this.#iterated) this.#drop();
  }

  /** Deliveries in memory. */
  get size(): number {
    return this.#ready.length + (this.#unstored?.length ?? 0);
  }

  #drop(): void {
    this.#discarding = true;
    this.#ready.clear();
    this.#unstored = undefined;
    this.#pushed = undefined;
    this.#releaseWaiting();
  }

  #releaseWaiting(): void {
    const waiting = this.#onTaken;
    this.#onTaken = [];
    for (const release of waiting) release();
  }

  async *iterate(): AsyncGenerator<Delivery, void, void> {
    if (this.#iterated || this.#discarding) {
      const message = 'deliveries are iterated once, before summary() is asked for';
      throw new SealcastError('ERR_INVALID_ARGUMENT', message);
    }
    this.#iterated = true;
    try {
      if (this.#unstored !== undefined) yield* this.#left(this.#unstored);
      for (;;) {
        const delivery = this.#ready.shift();
        if (delivery !== undefined) {
          if (this.#ready.length < HIGH_WATER / 2) this.#releaseWaiting();
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
      // The iteration may have been left in the middle: the broadcast goes on.
      this.#drop();
    }
  }

  /**
   * Yields the deliveries that were not kept. An outcome that is written meanwhile may be in the
   * outbox already; it is pushed, and left out here.
   */
  async *#left(unstored: Delivery[]): AsyncGenerator<Delivery, void, void> {
    const pushed = new Set(this.#writing);
    this.#pushed = pushed;
    yield* unstored.splice(0);
    for await (const delivery of this.#stored()) {
      if (!pushed.has(delivery.recipient)) yield delivery;
    }
    this.#pushed = undefined;
  }
}
