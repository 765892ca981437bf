import { SealcastError } from '../../errors.js';
import { AbortWatch } from '../../util/abort-watch.js';
import type { Clock } from '../../util/clock.js';

/** A request took longer than it may. Its outcome is not known. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/** The connection of a request was ended on purpose. The outcome of the request is not known. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** A request on its way, from when it was asked for until it is answered or given up. */
export class InFlightRequest {
  readonly #controller = new AbortController();
  readonly #stopped: Promise<never>;
  #reject!: (reason: Error) => void;

  constructor() {
    this.#stopped = new Promise<never>((_resolve, reject) => (this.#reject = reject));
    // It may be stopped while nothing waits for it.
    this.#stopped.catch(() => undefined);
  }

  /** For libsignal: releases the resources that the request holds there. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(reason: Error): void {
    this.#reject(reason);
    this.#controller.abort();
  }

  /**
   * @throws what `promise` rejects with, or what the request was stopped with, if that comes first.
   */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([this.#stopped, promise]);
  }
}

/**
 * All requests on their way, and what ends them: their time, their signals, the transport's end.
 */
export class InFlightRequests {
  readonly #requests = new Set<InFlightRequest>();
  readonly #watch = new AbortWatch();
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, 'setTimeout'>;
  #closed = false;

  constructor(timeoutMs: number, clock: Pick<Clock, 'setTimeout'>) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** @throws SealcastError ERR_ABORTED, ERR_CLOSED; {@link TimedOut}; whatever `send` throws. */
  async run<T>(
    signal: AbortSignal | undefined,
    send: (request: InFlightRequest) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw closedError();
    if (signal?.aborted === true) throw abortedError(signal);
    const request = new InFlightRequest();
    this.#requests.add(request);
    const cancel = this.#clock.setTimeout(
      () => request.stop(new TimedOut('the request took too long')),
      this.#timeoutMs,
      { keepsAlive: true },
    );
    const unwatch = signal && this.#watch.add(signal, () => request.stop(abortedError(signal)));
    try {
      return await request.race(send(request));
    } finally {
      cancel();
      unwatch?.();
      this.#requests.delete(request);
    }
  }

  close(): void {
    this.#closed = true;
    for (const request of this.#requests) request.stop(closedError());
  }
}

export function closedError(): SealcastError {
  return new SealcastError('ERR_CLOSED', 'the transport is closed');
}

export function abortedError(signal: AbortSignal): SealcastError {
  return new SealcastError('ERR_ABORTED', 'the request was aborted', { cause: signal.reason });
}
