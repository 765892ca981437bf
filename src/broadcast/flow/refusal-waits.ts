import type { Clock } from '../../util/clock.js';
import { backoffMs, type BackoffGrowth } from '../../util/backoff.js';
import type { Refusal } from '../../transport/transport.js';
import type { Semaphore } from '../../util/semaphore.js';
import { serviceWaitMs } from '../../util/service-wait.js';
import type { PauseGate } from './pause-gate.js';
import type { BroadcastContext } from '../context.js';

const OUTAGE: BackoffGrowth = { baseMs: 1_000, capMs: 60_000, floor: 0.5 };
/** Longest Retry-After of an outage, ms: the whole broadcast waits for it. */
const OUTAGE_RETRY_AFTER_MS = 300_000;
/** Rate limits, in all, after which a delivery ends. */
const MAX_RATE_LIMITS = 12;
/** Challenges, in all, after which a delivery ends: the answers to them were in vain. */
const MAX_CHALLENGES = 5;

export type RateLimited = Extract<Refusal, { status: 'rate-limited' }>;

/** Refusals that one delivery has waited out; each kind has a bound. */
export class WaitedRefusals {
  #rateLimits = 0;
  #challenges = 0;

  get rateLimits(): number {
    return this.#rateLimits;
  }

  get challenges(): number {
    return this.#challenges;
  }

  countRateLimit(): void {
    this.#rateLimits += 1;
  }

  countChallenge(): void {
    this.#challenges += 1;
  }
}

export interface RefusalWaitsOptions {
  readonly id: string;
  readonly gate: PauseGate;
  readonly context: Pick<BroadcastContext, 'telemetry' | 'events'> & {
    readonly clock: Pick<Clock, 'sleep'>;
  };
  /** Longest Retry-After that is waited out, ms. */
  readonly maxRetryAfterMs: number;
  /** A recipient that waits out its Retry-After releases its slot. */
  readonly slots: Pick<Semaphore, 'releaseWhile'>;
  readonly signal: AbortSignal;
}

/**
 * Waits that the service's refusals ask for. One recipient waits for its rate limit; all wait for
 * an outage or a challenge.
 */
export class RefusalWaits {
  readonly #options: RefusalWaitsOptions;
  /** Outages in a row without an accepted send between them. */
  #outages = 0;
  #outage: Promise<void> | undefined;
  /** Number of the outage that is waited out, or of the next one. */
  round = 0;
  /** Length of the outage that was waited out last, ms. */
  lastOutageMs = 0;

  constructor(options: RefusalWaitsOptions) {
    this.#options = options;
  }

  /** Records that the service accepted a send. */
  sent(): void {
    this.#outages = 0;
  }

  /**
   * Whether a rate limit is waited out: not one longer than the caller allows, and not for ever.
   */
  mayWaitOut({ retryAfterMs }: RateLimited, { rateLimits }: WaitedRefusals): boolean {
    return !(retryAfterMs > this.#options.maxRetryAfterMs) && rateLimits < MAX_RATE_LIMITS;
  }

  async waitOut({ retryAfterMs }: RateLimited, waited: WaitedRefusals): Promise<void> {
    const { gate, context, slots, maxRetryAfterMs, signal } = this.#options;
    // The floor also holds where the caller allows only short waits.
    const ceilingMs = Math.max(maxRetryAfterMs, OUTAGE.capMs);
    const waitMs = serviceWaitMs({ retryAfterMs, refusals: waited.rateLimits, ceilingMs });
    waited.countRateLimit();
    await slots.releaseWhile(
      () => gate.during('rate-limited', context.clock.sleep(waitMs, signal)),
      signal,
    );
  }

  /** Whether a challenge is waited out: not for ever, though each is answered. */
  mayAnswer({ challenges }: WaitedRefusals): boolean {
    return challenges < MAX_CHALLENGES;
  }

  /** Closes the gate until the caller answers the challenge. */
  async challenge(
    { token, options }: Extract<Refusal, { status: 'challenge' }>,
    waited: WaitedRefusals,
  ): Promise<void> {
    const { id, gate, context, signal } = this.#options;
    waited.countChallenge();
    if (!gate.closures.includes('challenge')) {
      gate.close('challenge');
      context.telemetry.log.warn(
        { id },
        'the service wants a challenge answered; the broadcast is paused',
      );
      context.events.emit('challenge', { id, token, options });
    }
    await gate.pass(signal);
  }

  /**
   * Waits out an outage. Every recipient waits out the same one; each outage in a row is longer
   * than the one before it.
   */
  outage(retryAfterMs: number | undefined): Promise<void> {
    this.#outage ??= this.#oneOutage(retryAfterMs).finally(() => {
      this.#outage = undefined;
      this.round += 1;
    });
    return this.#outage;
  }

  async #oneOutage(retryAfterMs: number | undefined): Promise<void> {
    const { id, gate, context, signal } = this.#options;
    const grownMs = backoffMs(this.#outages, OUTAGE);
    const askedMs = serviceWaitMs({ retryAfterMs, refusals: 0, ceilingMs: OUTAGE_RETRY_AFTER_MS });
    const pauseMs = retryAfterMs === undefined ? grownMs : Math.max(grownMs, askedMs);
    this.#outages += 1;
    this.lastOutageMs = pauseMs;
    context.telemetry.log.warn(
      { id, pauseMs: Math.round(pauseMs), outages: this.#outages },
      'the service is not available; the broadcast waits',
    );
    gate.close('outage');
    try {
      await context.clock.sleep(pauseMs, signal);
    } finally {
      gate.open('outage');
    }
  }
}
