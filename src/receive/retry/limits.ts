import { LruMap } from '../../util/lru-map.js';

/** A message is asked for so many times, and no device for more in an hour than that. */
const MAX_A_MESSAGE = 5;
const MAX_A_DEVICE = 256;
const HOUR_MS = 3_600_000;
/** What is remembered of: the oldest is forgotten first. */
const MAX_REMEMBERED = 16_384;

/** A clock that was set back begins a new hour: else nobody might ask until it has come to where it was. */
const isOver = (sinceMs: number, nowMs: number): boolean => Math.abs(nowMs - sinceMs) >= HOUR_MS;

/** Counts by name, of the last hour or so, no more than so many names. */
class Tally {
  readonly #counts = new LruMap<string, { count: number; readonly sinceMs: number }>(MAX_REMEMBERED);
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

/** How often a message is asked for, or sent again: two sides that never understand each other must not go on for ever. */
export class RetryLimits {
  readonly #messages = new Tally(MAX_A_MESSAGE);
  readonly #devices = new Tally(MAX_A_DEVICE);

  /** Whether one more is well, and counts it. */
  take(device: string, timestamp: number, nowMs: number): boolean {
    const message = `${device}/${timestamp}`;
    if (!this.#messages.allows(message, nowMs) || !this.#devices.allows(device, nowMs)) return false;
    this.#messages.add(message, nowMs);
    this.#devices.add(device, nowMs);
    return true;
  }
}
