import type { Transport } from '../transport/transport.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { ServiceClock } from '../util/service-clock.js';
import { Emitter } from '../util/event-relay.js';
import type { Telemetry } from './telemetry.js';

/** A local clock that is off by more than a minute. */
export interface ClockSkew {
  /** ms by which it is behind the service's; negative: ahead. */
  readonly offsetMs: number;
}

/** Offset from which a skew is reported, and change after which it is reported again. */
const SKEW_MS = 60_000;

/**
 * The account's clock, fed with the service's time from the transport; reports a wrong local clock.
 */
export class ServiceTime {
  readonly clock: ServiceClock;
  readonly #telemetry: Telemetry;
  readonly #skews = new Emitter<ClockSkew>();
  /** Last reported skew; undefined where nothing is wrong. */
  #told: ClockSkew | undefined;
  readonly #stop: () => void;

  constructor(transport: Transport, telemetry: Telemetry, local: Clock = SYSTEM_CLOCK) {
    this.#telemetry = telemetry;
    this.clock = new ServiceClock(local, transport.onServerTime !== undefined);
    const stop = transport.onServerTime?.(({ serverMs, roundTripMs }) => {
      const endMs = local.monotonicMs();
      this.clock.take({ serverMs, startMs: endMs - roundTripMs, endMs });
      this.#judge();
    });
    this.#stop = stop ?? ((): void => undefined);
  }

  /**
   * Reports a skew once it is found; a skew that was found before, soon after this call.
   *
   * @returns a call that ends the reports.
   */
  subscribe(listener: (skew: ClockSkew) => void): () => void {
    const unsubscribe = this.#skews.subscribe(listener);
    let isSubscribed = true;
    const told = this.#told;
    if (told !== undefined) {
      setImmediate(() => {
        // Another skew may have been reported meanwhile.
        if (this.#told === told && isSubscribed) listener(told);
      });
    }
    return () => {
      isSubscribed = false;
      unsubscribe();
    };
  }

  close(): void {
    try {
      this.#stop();
    } catch {
      // The transport keeps a listener that has no effect.
    }
  }

  #judge(): void {
    const { offsetMs } = this.clock;
    if (offsetMs === undefined) return;
    if (Math.abs(offsetMs) <= SKEW_MS) {
      this.#told = undefined;
      return;
    }
    if (this.#told !== undefined && Math.abs(offsetMs - this.#told.offsetMs) <= SKEW_MS) return;
    const skew: ClockSkew = { offsetMs };
    this.#told = skew;
    this.#telemetry.publish('clock-skew', skew);
    this.#telemetry.log.warn(
      { ...skew },
      'local clock is wrong: the service’s time is used, set the clock (offsetMs: how far it is behind)',
    );
    this.#skews.emit(skew);
  }
}
