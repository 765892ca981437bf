import type { NamesOf } from './known-names.js';

/** How long to wait before the next attempt to connect. */
export interface BackoffOptions {
  /**
   * Longest delay before the first attempt, ms. It doubles with every attempt that fails. Default 1
   * s.
   */
  readonly baseMs?: number;
  /** The longest wait, in ms. Default 60 s. */
  readonly capMs?: number;
  /** 0 to below 1; default `Math.random`. */
  readonly random?: () => number;
}

export const BACKOFF_NAMES = {
  baseMs: true,
  capMs: true,
  random: true,
} satisfies NamesOf<BackoffOptions>;

const BASE_MS = 1_000;
const CAP_MS = 60_000;

/** How a wait grows. */
export interface BackoffGrowth {
  /** Longest wait after the first failure, ms. */
  readonly baseMs: number;
  /** Longest wait, ms. */
  readonly capMs: number;
  /** Part of each wait that is not random, 0 (full jitter) to 1 (none). Default 0. */
  readonly floor?: number;
  /** 0 to below 1; default `Math.random`. */
  readonly random?: () => number;
}

/** Wait after `failures` earlier failures, ms: exponential, with jitter. */
export function backoffMs(
  failures: number,
  { baseMs, capMs, floor = 0, random = Math.random }: BackoffGrowth,
): number {
  return Math.min(capMs, baseMs * 2 ** failures) * (floor + (1 - floor) * random());
}

/**
 * Exponential backoff with full jitter: of a thousand clients that lost the service together, no
 * two come back together. (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
 * 2015.)
 */
export class Backoff {
  readonly #floor: number;
  readonly #random: () => number;
  #failures = 0;
  /** A short wait, in ms. */
  readonly baseMs: number;
  /** A connection that held so long, in ms, was a good one. */
  readonly capMs: number;

  /**
   * @param options base and cap of the waits.
   * @param options.floor the part of each wait that is not random, 0 to 1.
   */
  constructor(options: BackoffOptions & { readonly floor?: number } = {}) {
    const { baseMs = BASE_MS, capMs = CAP_MS, random = Math.random, floor = 0 } = options;
    this.#floor = floor;
    this.baseMs = baseMs;
    this.capMs = capMs;
    this.#random = random;
  }

  /** @returns ms to wait before the next attempt. */
  next(): number {
    const { baseMs, capMs } = this;
    const waitMs = backoffMs(this.#failures, {
      baseMs,
      capMs,
      floor: this.#floor,
      random: this.#random,
    });
    this.#failures += 1;
    return waitMs;
  }

  /** The service answers: the next wait is a short one again. */
  reset(): void {
    this.#failures = 0;
  }
}
