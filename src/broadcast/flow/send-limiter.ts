import type { AbortWatch } from '../../util/abort-watch.js';
import { Semaphore } from '../../util/semaphore.js';
import type { Clock } from '../../util/clock.js';
import type { PauseGate } from './pause-gate.js';

const MIN_SENDS = 1;
/**
 * Time after the window was halved in which it is not halved again, ms. The answers to sends that
 * were under way say the same thing again.
 */
const CALM_MS = 1_000;

/** Answer of the service to a send. `limited`: 429. */
export type SendAnswer = 'taken' | 'limited' | 'other';

export interface SendLimiterOptions {
  /** Sends that may be under way at the same time. */
  readonly maxSends: number;
  /** Sends that may begin in a second; Infinity: as fast as it goes. */
  readonly perSecond: number;
  readonly aborts: AbortWatch;
  readonly gate: Pick<PauseGate, 'during'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
}

/**
 * Limit of the sends that are under way, and of those that begin in a second. When the service says
 * "too many", the window is halved. Each window's worth of accepted sends makes room for one more,
 * as in TCP.
 */
export class SendLimiter {
  readonly #maxSends: number;
  readonly #millisecondsEach: number;
  readonly #permits: Semaphore;
  readonly #gate: Pick<PauseGate, 'during'>;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  /** Sends that may be under way, and permits out of use because of it. */
  #limit: number;
  #withheld = 0;
  #calmUntilMs = 0;
  /** When the next send may begin. */
  #nextMs = 0;

  constructor({ maxSends, perSecond, aborts, gate, clock }: SendLimiterOptions) {
    this.#gate = gate;
    this.#clock = clock;
    this.#maxSends = maxSends;
    this.#millisecondsEach = 1000 / perSecond;
    this.#permits = new Semaphore(maxSends, aborts);
    this.#limit = maxSends;
  }

  /** Sends that may be under way now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Resolves when a send may begin; rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    await this.#permits.acquire(signal);
    if (this.#millisecondsEach === 0) return;
    const nowMs = this.#clock.monotonicMs();
    // Time in which nothing was sent is not made up for: no second has more than its share.
    const beginMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = beginMs + this.#millisecondsEach;
    if (beginMs === nowMs) return;
    try {
      await this.#gate.during('pace', this.#clock.sleep(beginMs - nowMs, signal));
    } catch (error) {
      this.#permits.release();
      throw error;
    }
  }

  release(answer: SendAnswer): void {
    const nowMs = this.#clock.monotonicMs();
    if (answer === 'taken') this.#limit = Math.min(this.#maxSends, this.#limit + 1 / this.#limit);
    if (answer === 'limited' && nowMs >= this.#calmUntilMs) {
      this.#limit = Math.max(MIN_SENDS, this.#limit / 2);
      this.#calmUntilMs = nowMs + CALM_MS;
    }
    if (this.#withheld < this.#maxSends - this.limit) {
      this.#withheld += 1;
      return;
    }
    this.#permits.release();
    while (this.#withheld > this.#maxSends - this.limit) {
      this.#withheld -= 1;
      this.#permits.release();
    }
  }
}
