import type { Clock, TimeoutOptions } from './clock.js';

/** A time that a service told, and when it was asked. */
export interface TimeSample {
  /** ms since the epoch, as the service has it while it answers. */
  readonly serverMs: number;
  /** ms of the monotonic clock. */
  readonly startMs: number;
  /** ms of the monotonic clock. */
  readonly endMs: number;
}

/** A clock that may be measured against a better one. */
export interface MeasuredClock extends Clock {
  /**
   * Whether a better time than {@link Clock.now} is to be expected: nothing that cannot be undone
   * is decided by this one.
   */
  readonly isProvisional: boolean;
  /**
   * Calls back once, when the clock is no longer provisional. Not called where it is not now.
   *
   * @returns a call that cancels it.
   */
  whenMeasured(callback: () => void): () => void;
}

/** Samples that the median is taken of. */
const MAX_SAMPLES = 5;
/** A sample is wrong by up to half its round trip. */
const MAX_ROUND_TRIP_MS = 5_000;
/**
 * Half the longest round trip, and half a second of a time that was told in seconds: less than this
 * proves nothing.
 */
const TOLERANCE_MS = 3_000;
/**
 * The local clock moved this much otherwise than time: it was set, or the machine slept. NTP slews
 * 500 ppm at most.
 */
const MAX_JUMP_MS = 10_000;
/** A time outside of these years is no time: 2020 and 2200. */
const EARLIEST_MS = Date.UTC(2020);
const LATEST_MS = Date.UTC(2200);

/**
 * Time of a service: the local clock, corrected by what the service's answers say.
 *
 *   state         offset is                    left by
 *   unmeasured    0                            a sample: measured
 *   measured      median of the last samples   the local clock jumps: doubtful
 *   doubtful      that of before               a sample: measured
 *
 * A jump back was the local clock being set: time goes on from where it was. A jump forward may
 * also be a sleep of the machine, through which the local clock goes on and the monotonic one does
 * not: the offset stays, so that the time shown is the later of the two possible ones, and what
 * expires has expired rather too early.
 *
 * A correction below {@link TOLERANCE_MS} is not made, so that the time does not go to and fro with
 * the network.
 */
export class ServiceClock implements MeasuredClock {
  readonly #local: Clock;
  readonly #hasSource: boolean;
  /** ms that the local clock is behind, by sample; the newest last. */
  readonly #offsetsMs: number[] = [];
  readonly #waiting = new Set<() => void>();
  #offsetMs = 0;
  #isMeasured = false;
  #seen: { readonly nowMs: number; readonly monotonicMs: number };

  /** @param hasSource whether samples are to be expected. */
  constructor(local: Clock, hasSource: boolean) {
    this.#local = local;
    this.#hasSource = hasSource;
    this.#seen = { nowMs: local.now(), monotonicMs: local.monotonicMs() };
  }

  now(): number {
    return this.#look().nowMs + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#local.monotonicMs();
  }

  setTimeout(callback: () => void, ms: number, options?: TimeoutOptions): () => void {
    return this.#local.setTimeout(callback, ms, options);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#local.sleep(ms, signal);
  }

  get isProvisional(): boolean {
    this.#look();
    return this.#hasSource && this.#offsetsMs.length === 0;
  }

  /**
   * ms that the local clock is behind the service's, negative where it is ahead; undefined where no
   * sample tells.
   */
  get offsetMs(): number | undefined {
    this.#look();
    const sorted = [...this.#offsetsMs].sort((a, b) => a - b);
    const medianMs = sorted[Math.floor(sorted.length / 2)];
    return medianMs === undefined ? undefined : Math.round(medianMs);
  }

  whenMeasured(callback: () => void): () => void {
    if (!this.isProvisional) return () => undefined;
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  /** Takes a sample, unless it proves nothing. */
  take({ serverMs, startMs, endMs }: TimeSample): void {
    const { nowMs, monotonicMs } = this.#look();
    const roundTripMs = endMs - startMs;
    // Comparisons with NaN are false.
    if (!(serverMs >= EARLIEST_MS && serverMs <= LATEST_MS)) return;
    if (!(roundTripMs >= 0 && roundTripMs <= MAX_ROUND_TRIP_MS && endMs <= monotonicMs)) return;
    const localMs = nowMs - (monotonicMs - (startMs + roundTripMs / 2));
    this.#offsetsMs.push(serverMs - localMs);
    if (this.#offsetsMs.length > MAX_SAMPLES) this.#offsetsMs.shift();
    this.#isMeasured = true;
    const offsetMs = this.offsetMs ?? 0;
    if (Math.abs(offsetMs - this.#offsetMs) > TOLERANCE_MS) this.#offsetMs = offsetMs;
    for (const callback of [...this.#waiting]) {
      this.#waiting.delete(callback);
      callback();
    }
  }

  /** Reads both clocks, and notices where they moved differently since they were read last. */
  #look(): { readonly nowMs: number; readonly monotonicMs: number } {
    const seen = { nowMs: this.#local.now(), monotonicMs: this.#local.monotonicMs() };
    const jumpMs = seen.nowMs - this.#seen.nowMs - (seen.monotonicMs - this.#seen.monotonicMs);
    this.#seen = seen;
    if (this.#isMeasured && Math.abs(jumpMs) > MAX_JUMP_MS) {
      this.#offsetsMs.length = 0;
      if (jumpMs < 0) this.#offsetMs -= Math.round(jumpMs);
    }
    return seen;
  }
}
