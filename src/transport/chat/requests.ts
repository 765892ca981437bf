import { SealcastError } from '../../errors.js';
import { SYSTEM_CLOCK, type Clock } from '../../util/clock.js';
import type { AuthenticatedConnection } from './connection-source.js';
import { InFlightRequests, type InFlightRequest } from './in-flight.js';
import { CLIENT_TOO_OLD, refusalOfAnswer, type HttpAnswer } from '../mapping/http.js';
import type { Disconnectable } from './managed-connection.js';
import { refusedError, type ConnectionPool } from './connection-pool.js';
import type { LibsignalRefusals } from '../mapping/libsignal.js';
import type { ServerTimes } from './server-times.js';
import type { Refusal, RequestOptions } from '../transport.js';

/** A request that libsignal has no typed call for. */
export interface RawRequest {
  readonly verb: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: readonly [name: string, value: string][];
  /** The body, as JSON. */
  readonly json?: object | undefined;
}

const JSON_HEADER: [string, string] = ['content-type', 'application/json'];

/** A connection that takes raw requests. */
type Fetching = Pick<AuthenticatedConnection, 'fetch' | 'disconnect'>;

/** Asks, and turns all that may come of it into an answer. */
export class Requests {
  readonly #refusals: LibsignalRefusals;
  readonly #timeoutMs: number;
  readonly #inFlight: InFlightRequests;
  readonly #serverTimes: ServerTimes;
  readonly #clock: Clock;

  /**
   * @param serverTimes told of every raw answer; libsignal's typed calls give none of the headers.
   */
  constructor(
    refusals: LibsignalRefusals,
    timeoutMs: number,
    serverTimes: ServerTimes,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.#refusals = refusals;
    this.#serverTimes = serverTimes;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#inFlight = new InFlightRequests(timeoutMs, clock);
  }

  /**
   * A typed call of libsignal. @throws SealcastError ERR_ABORTED, ERR_CLOSED,
   * ERR_TRANSPORT_REFUSED.
   */
  call<C extends Disconnectable, T>(
    connections: ConnectionPool<C>,
    options: RequestOptions | undefined,
    ask: (connection: C, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T | Refusal> {
    return this.#run(options, (inFlight) =>
      connections.run(inFlight, (connection) => ask(connection, inFlight.signal)),
    );
  }

  /** @param read what a successful answer means. @throws as {@link call}. */
  fetch<T>(
    connections: ConnectionPool<Fetching>,
    options: RequestOptions | undefined,
    { verb, path, headers = [], json }: RawRequest,
    read: (answer: HttpAnswer) => T,
  ): Promise<T | Refusal> {
    const request = {
      verb,
      path,
      headers: [...headers, ...(json === undefined ? [] : [JSON_HEADER])],
      ...(json !== undefined && { body: new TextEncoder().encode(JSON.stringify(json)) }),
      timeoutMillis: this.#timeoutMs,
    };
    return this.#run(options, async (inFlight) => {
      const answer = await connections.run(inFlight, async (connection) => {
        // Not the wait for a connection.
        const startMs = this.#clock.monotonicMs();
        const answered = await connection.fetch(request, { abortSignal: inFlight.signal });
        this.#serverTimes.note(answered, this.#clock.monotonicMs() - startMs);
        return answered;
      });
      if (answer.status === CLIENT_TOO_OLD)
        throw refusedError(new Error('the service answered 499: client too old'), 'expired');
      return answer.status >= 200 && answer.status < 300 ? read(answer) : refusalOfAnswer(answer);
    });
  }

  /** A request that takes no chat connection, in the time of one. @throws as {@link call}. */
  run<T>(
    options: RequestOptions | undefined,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | Refusal> {
    return this.#run(options, (inFlight) => ask(inFlight.signal));
  }

  close(): void {
    this.#inFlight.close();
  }

  async #run<T>(
    options: RequestOptions | undefined,
    run: (inFlight: InFlightRequest) => Promise<T>,
  ): Promise<T | Refusal> {
    try {
      return await this.#inFlight.run(options?.signal, run);
    } catch (error) {
      if (error instanceof SealcastError) throw error;
      if (this.#refusals.isTooOld(error)) throw refusedError(error, 'expired');
      return this.#refusals.of(error);
    }
  }
}
