import { backoffMs, type BackoffGrowth } from './backoff.js';

/**
 * Shortest wait before a refused request is repeated: a service that counts in seconds rounds its
 * own number down to 0. The jitter comes on top of the longer of this and the service's number.
 */
const GROWTH: BackoffGrowth = { baseMs: 1_000, capMs: 60_000, floor: 1 };

/** IMF-fixdate, the one form of a date that senders may generate (RFC 9110, 5.6.7). */
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Parses the header Retry-After (RFC 9110, 10.2.3): a non-negative integer of seconds, or a date.
 *
 * @param nowMs the time that a date is compared with, best that of the answer's own header Date.
 * @returns ms, 0 or more; undefined for an absent header and for anything else, such as `-5` or
 *   `1.5`.
 */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const atMs = parseHttpDate(text);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

/**
 * ms since the epoch; undefined for anything but an IMF-fixdate. `Date.parse` alone takes `1.5` for
 * a day in January.
 */
export function parseHttpDate(value: string | undefined): number | undefined {
  if (value === undefined || !HTTP_DATE.test(value)) return undefined;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** A refused request that is to be repeated. */
export interface RefusedRequest {
  /** The service's own number, ms; whatever it is, the wait stays between floor and ceiling. */
  readonly retryAfterMs: number | undefined;
  /** Refusals of the same subject in a row before this one. */
  readonly refusals: number;
  /** Longest wait, ms; a random eighth comes on top. */
  readonly ceilingMs: number;
  readonly random?: () => number;
}

/**
 * Wait before a refused request is repeated, ms: the service's number or 1, 2, 4, ... 60 s,
 * whichever is longer, at most the ceiling; and up to an eighth more, so that requests that were
 * refused together do not come back together.
 */
export function serviceWaitMs({
  retryAfterMs,
  refusals,
  ceilingMs,
  random = Math.random,
}: RefusedRequest): number {
  const grownMs = backoffMs(Math.max(0, refusals), GROWTH);
  // NaN is no wait: Math.max would pass it on, and a timer takes it for 1 ms.
  const askedMs = retryAfterMs === undefined || !(retryAfterMs > 0) ? 0 : retryAfterMs;
  return Math.min(ceilingMs, Math.max(askedMs, grownMs)) * (1 + random() / 8);
}
