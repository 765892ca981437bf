import type { Telemetry } from '../runtime/telemetry.js';
import type { ReceiverEvents } from './events.js';
import type { EventSink } from '../util/event-relay.js';
import { REFUSALS, type ReceiveRefusal, type ReceiverStats } from './types.js';

type Counted = 'messages' | 'duplicates' | 'blocked' | 'undecryptable' | 'internal' | 'deferred';

/** Counts outcomes of envelopes. */
export class Counters {
  readonly #telemetry: Telemetry;
  readonly #events: EventSink<ReceiverEvents>;
  readonly #counts: Record<Counted, number> = {
    messages: 0,
    duplicates: 0,
    blocked: 0,
    undecryptable: 0,
    internal: 0,
    deferred: 0,
  };
  readonly #refused = Object.fromEntries(REFUSALS.map((reason) => [reason, 0])) as Record<
    ReceiveRefusal,
    number
  >;

  constructor(telemetry: Telemetry, events: EventSink<ReceiverEvents>) {
    this.#telemetry = telemetry;
    this.#events = events;
  }

  count(what: Counted, count = 1): void {
    this.#counts[what] += count;
  }

  refused(reason: ReceiveRefusal): void {
    this.#refused[reason] += 1;
    this.#telemetry.publish('received:refused', { reason });
    this.#events.emit('refused', { reason });
  }

  get snapshot(): Omit<ReceiverStats, 'waiting' | 'ready'> {
    return { ...this.#counts, refused: { ...this.#refused } };
  }
}
