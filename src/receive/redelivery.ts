import type { AccountTransport } from '../transport/account-transport.js';
import { backoffMs, type BackoffGrowth } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';

/** Before envelopes that no worker could unseal or decrypt are delivered again. */
const BACKOFF: BackoffGrowth = { baseMs: 1_000, capMs: 60_000, floor: 0.5 };

/**
 * Asks the service to deliver again the envelopes that were left with it. It asks once all that
 * were taken in are acknowledged.
 */
export class Redelivery {
  readonly #transport: Pick<AccountTransport, 'redeliver'>;
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #ending: AbortSignal;
  /** Consecutive batches that left envelopes with the service. */
  #deferrals = 0;
  #tail: Promise<void> = Promise.resolve();

  /** @param ending fires when no further envelopes are taken in. */
  constructor(
    transport: Pick<AccountTransport, 'redeliver'>,
    clock: Pick<Clock, 'sleep'>,
    ending: AbortSignal,
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#ending = ending;
  }

  /** Resolves when the last batch has been given out. */
  get tail(): Promise<void> {
    return this.#tail;
  }

  /** @param batch resolves when the batch, and all before it, have been given out. */
  follow(batch: Promise<void>): void {
    this.#tail = batch;
  }

  /** Notes that a batch has been given out, except `count` envelopes left with the service. */
  noteDeferred(count: number): void {
    this.#deferrals = count === 0 ? 0 : this.#deferrals + 1;
  }

  /**
   * Resolves when the envelopes that were taken in are settled and the backoff has passed. Settled
   * envelopes are acknowledged, or left with the service.
   */
  async settled(): Promise<void> {
    await this.#tail;
    if (this.#deferrals === 0) return;
    const waitMs = backoffMs(this.#deferrals - 1, BACKOFF);
    // Closed meanwhile: there is nothing to wait for.
    await this.#clock.sleep(waitMs, this.#ending).catch(() => undefined);
  }

  request(): void {
    this.#transport.redeliver();
  }
}
