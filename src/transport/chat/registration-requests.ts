import type * as LibsignalModule from '@signalapp/libsignal-client';
import { SealcastError } from '../../errors.js';
import { untilAborted, withAnySignal } from '../../util/abort.js';
import type { Clock } from '../../util/clock.js';
import { base64 } from '../json/answer-fields.js';
import {
  readRegistered,
  readSession,
  registerRequestJson,
  type RegisterRequest,
  type RegistrationProof,
  type SessionState,
} from '../json/registration.js';
import type { HttpAnswer } from '../mapping/http.js';
import { LibsignalRefusals } from '../mapping/libsignal.js';
import {
  registrationRefusal,
  type RecoveryCredentials,
  type RegistrationRefusal,
  type RegistrationRequestKind,
} from '../mapping/registration.js';
import { TimedOut } from './in-flight.js';
import { end } from './link-requests.js';
import type { RegistrationNet } from './connection-source.js';

/** Longest time for one step, its connection included, ms. */
const STEP_TIMEOUT_MS = 30_000;
/** `client` of a request for a code: which app's form the text message has. */
const CLIENT = 'desktop';

/** Outcome of a {@link RegisterRequest}. */
export type RegisterOutcome =
  | { readonly status: 'registered'; readonly aci: string; readonly pni: string }
  | RegistrationRefusal;
export type SessionOutcome =
  { readonly status: 'ok'; readonly session: RegistrationSession } | RegistrationRefusal;
export type StepOutcome = { readonly status: 'ok' } | RegistrationRefusal;
export type RestoreOutcome =
  { readonly status: 'ok'; readonly masterKey: Uint8Array<ArrayBuffer> } | RegistrationRefusal;

interface RegistrationCall {
  readonly kind: RegistrationRequestKind;
  readonly verb: string;
  readonly path: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly json?: object;
}

type Answered =
  | { readonly status: 'answered'; readonly answer: HttpAnswer; readonly nowMs: number }
  | RegistrationRefusal;

/**
 * Requests with which a number is registered; each has a connection of its own, and a bounded time.
 *
 * libsignal has a client of its own for them, which cannot be ended, and aborts a process that ends
 * before it (docs/decisions/0015-registration-requests.md).
 */
export class RegistrationRequests {
  readonly #net: RegistrationNet;
  readonly #libsignal: typeof LibsignalModule;
  readonly #clock: Clock;
  readonly #refusals: LibsignalRefusals;

  private constructor(net: RegistrationNet, libsignal: typeof LibsignalModule, clock: Clock) {
    this.#net = net;
    this.#libsignal = libsignal;
    this.#clock = clock;
    this.#refusals = new LibsignalRefusals(libsignal);
  }

  /** @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE */
  static async over(net: RegistrationNet, clock: Clock): Promise<RegistrationRequests> {
    try {
      return new RegistrationRequests(net, await import('@signalapp/libsignal-client'), clock);
    } catch (cause) {
      throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
        cause,
      });
    }
  }

  /** Makes a verification session for the number. @throws the signal's reason, as each of these. */
  async create(number: string, signal: AbortSignal): Promise<SessionOutcome> {
    const path = '/v1/verification/session';
    return this.#session({ kind: 'session', verb: 'POST', path, json: { number } }, signal);
  }

  /** Finds a session that was made before. */
  async resume(sessionId: string, signal: AbortSignal): Promise<SessionOutcome> {
    const outcome = await this.#session(
      { kind: 'request', verb: 'GET', path: sessionPath(sessionId) },
      signal,
    );
    // The service finds the id malformed: it is none of its own.
    const isUnknown = outcome.status === 'rejected' && outcome.httpStatus === 422;
    return isUnknown ? { status: 'session-gone' } : outcome;
  }

  /** Has the service make the account. */
  async register(
    request: RegisterRequest,
    proof: RegistrationProof,
    signal: AbortSignal,
  ): Promise<RegisterOutcome> {
    const { number, password } = request;
    const authorization = `Basic ${base64(Buffer.from(`${number}:${password}`))}`;
    const answered = await this.call(
      {
        kind: 'account',
        verb: 'POST',
        path: '/v1/registration',
        headers: [['authorization', authorization]],
        json: registerRequestJson(request, proof, this.#libsignal),
      },
      signal,
    );
    if (answered.status !== 'answered') return answered;
    const { answer } = answered;
    if (answer.status !== 200) return registrationRefusal(answer, 'account');
    const ids = readRegistered(answer);
    return ids === undefined ? malformed() : { status: 'registered', ...ids };
  }

  /**
   * Restores the master key that a PIN protects.
   *
   * @param pin normalized, in UTF-8
   */
  async restoreMasterKey(
    credentials: RecoveryCredentials,
    pin: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<RestoreOutcome> {
    const { ErrorCode, LibSignalErrorBase } = this.#libsignal;
    try {
      return await this.#bounded(signal, async (abortSignal) => {
        const svr2 = this.#net.svr2({ ...credentials });
        const { masterKey } = await svr2.restore({ normalizedPin: pin }, { abortSignal });
        return { status: 'ok', masterKey };
      });
    } catch (error) {
      signal.throwIfAborted();
      if (LibSignalErrorBase.is(error, ErrorCode.SvrDataMissing)) return { status: 'no-key' };
      if (LibSignalErrorBase.is(error, ErrorCode.SvrRestoreFailed))
        return { status: 'wrong-pin', triesRemaining: error.triesRemaining };
      return this.#failure(error);
    }
  }

  /** @returns the service's answer, of whatever status. @throws the signal's reason. */
  async call(request: RegistrationCall, signal: AbortSignal): Promise<Answered> {
    const { verb, path, headers = [], json } = request;
    const content = json === undefined ? [] : [['content-type', 'application/json'] as const];
    const fetched = {
      verb,
      path,
      headers: [...content, ...headers].map(([name, value]): [string, string] => [name, value]),
      ...(json !== undefined && { body: new TextEncoder().encode(JSON.stringify(json)) }),
      timeoutMillis: STEP_TIMEOUT_MS,
    };
    try {
      const answer = await this.#bounded(signal, async (step) => {
        const silent = { onConnectionInterrupted: () => undefined };
        const connecting = this.#net.connectUnauthenticatedChat(silent, { abortSignal: step });
        // One that comes too late is ended as well.
        connecting.then(
          (connection) => {
            if (step.aborted) end(connection);
          },
          () => undefined,
        );
        const connection = await untilAborted(() => connecting, step);
        try {
          return await connection.fetch(fetched, { abortSignal: step });
        } finally {
          end(connection);
        }
      });
      return { status: 'answered', answer, nowMs: this.#clock.now() };
    } catch (error) {
      signal.throwIfAborted();
      return this.#failure(error);
    }
  }

  #failure(error: unknown): RegistrationRefusal {
    if (this.#refusals.isTooOld(error)) return { status: 'too-old', cause: error };
    const retryAfterMs = this.#refusals.retryAfterMs(error);
    if (retryAfterMs !== undefined) return { status: 'rate-limited', retryAfterMs };
    return { status: 'unavailable', cause: error };
  }

  async #session(request: RegistrationCall, signal: AbortSignal): Promise<SessionOutcome> {
    const answered = await this.call(request, signal);
    if (answered.status !== 'answered') return answered;
    const { answer, nowMs } = answered;
    if (answer.status !== 200) return registrationRefusal(answer, request.kind);
    const session = readSession(answer, nowMs);
    if (session === undefined) return malformed();
    return { status: 'ok', session: new RegistrationSession(this, session) };
  }

  /** Runs a step with a signal that fires with the caller's, or when its time is over. */
  async #bounded<T>(signal: AbortSignal, step: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const cancel = this.#clock.setTimeout(
      () => late.abort(new TimedOut('the service took too long to answer')),
      STEP_TIMEOUT_MS,
    );
    try {
      return await withAnySignal([signal, late.signal], (each) =>
        untilAborted(() => step(each), each),
      );
    } finally {
      cancel();
    }
  }
}

/** A verification session, on the service. */
export class RegistrationSession {
  readonly id: string;
  readonly #requests: RegistrationRequests;
  #state: SessionState;

  constructor(
    requests: RegistrationRequests,
    { id, state }: { readonly id: string; readonly state: SessionState },
  ) {
    this.id = id;
    this.#requests = requests;
    this.#state = state;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** @throws the signal's reason, as each of these. */
  submitCaptcha(captcha: string, signal: AbortSignal): Promise<StepOutcome> {
    const path = sessionPath(this.id);
    return this.#step({ kind: 'captcha', verb: 'PATCH', path, json: { captcha } }, signal);
  }

  requestCode(
    {
      transport,
      languages,
    }: { readonly transport: 'sms' | 'voice'; readonly languages: readonly string[] },
    signal: AbortSignal,
  ): Promise<StepOutcome> {
    return this.#step(
      {
        kind: 'request',
        verb: 'POST',
        path: `${sessionPath(this.id)}/code`,
        headers: languages.length === 0 ? [] : [['accept-language', languages.join(', ')]],
        json: { transport, client: CLIENT },
      },
      signal,
    );
  }

  /** Hands in a code; the state says whether it was right. */
  verify(code: string, signal: AbortSignal): Promise<StepOutcome> {
    const path = `${sessionPath(this.id)}/code`;
    return this.#step({ kind: 'verify', verb: 'PUT', path, json: { code } }, signal);
  }

  async #step(request: RegistrationCall, signal: AbortSignal): Promise<StepOutcome> {
    const answered = await this.#requests.call(request, signal);
    if (answered.status !== 'answered') return answered;
    const { answer, nowMs } = answered;
    // Refusals tell the state too.
    const session = readSession(answer, nowMs);
    if (session?.id === this.id) this.#state = session.state;
    if (answer.status !== 200) return registrationRefusal(answer, request.kind);
    return session === undefined ? malformed() : { status: 'ok' };
  }
}

const sessionPath = (id: string): string => `/v1/verification/session/${encodeURIComponent(id)}`;

const malformed = (): RegistrationRefusal => ({
  status: 'unavailable',
  cause: new Error('the service gave an answer of another form'),
});
