import type { Capabilities } from '../access/capabilities.js';
import { refuseUnfinishedImport } from '../runtime/account-record.js';
import { Records } from '../runtime/records.js';
import { reserveStore } from '../runtime/store-claims.js';
import { storeTakenOver } from '../store/checks.js';
import { decodeAccount, loadAccount, type AccountRecord } from '../store/tables/account.js';
import {
  loadCredentials,
  wipeCredentials,
  loadPendingLink,
  loadPendingRegistration,
  pendingRegistrationChange,
  type PendingRegistrationRecord,
} from '../store/tables/credentials.js';
import type { Change, Store } from '../store/store.js';
import {
  RegistrationRequests,
  type RegisterOutcome,
  type RegistrationSession,
} from '../transport/chat/registration-requests.js';
import type { RegistrationNet } from '../transport/chat/connection-source.js';
import type { RegistrationRefusal } from '../transport/mapping/registration.js';
import { Backoff, type BackoffOptions } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';
import { PRIMARY_DEVICE_ID } from '../util/addresses.js';
import {
  createPendingRegistration,
  registerRequestOf,
  wipeRegistration,
  withMasterKey,
} from './pending-registration.js';
import { registeredAccountChanges } from './registered-account.js';
import {
  noRegistrationError,
  otherAccountError,
  otherRegistrationError,
  pendingLinkError,
  registeredUnstoredError,
  registrationError,
  registrationUnknownError,
  sessionGoneError,
  wrongCodeError,
} from './registration-errors.js';
import type { RegisteredAccount, RegistrationState } from './registration-types.js';

/** Attempts to register, or to find out whether that was done, while the service is away. */
const ATTEMPTS = 4;

/** Checked options of a registration. */
export interface RegistrationTaskOptions {
  readonly net: RegistrationNet;
  readonly store: Store;
  readonly backoff: BackoffOptions | undefined;
  readonly clock: Clock;
}

/** Checked choices of a new registration. */
export interface RegistrationChoices {
  readonly number: string;
  readonly capabilities: Capabilities;
  readonly discoverableByPhoneNumber: boolean;
}

/** Outcome of an attempt to register that is no success; `registered` has been stored. */
type Attempt =
  { readonly status: 'registered'; readonly account: RegisteredAccount } | RegistrationRefusal;

/**
 * A registration, from the session to the account in the store.
 *
 *   state       the store has                        left by
 *   verifying   the pending registration, flushed    a code that is right
 *   requested   the same, with `isRequested`         the service's answer; a crash: the next call of
 *                                                    resumeRegistration sends the same request again
 *   registered  the account, nothing pending         never
 *
 * The request that makes the account has the same keys and password each time, so that the service
 * makes the same account of a second one. A definite refusal leads back to `verifying`, an unknown
 * outcome does not.
 *
 * The store is reserved for the time of each call.
 */
export class RegistrationTask {
  readonly number: string;
  readonly #options: RegistrationTaskOptions;
  readonly #requests: RegistrationRequests;
  readonly #records: Records;
  /** Undefined: it is gone, and the account is registered. */
  readonly #session: RegistrationSession | undefined;
  #account: RegisteredAccount | undefined;

  private constructor(
    options: RegistrationTaskOptions,
    requests: RegistrationRequests,
    { number, session }: { number: string; session: RegistrationSession | undefined },
  ) {
    this.number = number;
    this.#options = options;
    this.#requests = requests;
    this.#records = new Records(options.store, options.clock);
    this.#session = session;
  }

  /** Makes a session for the number, and all that the account will have. */
  static start(
    options: RegistrationTaskOptions,
    choices: RegistrationChoices,
    signal: AbortSignal,
  ): Promise<RegistrationTask> {
    const { store, clock } = options;
    const { number, capabilities, discoverableByPhoneNumber } = choices;
    return reserved(store, async () => {
      const earlier = await checkedAccount(store, number);
      const known = await loadPendingRegistration(store);
      if (known !== undefined && known.number !== number && known.isRequested)
        throw otherRegistrationError();
      const requests = await RegistrationRequests.over(options.net, clock);
      const outcome = await requests.create(number, signal);
      if (outcome.status !== 'ok') throw registrationError(outcome, 'session');
      const { session } = outcome;
      const task = new RegistrationTask(options, requests, { number, session });
      // A request that the service may have granted is repeated with what it had.
      const pending =
        known?.number === number
          ? {
              ...known,
              sessionId: session.id,
              credentials: { ...known.credentials, capabilities },
              discoverableByPhoneNumber,
            }
          : createPendingRegistration({
              ...choices,
              sessionId: session.id,
              earlier,
              nowMs: clock.now(),
            });
      await task.#keep(pending);
      wipeRegistration(pending);
      return task;
    });
  }

  /** Finds the store's registration; finishes it where the account was asked for. */
  static resume(options: RegistrationTaskOptions, signal: AbortSignal): Promise<RegistrationTask> {
    const { store, clock } = options;
    return reserved(store, async () => {
      const pending = await loadPendingRegistration(store);
      if (pending === undefined) throw noRegistrationError();
      try {
        const { number, sessionId, isRequested } = pending;
        const requests = await RegistrationRequests.over(options.net, clock);
        const outcome = await requests.resume(sessionId, signal);
        const session = outcome.status === 'ok' ? outcome.session : undefined;
        if (outcome.status !== 'ok' && !(isRequested && outcome.status === 'session-gone'))
          throw registrationError(outcome, 'session');
        const task = new RegistrationTask(options, requests, { number, session });
        if (isRequested) await task.#finish(pending, signal);
        return task;
      } finally {
        wipeRegistration(pending);
      }
    });
  }

  get state(): RegistrationState {
    const session = this.#session?.state;
    if (session !== undefined && this.#account === undefined) return session;
    return { allowedToRequestCode: false, verified: true, requestedInformation: [] };
  }

  /** Undefined until it is registered. */
  get account(): RegisteredAccount | undefined {
    return this.#account;
  }

  async captcha(token: string, signal: AbortSignal): Promise<RegistrationState> {
    await this.#step(async (session) => {
      const outcome = await session.submitCaptcha(token, signal);
      if (outcome.status !== 'ok') throw registrationError(outcome, 'captcha');
    });
    return this.state;
  }

  async requestCode(
    request: { readonly transport: 'sms' | 'voice'; readonly languages: readonly string[] },
    signal: AbortSignal,
  ): Promise<RegistrationState> {
    await this.#step(async (session) => {
      const outcome = await session.requestCode(request, signal);
      if (outcome.status === 'ok') return;
      const { allowedToRequestCode, requestedInformation } = session.state;
      const isUsedUp = !allowedToRequestCode && requestedInformation.length === 0;
      if (outcome.status === 'rate-limited' && isUsedUp) throw sessionGoneError();
      throw registrationError(outcome, 'request');
    });
    return this.state;
  }

  /** @param pin normalized, in UTF-8. */
  async submitCode(
    code: string,
    pin: Uint8Array<ArrayBuffer> | undefined,
    signal: AbortSignal,
  ): Promise<RegisteredAccount> {
    if (this.#account !== undefined) return this.#account;
    return this.#step(async (session, pending) => {
      await checkedAccount(this.#options.store, this.number);
      if (!session.state.verified) await verify(session, code, signal);
      const attempt = await this.#register(pending, { session, pin }, signal);
      if (attempt.status === 'registered') return attempt.account;
      throw registrationError(attempt, 'account');
    });
  }

  /** Runs a step of the store's registration, unless another has taken its place. */
  #step<T>(
    step: (session: RegistrationSession, pending: PendingRegistrationRecord) => Promise<T>,
  ): Promise<T> {
    const { store } = this.#options;
    return reserved(store, async () => {
      const pending = await loadPendingRegistration(store);
      if (pending === undefined) throw noRegistrationError();
      try {
        const session = this.#session;
        if (session?.id !== pending.sessionId) throw sessionGoneError();
        return await step(session, pending);
      } finally {
        wipeRegistration(pending);
      }
    });
  }

  /** Finishes a registration whose request may have been granted. */
  async #finish(pending: PendingRegistrationRecord, signal: AbortSignal): Promise<void> {
    await checkedAccount(this.#options.store, this.number);
    const session = this.#session?.state.verified === true ? this.#session : undefined;
    const attempt = await this.#register(pending, { session, pin: undefined }, signal);
    if (attempt.status === 'registered') return;
    // Nothing was registered, and the session, if it is there, goes on.
    if (attempt.status === 'session-gone' && this.#session !== undefined) return;
    throw registrationError(attempt, 'account');
  }

  /**
   * Has the service make the account, and stores it.
   *
   * @returns a refusal, after which the registration is not requested any more, unless an earlier
   *   attempt may have been granted.
   * @throws SealcastError ERR_SERVICE_UNAVAILABLE: it may have been; as the store; those of a PIN.
   */
  async #register(
    given: PendingRegistrationRecord,
    {
      session,
      pin,
    }: {
      readonly session: RegistrationSession | undefined;
      readonly pin: Uint8Array<ArrayBuffer> | undefined;
    },
    signal: AbortSignal,
  ): Promise<Attempt> {
    const backoff = new Backoff({ ...this.#options.backoff, floor: 0.5 });
    let pending: PendingRegistrationRecord = { ...given, isRequested: true };
    let isUnknown = given.isRequested;
    let isPinUsed = false;
    let cause: unknown;
    if (!given.isRequested) await this.#keep(pending);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (cause !== undefined) await this.#options.clock.sleep(backoff.next(), signal);
      const outcome = await this.#ask(pending, { session, isUnknown }, signal);
      if (outcome.status === 'registered')
        return { status: 'registered', account: await this.#store(pending, outcome) };
      if (outcome.status === 'unavailable') {
        isUnknown = true;
        cause = outcome.cause;
        continue;
      }
      const recovery = outcome.status === 'locked' ? outcome.recovery : undefined;
      if (recovery === undefined || pin === undefined || isPinUsed) {
        // After an answer that was lost, these say nothing of the request before them.
        const tellsNothing = outcome.status === 'rate-limited' || outcome.status === 'too-old';
        if (!isUnknown || !tellsNothing) await this.#drop(pending);
        return outcome;
      }
      isPinUsed = true;
      isUnknown = false;
      const restored = await this.#requests.restoreMasterKey(recovery, pin, signal);
      if (restored.status !== 'ok') {
        await this.#drop(pending);
        throw registrationError(restored, 'pin');
      }
      pending = withMasterKey(pending, restored.masterKey);
      await this.#keep(pending);
    }
    throw registrationUnknownError(cause);
  }

  /** Sends the request: in the session, or by the recovery password where that is over. */
  async #ask(
    pending: PendingRegistrationRecord,
    {
      session,
      isUnknown,
    }: { readonly session: RegistrationSession | undefined; readonly isUnknown: boolean },
    signal: AbortSignal,
  ): Promise<RegisterOutcome> {
    signal.throwIfAborted();
    // The store of a process that was frozen meanwhile may be another's.
    if (this.#options.store.mayAct?.() === false) throw storeTakenOver();
    const request = registerRequestOf(pending);
    if (session !== undefined) {
      const outcome = await this.#requests.register(request, { sessionId: session.id }, signal);
      if (!isUnknown || outcome.status !== 'session-gone') return outcome;
    }
    const { recoveryPassword } = request;
    const recovered = await this.#requests.register(request, { recoveryPassword }, signal);
    return recovered.status === 'recovery-refused' ? { status: 'session-gone' } : recovered;
  }

  /** Makes the registration the store's account. */
  async #store(
    pending: PendingRegistrationRecord,
    { aci, pni }: { readonly aci: string; readonly pni: string },
  ): Promise<RegisteredAccount> {
    const { store, clock } = this.#options;
    try {
      const nowMs = clock.now();
      await this.#commit(await registeredAccountChanges(store, pending, { aci, pni, nowMs }));
    } catch (error) {
      throw registeredUnstoredError(error);
    }
    this.#account = { aci, pni, number: this.number, deviceId: PRIMARY_DEVICE_ID };
    return this.#account;
  }

  #keep(pending: PendingRegistrationRecord): Promise<void> {
    return this.#commit([pendingRegistrationChange(pending)]);
  }

  /** If the store cannot, the next call sends the request again, and is refused again. */
  async #drop(pending: PendingRegistrationRecord): Promise<void> {
    await this.#keep({ ...pending, isRequested: false }).catch(() => undefined);
  }

  /** Commits changes, and wipes their values, which have secrets in them. */
  async #commit(changes: readonly Change[]): Promise<void> {
    try {
      await this.#records.commit(changes);
    } finally {
      for (const { value } of changes) value?.fill(0);
    }
  }
}

async function reserved<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const release = reserveStore(store, 'a number is being registered');
  try {
    await refuseUnfinishedImport(store, 'register the number');
    const link = await loadPendingLink(store);
    if (link !== undefined) {
      wipeRegistration(link);
      throw pendingLinkError();
    }
    return await work();
  } finally {
    release();
  }
}

async function verify(
  session: RegistrationSession,
  code: string,
  signal: AbortSignal,
): Promise<void> {
  const outcome = await session.verify(code, signal);
  if (outcome.status === 'not-ready' && outcome.isVerified) return;
  if (outcome.status !== 'ok') throw registrationError(outcome, 'verify');
  if (!session.state.verified) throw wrongCodeError();
}

/**
 * Loads the store's account of the number, without its private key.
 *
 * @throws SealcastError ERR_ACCOUNT_MISMATCH: it has another number.
 */
async function checkedAccount(
  store: Store,
  number: string,
): Promise<Pick<AccountRecord, 'registrationId' | 'profileKey'> | undefined> {
  const bytes = await loadAccount(store);
  if (bytes === undefined) return undefined;
  const { registrationId, profileKey } = decodeAccount(bytes);
  const copy = profileKey && Uint8Array.from(profileKey);
  bytes.fill(0);
  const credentials = await loadCredentials(store);
  wipeCredentials(credentials);
  if (credentials?.number !== number) throw otherAccountError();
  return { registrationId, ...(copy !== undefined && { profileKey: copy }) };
}
