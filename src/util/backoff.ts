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

export const BACKOFF_NAMES = { baseMs: true, capMs: true, random: true } satisfies NamesOf<BackoffOptions>;

const BASE_MS = 1_000;
const CAP_MS = 60_000;

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

  /** @param options.floor the part of each wait that is not random, 0 to 1. */
  constructor(options: BackoffOptions & { readonly floor?: number } = {}) {
    const { baseMs = BASE_MS, capMs = CAP_MS, random = Math.random, floor = 0 } = options;
    this.#floor = floor;
    this.baseMs = baseMs;
    this.capMs = capMs;
    this.#random = random;
  }

  /** @returns ms to wait before the next attempt. */
  next(): number {
    const longestMs = Math.min(this.capMs, this.baseMs * 2 ** this.#failures);
    this.#failures += 1;
    return (this.#floor + (1 - this.#floor) * this.#random()) * longestMs;
  }

  /** The service answers: the next wait is a short one again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Up to `ceilingMs`, doubling with each attempt from `baseMs` on, a random part of it: many do not come back together. */
export function backoffMs(attempt: number, baseMs: number, ceilingMs: number, random = Math.random): number {
  return Math.min(ceilingMs, baseMs * 2 ** Math.min(attempt, 30)) * (0.5 + random() / 2);
}
