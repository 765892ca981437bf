import { SYSTEM_CLOCK, type Clock } from '../../util/clock.js';
import { serviceWaitMs } from '../../util/service-wait.js';
import { Backoff, type BackoffOptions } from '../../util/backoff.js';
import type { ConnectionListener } from './connection-source.js';
import { ConnectionEnded, type InFlightRequest } from './in-flight.js';
import type { LibsignalRefusals } from '../mapping/libsignal.js';

/** A connection, as far as keeping it up is concerned. */
export interface Disconnectable {
  disconnect(): Promise<void>;
}

export interface LaneOptions<C extends Disconnectable> {
  readonly connect: (listener: ConnectionListener, signal: AbortSignal) => Promise<C>;
  readonly refusals: LibsignalRefusals;
  readonly backoff: BackoffOptions | undefined;
  /** Before the attempts after "connected elsewhere", where those are made. */
  readonly elsewhereBackoff?: BackoffOptions | undefined;
  /** Refused for good: there will be no connection any more. */
  readonly onRefused?: (cause: unknown) => void;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** A connection came, or will never come again. */
  readonly onChange: () => void;
}

/** Ms: the first wait is 15 to 30 s, the longest 15 to 30 min. */
const ELSEWHERE = { baseMs: 30_000, capMs: 1_800_000 } as const;

/** Longest wait that a 429 or 428 to an attempt to connect is believed, ms. */
const MAX_RETRY_AFTER_MS = 3_600_000;

interface Attempt<C> {
  /**
   * Ends the attempt. It has a signal of its own, since libsignal leaves its listener on the signal
   * that it is given (0.103.0, 2026-11): one signal for all attempts would have one more with each
   * reconnect.
   */
  readonly controller: AbortController;
  connection: C | undefined;
  lost: { readonly cause: Error | null } | undefined;
  /** Another connection is to replace this one, as soon as the attempt for it has ended. */
  isOutdated: boolean;
}

/**
 * One connection that is made again whenever it is lost: one attempt at a time, the attempts ever
 * further apart. A connection that is refused for good is not tried again.
 */
export class ManagedConnection<C extends Disconnectable> {
  readonly #options: LaneOptions<C>;
  readonly #backoff: Backoff;
  /**
   * After "connected elsewhere", where that is retried: no short wait, or two clients throw each
   * other out in turns.
   */
  readonly #elsewhere: Backoff;
  #isClosed = false;
  #connection: C | undefined;
  /** The attempt to connect that is under way. */
  #attempt: Attempt<C> | undefined;
  /** Of the connection that another takes the place of. */
  #ending: Promise<void> | undefined;
  #refusal: { readonly cause: unknown } | undefined;
  readonly #clock: Clock;
  /** Ends the wait before the next attempt. */
  readonly #closing = new AbortController();
  /** Requests on their way over this connection. */
  readonly requests = new Set<InFlightRequest>();

  constructor(options: LaneOptions<C>) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#backoff = new Backoff(options.backoff);
    this.#elsewhere = new Backoff({ ...ELSEWHERE, ...options.elsewhereBackoff, floor: 0.5 });
  }

  /** The connection, if there is one now. */
  get connection(): C | undefined {
    return this.#connection;
  }

  /** Why there will be no connection any more, if that is so. */
  get refusal(): { readonly cause: unknown } | undefined {
    return this.#refusal;
  }

  /**
   * One attempt; rejects with what libsignal rejects with. Afterwards the connection is kept up
   * until it is closed.
   */
  async connect(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const controller = new AbortController();
    const attempt: Attempt<C> = {
      controller,
      connection: undefined,
      lost: undefined,
      isOutdated: false,
    };
    const onConnectionInterrupted = (cause: Error | null): void => {
      if (attempt.lost !== undefined) return;
      attempt.lost = { cause };
      // A connection may be lost before its attempt resolves here: that is dealt with below.
      if (attempt.connection !== undefined)
        this.#lose(attempt.connection, cause, this.#clock.monotonicMs() - startMs);
    };
    this.#attempt = attempt;
    let connection: C;
    try {
      connection = await this.#options.connect({ onConnectionInterrupted }, controller.signal);
    } finally {
      this.#attempt = undefined;
    }
    if (this.#isClosed) {
      await connection.disconnect().catch(() => undefined);
      return;
    }
    attempt.connection = connection;
    this.#connection = connection;
    if (attempt.lost !== undefined) this.#lose(connection, attempt.lost.cause, 0);
    else if (attempt.isOutdated) this.#replace(connection);
    else this.#options.onChange();
  }

  /**
   * Ends the connection, and makes another at once. Where there is none, one is being made already,
   * or waits for its turn after a loss; that will do.
   *
   * @param isSpent the connection that is being made will not do: it was used before its attempt
   *   resolved.
   * @returns whether a connection is ended for this.
   */
  renew(isSpent: boolean): boolean {
    if (this.#connection !== undefined) {
      this.#replace(this.#connection);
      return true;
    }
    if (!isSpent || this.#attempt === undefined) return false;
    this.#attempt.isOutdated = true;
    return true;
  }

  /** The connection has answered something. */
  answered(): void {
    this.#backoff.reset();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#attempt?.controller.abort();
    this.#closing.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    // It may be gone already, which is as good.
    await Promise.all([connection?.disconnect().catch(() => undefined), this.#ending]);
  }

  /** Replaces the connection. Its later events, its end included, are ignored. */
  #replace(connection: C): void {
    this.#connection = undefined;
    // libsignal leaves them to their time-out if the service does not close the connection, too
    // (0.103.0, 2026-11).
    for (const request of this.requests)
      request.stop(new ConnectionEnded('the connection was ended to be replaced'));
    this.#ending = this.#end(connection);
    void this.#ending.then(() => this.#connectAgain());
  }

  /**
   * Ends a connection and waits for the end, but not for long.
   *
   * The service ends the older of two connections of a device, and gives queued messages to the one
   * that it knows of, hence the wait. A network that is away may hold it up, hence the limit.
   */
  async #end(connection: C): Promise<void> {
    const ended = new AbortController();
    const late = this.#clock.sleep(this.#backoff.baseMs, ended.signal).catch(() => undefined);
    await Promise.race([connection.disconnect().catch(() => undefined), late]);
    ended.abort();
  }

  #lose(connection: C, cause: Error | null, heldMs: number): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (heldMs >= this.#backoff.capMs) this.#backoff.reset();
    if (heldMs >= this.#elsewhere.capMs) this.#elsewhere.reset();
    this.#connectAgainAfter(cause);
  }

  #connectAgainAfter(error: unknown): void {
    if (this.#isClosed) return;
    if (this.#options.refusals.isForGood(error)) {
      this.#refusal = { cause: error };
      this.#options.onRefused?.(error);
      this.#options.onChange();
      return;
    }
    const { refusals } = this.#options;
    const isElsewhere = refusals.isConnectedElsewhere(error);
    const backoffMs = (isElsewhere ? this.#elsewhere : this.#backoff).next();
    const retryAfterMs = refusals.retryAfterMs(error);
    const askedMs =
      retryAfterMs === undefined
        ? 0
        : serviceWaitMs({ retryAfterMs, refusals: 0, ceilingMs: MAX_RETRY_AFTER_MS });
    const waitMs = Math.max(backoffMs, askedMs);
    this.#clock.sleep(waitMs, this.#closing.signal).then(
      () => this.#connectAgain(),
      () => undefined,
    );
  }

  #connectAgain(): void {
    if (this.#isClosed) return;
    this.connect().catch((failure: unknown) => this.#connectAgainAfter(failure));
  }
}
