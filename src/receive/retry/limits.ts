import { LruMap } from '../../util/lru-map.js';

/** Requests for one message in an hour, and for all messages of one device. */
const MAX_A_MESSAGE = 5;
const MAX_A_DEVICE = 256;
const HOUR_MS = 3_600_000;
/** Names that are remembered: the oldest is forgotten first. */
const MAX_REMEMBERED = 16_384;

/**
 * Whether an hour is over. A clock that was set back begins a new one: else requests would be
 * refused until the clock has come to where it was.
 */
const isOver = (sinceMs: number, nowMs: number): boolean => Math.abs(nowMs - sinceMs) >= HOUR_MS;

/** Counts by name, of the last hour or so, for at most MAX_REMEMBERED names. */
class HourlyCounter {
  readonly #counts = new LruMap<string, { count: number; readonly sinceMs: number }>(
    MAX_REMEMBERED,
  );
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  allows(name: string, nowMs: number): boolean {
    const known = this.#counts.peek(name);
    return known === undefined || known.count < this.#max || isOver(known.sinceMs, nowMs);
  }

  add(name: string, nowMs: number): void {
    const known = this.#counts.peek(name);
    if (known !== undefined && !isOver(known.sinceMs, nowMs)) {
      known.count += 1;
      return;
    }
    this.#counts.set(name, { count: 1, sinceMs: nowMs });
  }
}

/**
 * Limits how often a message is asked for, or sent again. Two sides that never understand each
 * other must not go on for ever.
 */
export class RetryLimits {
  readonly #messages = new HourlyCounter(MAX_A_MESSAGE);
  readonly #devices = new HourlyCounter(MAX_A_DEVICE);

  /**
   * Counts another request, if the limits allow it.
   *
   * @returns whether they do.
   */
  take(device: string, timestamp: number, nowMs: number): boolean {
    const message = `${device}/${timestamp}`;
    if (!this.#messages.allows(message, nowMs) || !this.#devices.allows(device, nowMs))
      return false;
    this.#messages.add(message, nowMs);
    this.#devices.add(device, nowMs);
    return true;
  }
}
