import type { DeliveryStream } from './delivery-stream.js';
import type { PauseGate, WaitReason } from './flow/pause-gate.js';
import type { Counts, Delivery } from './delivery.js';

/** Result of a broadcast. */
export interface BroadcastSummary extends Readonly<Counts> {
  readonly id: string;
  /** ms since the epoch; receivers know the message by it. */
  readonly timestamp: number;
  readonly recipients: number;
  readonly durationMs: number;
}

/** Result of `resume()` for a broadcast that a crash or a close cut off. */
export type ResumedBroadcast =
  | { readonly id: string; readonly status: 'finished'; readonly summary: BroadcastSummary }
  /**
   * Not all of its recipients had been read: `broadcast()` it again, with the same id, message and
   * recipients.
   */
  | { readonly id: string; readonly status: 'needs-recipients' }
  | { readonly id: string; readonly status: 'failed'; readonly error: unknown };

/** Progress of a broadcast so far: numbers of recipients by outcome, and its waits. */
export interface BroadcastProgress extends Readonly<Counts> {
  /** Recipients known so far; all, once `ingested`. */
  readonly recipients: number;
  /** Whether all recipients are in the outbox: from then on `resume()` needs only the store. */
  readonly ingested: boolean;
  /** Recipients whose delivery has not ended. */
  readonly pending: number;
  /**
   * Waits of the broadcast, or of some of its recipients, at the moment; empty while none waits.
   */
  readonly waitingFor: readonly WaitReason[];
}

/** Progress of a pipeline. */
export interface RunState {
  readonly counts: Counts;
  readonly recipientCount: number;
  readonly ingested: boolean;
}

/**
 * Broadcast that is under way. Iterate it for deliveries as they happen; a slow iteration slows it
 * down. Or ask for its `summary()` alone. It needs neither to go on, and goes on when an iteration
 * is left.
 *
 * Left alone, it keeps 65,536 deliveries for an iteration that begins later. When there are more,
 * none is kept: the iteration gets the broadcast's outcomes from the store, those of earlier runs
 * of the same id included, each error with its code alone, and then the deliveries that follow.
 */
export class BroadcastRun implements AsyncIterable<Delivery> {
  readonly id: string;
  readonly #gate: PauseGate;
  readonly #stream: DeliveryStream;
  readonly #summary: Promise<BroadcastSummary>;
  #state: RunState | undefined;

  constructor(
    id: string,
    gate: PauseGate,
    stream: DeliveryStream,
    summary: Promise<BroadcastSummary>,
  ) {
    this.id = id;
    this.#gate = gate;
    this.#stream = stream;
    this.#summary = summary;
    // A caller that wants to know asks for the summary.
    this.#summary.catch(() => undefined);
  }

  /**
   * Sets the state whose progress the run reports from now on.
   *
   * @internal
   */
  begin(state: RunState): void {
    this.#state = state;
  }

  /** Progress of the broadcast at this moment; a snapshot. */
  get progress(): BroadcastProgress {
    const counts = this.#state?.counts ?? { sealed: 0, unsealed: 0, unregistered: 0, failed: 0 };
    const recipients = this.#state?.recipientCount ?? 0;
    const { sealed, unsealed, unregistered, failed } = counts;
    return {
      ...counts,
      recipients,
      ingested: this.#state?.ingested ?? false,
      pending: recipients - sealed - unsealed - unregistered - failed,
      waitingFor: this.#gate.waits,
    };
  }

  /**
   * Holds the broadcast until `resume()`; requests that are on their way to the service end as
   * usual.
   *
   * @example
   * run.pause();
   */
  pause(): void {
    this.#gate.close('paused');
  }

  /**
   * Goes on after `pause()`, or once a challenge is answered. Does nothing where the broadcast is
   * not held.
   *
   * @example
   * run.pause();
   * setTimeout(() => run.resume(), 60_000);
   */
  resume(): void {
    this.#gate.open('paused');
    this.#gate.open('challenge');
  }

  /**
   * Does what {@link resume} does.
   *
   * @deprecated Use {@link resume}.
   * @example
   * run.resume(); // instead of run.continue()
   */
  continue(): void {
    this.resume();
  }

  /**
   * Resolves when every delivery has ended, with the numbers of all of them. They include the
   * deliveries of earlier runs of the same id.
   *
   * @throws SealcastError the error that stopped it: ERR_ABORTED, ERR_CLOSED, ERR_STORE_FAILED,
   *   ERR_STORE_LOCKED, ERR_BROADCAST_MISMATCH, ERR_TRANSPORT_REFUSED; ERR_SERVICE_UNAVAILABLE
   *   where the service accepts no message for long; ERR_SERVICE_REJECTED, ERR_INVALID_CERTIFICATE,
   *   ERR_CLOCK_SKEW, ERR_RATE_LIMITED or ERR_SERVICE_UNAVAILABLE where it gives no sender
   *   certificate; ERR_INVALID_ARGUMENT where the recipients' iterable threw, with its error as the
   *   cause. The broadcast then can be resumed.
   * @example
   * const { recipients, sealed, unsealed, failed } = await run.summary();
   */
  summary(): Promise<BroadcastSummary> {
    this.#stream.discard();
    return this.#summary;
  }

  /**
   * Iterates deliveries, each once its outcome is on the disk. Throws the error of `summary()`.
   *
   * @example
   * for await (const { serviceId, status } of run) console.log(serviceId, status);
   */
  [Symbol.asyncIterator](): AsyncGenerator<Delivery, void, void> {
    return this.#stream.iterate();
  }
}
