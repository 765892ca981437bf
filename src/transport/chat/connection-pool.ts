import { SealcastError, type TransportRefusalReason } from '../../errors.js';
import type { InFlightRequest } from './in-flight.js';
import type { LibsignalRefusals } from '../mapping/libsignal.js';
import { ManagedConnection, type Disconnectable, type LaneOptions } from './managed-connection.js';

/** Connections to the same end; any of them will do. */
export class ConnectionPool<C extends Disconnectable> {
  readonly #connections: readonly ManagedConnection<C>[];
  readonly #refusals: LibsignalRefusals;
  #wake: () => void = () => undefined;
  #changed = new Promise<void>((resolve) => (this.#wake = resolve));

  constructor(count: number, options: Omit<LaneOptions<C>, 'onChange'>) {
    this.#refusals = options.refusals;
    const onChange = (): void => {
      const wake = this.#wake;
      this.#changed = new Promise((resolve) => (this.#wake = resolve));
      wake();
    };
    this.#connections = Array.from(
      { length: count },
      () => new ManagedConnection({ ...options, onChange }),
    );
  }

  /** One attempt for each of them. @throws what the first one that fails failed with. */
  async connect(): Promise<void> {
    await Promise.all(this.#connections.map((managed) => managed.connect()));
  }

  /**
   * Runs a request on the connection with the fewest in flight, once there is one.
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED when there will never be one.
   */
  async run<T>(inFlight: InFlightRequest, request: (connection: C) => Promise<T>): Promise<T> {
    for (;;) {
      const managed = this.#leastBusy();
      if (managed?.connection !== undefined)
        return await this.#runOn(managed, managed.connection, inFlight, request);
      this.#throwIfRefused();
      await inFlight.race(this.#changed);
    }
  }

  /** @see ManagedConnection.renew */
  renew(isSpent: boolean): boolean {
    return this.#connections.map((managed) => managed.renew(isSpent)).includes(true);
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((managed) => managed.close()));
  }

  async #runOn<T>(
    managed: ManagedConnection<C>,
    connection: C,
    inFlight: InFlightRequest,
    request: (connection: C) => Promise<T>,
  ): Promise<T> {
    managed.requests.add(inFlight);
    try {
      const answer = await request(connection);
      managed.answered();
      return answer;
    } catch (error) {
      // A refusal is an answer, too.
      if (this.#refusals.of(error).status !== 'unavailable') managed.answered();
      throw error;
    } finally {
      managed.requests.delete(inFlight);
    }
  }

  #leastBusy(): ManagedConnection<C> | undefined {
    let best: ManagedConnection<C> | undefined;
    for (const managed of this.#connections) {
      if (
        managed.connection !== undefined &&
        (best === undefined || managed.requests.size < best.requests.size)
      )
        best = managed;
    }
    return best;
  }

  #throwIfRefused(): void {
    const [first] = this.#connections;
    if (
      first?.refusal === undefined ||
      !this.#connections.every(({ refusal }) => refusal !== undefined)
    )
      return;
    throw refusedError(first.refusal.cause, this.#refusals.reasonOf(first.refusal.cause));
  }
}

const REMEDIES: Readonly<Record<TransportRefusalReason, string>> = {
  delinked: 'this device was unlinked; link it again',
  'connected-elsewhere': 'another program uses this device; stop one of them',
  expired: 'this version is too old; upgrade libsignal and sealcast',
};

export function refusedError(cause: unknown, reason?: TransportRefusalReason): SealcastError {
  const why = reason === undefined ? '' : `: ${REMEDIES[reason]}`;
  return new SealcastError(
    'ERR_TRANSPORT_REFUSED',
    `the service refuses this client for good${why}`,
    { cause, ...(reason !== undefined && { reason }) },
  );
}

/** The error of a transport whose first connections were not made. */
export function connectError(cause: unknown, refusals: LibsignalRefusals): SealcastError {
  if (refusals.isForGood(cause)) return refusedError(cause, refusals.reasonOf(cause));
  const retryAfterMs = refusals.retryAfterMs(cause);
  const facts = { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return new SealcastError('ERR_SERVICE_UNAVAILABLE', 'the service could not be reached', facts);
}
