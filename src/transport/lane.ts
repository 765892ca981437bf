import { Backoff, type BackoffOptions } from './backoff.js';
import type { ConnectionListener } from './connection-source.js';
import type { LibsignalRefusals } from './libsignal-refusals.js';

/** A connection, as far as keeping it up is concerned. */
export interface Disconnectable {
  disconnect(): Promise<void>;
}

export interface LaneOptions<C extends Disconnectable> {
  readonly connect: (listener: ConnectionListener, signal: AbortSignal) => Promise<C>;
  readonly refusals: LibsignalRefusals;
  readonly backoff: BackoffOptions | undefined;
  /** A connection came, or will never come again. */
  readonly onChange: () => void;
}

interface Attempt<C> {
  connection: C | undefined;
  lost: { readonly cause: Error | null } | undefined;
}

/**
 * One connection that is made again whenever it is lost: one attempt at a time, the attempts ever further apart. A
 * connection that is refused for good is not tried again.
 */
export class Lane<C extends Disconnectable> {
  readonly #options: LaneOptions<C>;
  readonly #backoff: Backoff;
  readonly #controller = new AbortController();
  #connection: C | undefined;
  #refusal: { readonly cause: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Requests on their way over this connection. */
  inFlight = 0;

  constructor(options: LaneOptions<C>) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** The connection, if there is one now. */
  get connection(): C | undefined {
    return this.#connection;
  }

  /** Why there will be no connection any more, if that is so. */
  get refusal(): { readonly cause: unknown } | undefined {
    return this.#refusal;
  }

  /** One attempt; rejects with what libsignal rejects with. Afterwards the connection is kept up until the lane is closed. */
  async connect(): Promise<void> {
    const signal = this.#controller.signal;
    const startMs = performance.now();
    const attempt: Attempt<C> = { connection: undefined, lost: undefined };
    const onConnectionInterrupted = (cause: Error | null): void => {
      if (attempt.lost !== undefined) return;
      attempt.lost = { cause };
      // A connection may be lost before it is in hand here: that is dealt with below.
      if (attempt.connection !== undefined) this.#lose(attempt.connection, cause, performance.now() - startMs);
    };
    const connection = await this.#options.connect({ onConnectionInterrupted }, signal);
    if (signal.aborted) {
      await connection.disconnect().catch(() => undefined);
      return;
    }
    attempt.connection = connection;
    this.#connection = connection;
    if (attempt.lost !== undefined) this.#lose(connection, attempt.lost.cause, 0);
    else this.#options.onChange();
  }

  /** The connection has answered something. */
  answered(): void {
    this.#backoff.reset();
  }

  async close(): Promise<void> {
    this.#controller.abort();
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    // It may be gone already, which is as good.
    await connection?.disconnect().catch(() => undefined);
  }

  #lose(connection: C, cause: Error | null, heldMs: number): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (heldMs >= this.#backoff.capMs) this.#backoff.reset();
    this.#connectAgainAfter(cause);
  }

  #connectAgainAfter(error: unknown): void {
    if (this.#controller.signal.aborted) return;
    if (this.#options.refusals.isForGood(error)) {
      this.#refusal = { cause: error };
      this.#options.onChange();
      return;
    }
    const waitMs = Math.max(this.#backoff.next(), this.#options.refusals.retryAfterMs(error));
    this.#timer = setTimeout(() => {
      this.connect().catch((failure: unknown) => this.#connectAgainAfter(failure));
    }, waitMs);
  }
}
