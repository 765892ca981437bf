import type { AbortWatch } from '../../util/abort-watch.js';
import { Semaphore } from '../../util/semaphore.js';
import type { Clock } from '../../util/clock.js';
import type { PauseGate } from './pause-gate.js';

const MIN_SENDS = 1;
/** After the window was halved it is left alone so long: the answers to what was under way say the same thing again. */
const CALM_MS = 1_000;

/** What the service made of a send. `limited`: 429. */
export type SendAnswer = 'taken' | 'limited' | 'other';

export interface SendLimiterOptions {
  /** Sends that may be under way at the same time. */
  readonly maxSends: number;
  /** Sends that may begin in a second; Infinity for as fast as it goes. */
  readonly perSecond: number;
  readonly aborts: AbortWatch;
  readonly gate: Pick<PauseGate, 'during'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
}

/**
 * How many sends may be under way, and how many begin in a second. When the service says "too many", the window is halved;
 * each window's worth of sends that it takes makes room for one more, as TCP does it.
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
    // Nobody makes up for time in which nothing was sent: no second has more than its share.
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
