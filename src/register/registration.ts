import { checkCapabilities, PRIMARY_CAPABILITIES } from '../access/capabilities.js';
import { SealcastError } from '../errors.js';
import { checkStore } from '../runtime/options.js';
import { checkObject, checkOptions, checkSignal, checkBoolean } from '../sealer/options.js';
import type { Store } from '../store/store.js';
import type { RegistrationNet } from '../transport/chat/connection-source.js';
import { BACKOFF_NAMES, type BackoffOptions } from '../util/backoff.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import {
  checkCaptcha,
  checkCode,
  checkCodeTransport,
  checkConfirmation,
  checkLanguages,
  checkNumber,
  checkPin,
  checkRegistrationNet,
} from './registration-arguments.js';
import type { RegistrationTask, RegistrationTaskOptions } from './registration-task.js';
import type { RegisteredAccount, RegistrationState } from './registration-types.js';

/** Options of {@link resumeRegistration}. */
export interface ResumeRegistrationOptions {
  /**
   * The service, as {@link signalNet} names it, or a libsignal `Net` that is set up for it:
   * production, staging, a local one.
   */
  readonly net: RegistrationNet | { readonly net: RegistrationNet };
  /** Store that gets the account. Nothing may be open on it. Stays the caller's to close. */
  readonly store: Store;
  /** Ends every call with ERR_ABORTED. */
  readonly signal?: AbortSignal;
  /** Waits before a request is sent again that the service did not answer. */
  readonly backoff?: BackoffOptions;
}

/** Options of {@link startRegistration}. */
export interface RegistrationOptions extends ResumeRegistrationOptions {
  /** Phone number, E.164: `+`, country code and number, digits alone. */
  readonly number: string;
  /**
   * True: the number is in no use, or its account is to be taken over.
   *
   * To register a number takes over its account: all devices of the account are thrown out, with
   * a registration lock by the first attempt already. So ask a person before.
   */
  readonly confirmNumberNotInUse?: boolean;
  /** Whether an account that knows the number finds this one. Default true, as in Signal's apps. */
  readonly discoverableByPhoneNumber?: boolean;
  /**
   * Capabilities of this device, by the service's names, the whole set.
   *
   * Default: `spqr` and `usernameChangeSyncMessage`.
   */
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

/** Options of {@link Registration.requestCode}. */
export interface RequestCodeOptions {
  /** Languages of the message or the call, the preferred one first, as in `pt-BR`. */
  readonly languages?: readonly string[];
}

/** Options of {@link Registration.submitCode}. */
export interface SubmitCodeOptions {
  /** PIN of the number's account; needed only where it has a registration lock. Never stored. */
  readonly pin?: string;
}

const RESUME_NAMES = {
  net: true,
  store: true,
  signal: true,
  backoff: true,
} satisfies NamesOf<ResumeRegistrationOptions>;
const START_NAMES = {
  ...RESUME_NAMES,
  number: true,
  confirmNumberNotInUse: true,
  discoverableByPhoneNumber: true,
  capabilities: true,
} satisfies NamesOf<RegistrationOptions>;
const REQUEST_NAMES = { languages: true } satisfies NamesOf<RequestCodeOptions>;
const SUBMIT_NAMES = { pin: true } satisfies NamesOf<SubmitCodeOptions>;

/**
 * Registration of a number that is under way.
 *
 * The service wants a captcha, then sends a code, then registers. All between two calls is in the
 * store: another process goes on with {@link resumeRegistration}.
 *
 * @example
 * let registration = await startRegistration({ net, store, number, confirmNumberNotInUse: true });
 * await registration.captcha(captcha);
 * await registration.requestCode('sms');
 * registration = await resumeRegistration({ net, store }); // in another process, say
 * const { aci } = await registration.submitCode(code);
 */
export class Registration {
  readonly #task: RegistrationTask;
  readonly #signal: AbortSignal;

  /** @internal */
  constructor(task: RegistrationTask, signal: AbortSignal) {
    this.#task = task;
    this.#signal = signal;
  }

  /** Phone number, E.164. */
  get number(): string {
    return this.#task.number;
  }

  /** State of the session, as the service last told it; {@link resumeRegistration} asks for it. */
  get state(): RegistrationState {
    return this.#task.state;
  }

  /** The account, once it is registered and in the store. */
  get account(): RegisteredAccount | undefined {
    return this.#task.account;
  }

  /**
   * Hands in the solution of a captcha.
   *
   * The page is https://signalcaptchas.org/registration/generate.html. Solve it from the network
   * from which this program speaks to the service, and hand it in at once.
   *
   * @param token what the page gives, with or without `signalcaptcha://`
   * @returns the state after it: `allowedToRequestCode`.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_CAPTCHA: the service does not accept it;
   *   ERR_REGISTRATION_SESSION, ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED,
   *   ERR_TRANSPORT_REFUSED, ERR_ABORTED; as the store.
   * @example
   * const { allowedToRequestCode } = await registration.captcha('signalcaptcha://...');
   */
  async captcha(token: string): Promise<RegistrationState> {
    const checked = checkCaptcha(token);
    return this.#run((signal) => this.#task.captcha(checked, signal));
  }

  /**
   * Has the service send a code to the number, in a text message or a call.
   *
   * A call is possible once a text message was tried, and some time has passed.
   *
   * @returns the state after it: when the next one can be sent.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_REGISTRATION_STEP: a captcha is wanted first;
   *   ERR_REGISTRATION_DELIVERY: the code could not be delivered this way; as {@link captcha}.
   * @example
   * const { nextCallAtMs } = await registration.requestCode('sms', { languages: ['en'] });
   */
  async requestCode(
    transport: 'sms' | 'voice',
    options: RequestCodeOptions = {},
  ): Promise<RegistrationState> {
    const checked = checkCodeTransport(transport);
    checkNames(checkObject(options, 'options'), REQUEST_NAMES, 'options');
    const languages = checkLanguages(options.languages);
    return this.#run((signal) => this.#task.requestCode({ transport: checked, languages }, signal));
  }

  /**
   * Hands in the code, and registers the account.
   *
   * Then the account is in the store, where `open` finds it.
   *
   * Where the number has a registration lock, the call fails without its PIN; call it again with
   * the same code and the PIN.
   *
   * @returns the account; at once, where it was registered before.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_REGISTRATION_CODE: the code is wrong;
   *   ERR_REGISTRATION_STEP: none was requested; ERR_REGISTRATION_LOCK: a PIN is needed, for
   *   `lockedForMs`; ERR_REGISTRATION_PIN: it is wrong, `triesRemaining` are left;
   *   ERR_SERVICE_UNAVAILABLE: also where the outcome is not known, and {@link resumeRegistration}
   *   finishes; as {@link captcha}.
   * @example
   * const { aci, number } = await registration.submitCode('123-456');
   */
  async submitCode(code: string, options: SubmitCodeOptions = {}): Promise<RegisteredAccount> {
    const digits = checkCode(code);
    checkNames(checkObject(options, 'options'), SUBMIT_NAMES, 'options');
    const pin = checkPin(options.pin);
    try {
      return await this.#run((signal) => this.#task.submitCode(digits, pin, signal));
    } finally {
      pin?.fill(0);
    }
  }

  #run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return guarded(work, this.#signal);
  }
}

/**
 * Begins to register a number, with this device as the account's primary one.
 *
 * Keys, password and session are in the store before the service is asked for the account, so that
 * a crash loses none. On a store whose account has the same number, it is registered once more: own
 * prekeys and sessions go, contacts stay. A registration of the number that is under way gets a new
 * session.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_NUMBER_IN_USE: `confirmNumberNotInUse` is not
 *   true, and the service was not asked; ERR_ACCOUNT_MISMATCH: the store has another account, or
 *   another registration or link under way; ERR_IMPORT_UNFINISHED: it has a move that was cut off;
 *   ERR_RATE_LIMITED: after `retryAfterMs`;
 *   ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED, ERR_TRANSPORT_REFUSED,
 *   ERR_LIBSIGNAL_UNAVAILABLE, ERR_ABORTED;
 *   ERR_STORE_LOCKED: something is open on the store; as the store.
 * @example
 * const asked = { number: '+15550100123', confirmNumberNotInUse: true };
 * const registration = await startRegistration({ net, store, ...asked });
 * console.log(registration.state.requestedInformation); // [ 'captcha' ]
 */
export async function startRegistration(options: RegistrationOptions): Promise<Registration> {
  return startRegistrationWith(options, {});
}

/**
 * Goes on with the registration of the store, in another process than the one that began it.
 *
 * Where the account was asked for, and the answer was lost, it asks again with the same keys and
 * password, and `account` of the result says that it is registered.
 *
 * @throws SealcastError ERR_REGISTRATION_SESSION: the store has no registration under way, or the
 *   session is over; as {@link startRegistration} and {@link Registration.submitCode}.
 * @example
 * const registration = await resumeRegistration({ net, store });
 * if (registration.account === undefined) await registration.submitCode(code);
 */
export async function resumeRegistration(
  options: ResumeRegistrationOptions,
): Promise<Registration> {
  return resumeRegistrationWith(options, {});
}

interface Injected {
  readonly clock?: Clock;
}

/** As {@link startRegistration}, with parts that a test injects; the package does not export it. */
export async function startRegistrationWith(
  options: RegistrationOptions,
  injected: Injected,
): Promise<Registration> {
  const given = checkOptions(options, START_NAMES);
  const number = checkNumber(given['number']);
  const { task, signal } = checkShared(given, injected);
  const choices = {
    number,
    capabilities: checkCapabilities(given['capabilities'], 'capabilities') ?? PRIMARY_CAPABILITIES,
    discoverableByPhoneNumber: checkBoolean(
      given['discoverableByPhoneNumber'],
      'discoverableByPhoneNumber',
      true,
    ),
  };
  checkConfirmation(given['confirmNumberNotInUse']);
  return guarded(async () => {
    const { RegistrationTask } = await import('./registration-task.js');
    return new Registration(await RegistrationTask.start(task, choices, signal), signal);
  }, signal);
}

/** As {@link resumeRegistration}, with parts that a test injects. */
export async function resumeRegistrationWith(
  options: ResumeRegistrationOptions,
  injected: Injected,
): Promise<Registration> {
  const { task, signal } = checkShared(checkOptions(options, RESUME_NAMES), injected);
  return guarded(async () => {
    const { RegistrationTask } = await import('./registration-task.js');
    return new Registration(await RegistrationTask.resume(task, signal), signal);
  }, signal);
}

function checkShared(
  given: Readonly<Record<string, unknown>>,
  { clock = SYSTEM_CLOCK }: Injected,
): { readonly task: RegistrationTaskOptions; readonly signal: AbortSignal } {
  return {
    task: {
      net: checkRegistrationNet(given['net']),
      store: checkStore(given['store']),
      backoff: checkBackoff(given['backoff']),
      clock,
    },
    signal: checkSignal(given['signal']) ?? new AbortController().signal,
  };
}

function checkBackoff(backoff: unknown): BackoffOptions | undefined {
  if (backoff === undefined) return undefined;
  const given = checkObject(backoff, 'backoff');
  checkNames(given, BACKOFF_NAMES, 'backoff');
  return given;
}

/** Runs a call with the caller's signal; every failure is an error of ours. */
async function guarded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (error) {
    if (error instanceof SealcastError) throw error;
    if (signal.aborted)
      throw new SealcastError('ERR_ABORTED', 'the registration was aborted', {
        cause: signal.reason,
      });
    throw new SealcastError('ERR_STORE_FAILED', 'register the number: the store failed', {
      cause: error,
    });
  }
}
