import type { Telemetry } from '../runtime/telemetry.js';
import type { Notify } from './events.js';
import { REFUSALS, type ReceiveRefusal, type ReceiverStats } from './types.js';

type Counted = 'messages' | 'duplicates' | 'blocked' | 'undecryptable' | 'internal' | 'deferred';

/** Counts what became of envelopes. */
export class Counters {
  readonly #telemetry: Telemetry;
  readonly #notify: Notify;
  readonly #counts: Record<Counted, number> = {
    messages: 0,
    duplicates: 0,
    blocked: 0,
    undecryptable: 0,
    internal: 0,
    deferred: 0,
  };
  readonly #refused = Object.fromEntries(REFUSALS.map((reason) => [reason, 0])) as Record<ReceiveRefusal, number>;

  constructor(telemetry: Telemetry, notify: Notify) {
    this.#telemetry = telemetry;
    this.#notify = notify;
  }

  count(what: Counted, count = 1): void {
    this.#counts[what] += count;
  }

  refused(reason: ReceiveRefusal): void {
    this.#refused[reason] += 1;
    this.#telemetry.publish('received:refused', { reason });
    this.#notify('refused', { reason });
  }

  get snapshot(): Omit<ReceiverStats, 'waiting' | 'ready'> {
    return { ...this.#counts, refused: { ...this.#refused } };
  }
}
