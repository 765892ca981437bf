import { SYSTEM_CLOCK, type Clock } from '../../util/clock.js';
import { untilAborted, withAnySignal } from '../../util/abort.js';
import { base64 } from '../json/answer-fields.js';
import {
  CLIENT_TOO_OLD,
  isRecord,
  jsonOf,
  refusalOfAnswer,
  type HttpAnswer,
} from '../mapping/http.js';
import { LibsignalRefusals, loadLibsignal, type Libsignal } from '../mapping/libsignal.js';
import type { ProvisioningConnection } from '@signalapp/libsignal-client/dist/net.js';
import { refusedError } from './connection-pool.js';
import { TimedOut } from './in-flight.js';
import type { LinkSource, ProvisioningListener } from './link-source.js';

/** Longest time for a connection, and for a request over it, ms. */
const STEP_TIMEOUT_MS = 30_000;
const MAX_DEVICE_ID = 127;

/** Outcome of `PUT /v1/devices/link`. */
export type LinkOutcome =
  | { readonly status: 'linked'; readonly deviceId: number }
  /** An answer that is no success: nothing was linked. */
  | {
      readonly status: 'refused';
      readonly httpStatus: number;
      readonly retryAfterMs?: number;
      /** Of a 411. */
      readonly currentDevices?: number;
      readonly maxDevices?: number;
    }
  /** A 5xx, a lost connection, an answer that cannot be read: the device may be linked. */
  | { readonly status: 'unknown'; readonly cause: unknown };

/** Outcome of an attempt to connect as a device. */
export type DeviceOutcome =
  | { readonly status: 'ours' }
  /** The password is not that of the device, or there is no such device. */
  | { readonly status: 'not-ours' }
  | { readonly status: 'unavailable'; readonly cause: unknown };

/** Failure of an attempt to open a provisioning connection that is worth another one. */
export interface ConnectFailure {
  readonly cause: unknown;
  /** ms that the service asks for before the next attempt. */
  readonly retryAfterMs: number | undefined;
}

interface Disconnectable {
  disconnect(): Promise<void>;
}

/** Requests with which a device is linked; each has a connection of its own, and a bounded time. */
export class LinkRequests {
  readonly #source: LinkSource;
  readonly #refusals: LibsignalRefusals;
  readonly #delinked: number;
  readonly #clock: Clock;

  private constructor(source: LinkSource, libsignal: Libsignal, clock: Clock) {
    this.#source = source;
    this.#refusals = new LibsignalRefusals(libsignal);
    this.#delinked = libsignal.ErrorCode.DeviceDelinked;
    this.#clock = clock;
  }

  /** @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE */
  static async over(source: LinkSource, clock: Clock = SYSTEM_CLOCK): Promise<LinkRequests> {
    return new LinkRequests(source, await loadLibsignal(), clock);
  }

  /**
   * Opens a provisioning connection.
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED: the service takes no client of this version; the
   *   signal's reason; anything else is for {@link failureOf}.
   */
  async connectProvisioning(
    listener: ProvisioningListener,
    signal: AbortSignal,
  ): Promise<Pick<ProvisioningConnection, 'disconnect'>> {
    return this.#step(signal, (step) =>
      this.#orRefused(this.#until(step, this.#source.connectProvisioning(listener, step))),
    );
  }

  failureOf(cause: unknown): ConnectFailure {
    return { cause, retryAfterMs: this.#refusals.retryAfterMs(cause) };
  }

  /**
   * `PUT /v1/devices/link`, unauthenticated, with the password that becomes the device's.
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED: the service takes no client of this version; the
   *   signal's reason.
   */
  async link(
    {
      aci,
      password,
      json,
    }: { readonly aci: string; readonly password: string; readonly json: object },
    signal: AbortSignal,
  ): Promise<LinkOutcome> {
    const authorization = `Basic ${base64(Buffer.from(`${aci}:${password}`))}`;
    const request = {
      verb: 'PUT',
      path: '/v1/devices/link',
      headers: [
        ['authorization', authorization],
        ['content-type', 'application/json'],
      ] as [string, string][],
      body: new TextEncoder().encode(JSON.stringify(json)),
      timeoutMillis: STEP_TIMEOUT_MS,
    };
    const silent = { onConnectionInterrupted: () => undefined };
    let answer: HttpAnswer;
    try {
      answer = await this.#step(signal, async (step) => {
        const connecting = this.#source.connectUnauthenticated(silent, step);
        return this.#with(step, connecting, (connection) =>
          connection.fetch(request, { abortSignal: step }),
        );
      });
    } catch (cause) {
      signal.throwIfAborted();
      if (this.#refusals.isForGood(cause)) throw refusedError(cause);
      return { status: 'unknown', cause };
    }
    return outcomeOf(answer, aci);
  }

  /**
   * Connects as a device, and asks who it is (`GET /v1/accounts/whoami`).
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED: the service takes no client of this version; the
   *   signal's reason.
   */
  async isDevice(
    {
      aci,
      deviceId,
      password,
    }: { readonly aci: string; readonly deviceId: number; readonly password: string },
    signal: AbortSignal,
  ): Promise<DeviceOutcome> {
    // Messages that come meanwhile stay with the service: nothing acknowledges them.
    const silent = {
      onIncomingMessage: () => undefined,
      onQueueEmpty: () => undefined,
      onConnectionInterrupted: () => undefined,
    };
    const request = {
      verb: 'GET',
      path: '/v1/accounts/whoami',
      headers: [],
      timeoutMillis: STEP_TIMEOUT_MS,
    };
    try {
      const answer = await this.#step(signal, async (step) => {
        const account = { username: `${aci}.${deviceId}`, password };
        const connecting = this.#source.connectAs(account, silent, step);
        return this.#with(step, connecting, (connection) =>
          connection.fetch(request, { abortSignal: step }),
        );
      });
      if (answer.status === 401 || answer.status === 403) return { status: 'not-ours' };
      if (answer.status === 200 && uuidOf(answer) === aci) return { status: 'ours' };
      return { status: 'unavailable', cause: new Error(`the service answered ${answer.status}`) };
    } catch (cause) {
      signal.throwIfAborted();
      if ((cause as { code?: unknown }).code === this.#delinked) return { status: 'not-ours' };
      if (this.#refusals.isTooOld(cause)) throw refusedError(cause);
      return { status: 'unavailable', cause };
    }
  }

  /** Runs a step with a signal that fires with the caller's, or when its time is over. */
  async #step<T>(signal: AbortSignal, run: (step: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const cancel = this.#clock.setTimeout(
      () => late.abort(new TimedOut('the service took too long to answer')),
      STEP_TIMEOUT_MS,
    );
    try {
      return await withAnySignal([signal, late.signal], run);
    } finally {
      cancel();
    }
  }

  /** Waits for a connection; one that comes too late is ended. */
  async #until<C extends Disconnectable>(step: AbortSignal, connecting: Promise<C>): Promise<C> {
    try {
      return await untilAborted(() => connecting, step);
    } catch (error) {
      connecting.then(end, () => undefined);
      throw error;
    }
  }

  async #with<C extends Disconnectable, T>(
    step: AbortSignal,
    connecting: Promise<C>,
    work: (connection: C) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#until(step, connecting);
    try {
      return await untilAborted(() => work(connection), step);
    } finally {
      end(connection);
    }
  }

  async #orRefused<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      throw this.#refusals.isForGood(cause) ? refusedError(cause) : cause;
    }
  }
}

/** Ends a connection without waiting; it may be gone already, which is as good. */
export function end(connection: Disconnectable): void {
  connection.disconnect().catch(() => undefined);
}

function uuidOf(answer: HttpAnswer): string | undefined {
  const json = jsonOf(answer);
  const uuid = isRecord(json) ? json['uuid'] : undefined;
  return typeof uuid === 'string' ? uuid.toLowerCase() : undefined;
}

function outcomeOf(answer: HttpAnswer, aci: string): LinkOutcome {
  const { status } = answer;
  if (status === CLIENT_TOO_OLD) return { status: 'refused', httpStatus: status };
  if (status >= 500)
    return { status: 'unknown', cause: new Error(`the service answered ${status}`) };
  const json = jsonOf(answer);
  const fields = isRecord(json) ? json : {};
  if (status >= 200 && status < 300) {
    const deviceId = fields['deviceId'];
    // A device of another account, or none: only the attempt to connect as it tells.
    if (uuidOf(answer) !== aci || !isCount(deviceId) || deviceId > MAX_DEVICE_ID)
      return { status: 'unknown', cause: new Error('the service gave an answer of another form') };
    return { status: 'linked', deviceId };
  }
  const refusal = refusalOfAnswer(answer);
  const { current, max } = fields;
  return {
    status: 'refused',
    httpStatus: status,
    ...(refusal.status === 'rate-limited' && { retryAfterMs: refusal.retryAfterMs }),
    ...(isCount(current) && { currentDevices: current }),
    ...(isCount(max) && { maxDevices: max }),
  };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0;
