import type { RegistrationService } from '@signalapp/libsignal-client/dist/net.js';
import type * as NetModule from '@signalapp/libsignal-client/dist/net.js';
import type * as LibsignalModule from '@signalapp/libsignal-client';
import { SealcastError } from '../../errors.js';
import { untilAborted, withAnySignal } from '../../util/abort.js';
import type { Clock } from '../../util/clock.js';
import { RegistrationRefusals } from '../mapping/registration.js';
import type { RecoveryCredentials, RegistrationRefusal } from '../mapping/registration.js';
import { TimedOut } from './in-flight.js';
import type { RegistrationNet } from './registration-source.js';

/** Longest time for one step, ms; libsignal connects, and tries again, within it. */
const STEP_TIMEOUT_MS = 60_000;
/** libsignal's `client`: which app's form the text message with the code has. */
const CLIENT = 'desktop';

/** State of a verification session, as the service last told it. */
export interface SessionState {
  readonly allowedToRequestCode: boolean;
  readonly verified: boolean;
  readonly requestedInformation: readonly ('captcha' | 'pushChallenge')[];
  /** ms since the epoch; absent: no text message can be sent. */
  readonly nextSmsAtMs?: number;
  /** ms since the epoch; absent: no call can be made. */
  readonly nextCallAtMs?: number;
  /** ms since the epoch; absent: no code can be handed in. */
  readonly nextAttemptAtMs?: number;
}

/** Keys of one identity, as a store keeps them. */
export interface NewIdentityKeys {
  /** 33 bytes */
  readonly publicKey: Uint8Array;
  /** Records of libsignal. */
  readonly signedPreKey: Uint8Array;
  readonly lastResortKyberPreKey: Uint8Array;
}

/** The request that makes the account. */
export interface RegisterRequest {
  readonly password: string;
  readonly registrationId: number;
  readonly pniRegistrationId: number;
  /** 32 bytes */
  readonly recoveryPassword: Uint8Array;
  /** Hex, 64 digits. */
  readonly registrationLock: string | undefined;
  /** 16 bytes */
  readonly accessKey: Uint8Array;
  readonly capabilities: readonly string[];
  readonly discoverableByPhoneNumber: boolean;
  readonly aci: NewIdentityKeys;
  readonly pni: NewIdentityKeys;
}

/** Outcome of a {@link RegisterRequest}. */
export type RegisterOutcome =
  | { readonly status: 'registered'; readonly aci: string; readonly pni: string }
  | RegistrationRefusal;

export type SessionOutcome =
  { readonly status: 'ok'; readonly session: RegistrationSession } | RegistrationRefusal;
export type StepOutcome = { readonly status: 'ok' } | RegistrationRefusal;
export type VerifyOutcome =
  { readonly status: 'ok'; readonly isVerified: boolean } | RegistrationRefusal;
export type RestoreOutcome =
  { readonly status: 'ok'; readonly masterKey: Uint8Array<ArrayBuffer> } | RegistrationRefusal;

interface Modules {
  readonly libsignal: typeof LibsignalModule;
  readonly net: typeof NetModule;
}

/** Runs one step in a bounded time, and turns its failure into a refusal. */
type Runner = <T extends object>(
  step: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T | RegistrationRefusal>;

/** Requests with which a number is registered, over libsignal's registration client. */
export class RegistrationRequests {
  readonly #net: RegistrationNet;
  readonly #modules: Modules;
  readonly #clock: Clock;
  readonly #refusals: RegistrationRefusals;

  private constructor(net: RegistrationNet, modules: Modules, clock: Clock) {
    this.#net = net;
    this.#modules = modules;
    this.#clock = clock;
    this.#refusals = new RegistrationRefusals(modules.libsignal);
  }

  /** @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE */
  static async over(net: RegistrationNet, clock: Clock): Promise<RegistrationRequests> {
    try {
      const [libsignal, netModule] = await Promise.all([
        import('@signalapp/libsignal-client'),
        import('@signalapp/libsignal-client/dist/net.js'),
      ]);
      return new RegistrationRequests(net, { libsignal, net: netModule }, clock);
    } catch (cause) {
      throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
        cause,
      });
    }
  }

  /** Makes a verification session for the number. @throws the signal's reason. */
  create(number: string, signal: AbortSignal): Promise<SessionOutcome> {
    return this.#run(
      async () => this.#sessionOf(await this.#net.createRegistrationSession({ e164: number })),
      signal,
    );
  }

  /** Finds a session that was made before. @throws the signal's reason. */
  resume(
    { number, sessionId }: { readonly number: string; readonly sessionId: string },
    signal: AbortSignal,
  ): Promise<SessionOutcome> {
    return this.#run(
      async () =>
        this.#sessionOf(await this.#net.resumeRegistrationSession({ sessionId, e164: number })),
      signal,
    );
  }

  /** Registers an account once more by its recovery password. @throws the signal's reason. */
  async reregister(
    number: string,
    request: RegisterRequest,
    signal: AbortSignal,
  ): Promise<RegisterOutcome> {
    const inputs = { ...argumentsOf(request, this.#modules), e164: number };
    return this.#run(async () => registered(await this.#net.reregisterAccount(inputs)), signal);
  }

  /**
   * Restores the master key that a PIN protects.
   *
   * @param pin normalized, in UTF-8
   * @throws the signal's reason.
   */
  restoreMasterKey(
    { username, password }: RecoveryCredentials,
    pin: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<RestoreOutcome> {
    return this.#run(async (abortSignal) => {
      const svr2 = this.#net.svr2({ username, password });
      const { masterKey } = await svr2.restore({ normalizedPin: pin }, { abortSignal });
      return { status: 'ok' as const, masterKey };
    }, signal);
  }

  #sessionOf(service: RegistrationService): { status: 'ok'; session: RegistrationSession } {
    const run: Runner = (step, signal) => this.#run(step, signal);
    return {
      status: 'ok',
      session: new RegistrationSession(service, {
        run,
        modules: this.#modules,
        clock: this.#clock,
      }),
    };
  }

  async #run<T extends object>(
    step: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | RegistrationRefusal> {
    const late = new AbortController();
    const cancel = this.#clock.setTimeout(
      () => late.abort(new TimedOut('the service took too long to answer')),
      STEP_TIMEOUT_MS,
    );
    try {
      // libsignal's registration calls cannot be cancelled: one that is late comes to nothing here.
      return await withAnySignal([signal, late.signal], (each) =>
        untilAborted(() => step(each), each),
      );
    } catch (error) {
      signal.throwIfAborted();
      return this.#refusals.of(error);
    } finally {
      cancel();
    }
  }
}

interface SessionParts {
  readonly run: Runner;
  readonly modules: Modules;
  readonly clock: Clock;
}

/** A verification session, on the service. */
export class RegistrationSession {
  readonly #service: RegistrationService;
  readonly #parts: SessionParts;
  #toldAtMs: number;

  constructor(service: RegistrationService, parts: SessionParts) {
    this.#service = service;
    this.#parts = parts;
    this.#toldAtMs = parts.clock.now();
  }

  get id(): string {
    return this.#service.sessionId;
  }

  get state(): SessionState {
    const { sessionState } = this.#service;
    const { nextSmsSecs, nextCallSecs, nextVerificationAttemptSecs } = sessionState;
    const at = (seconds: number): number => this.#toldAtMs + seconds * 1_000;
    return {
      allowedToRequestCode: sessionState.allowedToRequestCode,
      verified: sessionState.verified,
      requestedInformation: [...sessionState.requestedInformation],
      ...(nextSmsSecs !== undefined && { nextSmsAtMs: at(nextSmsSecs) }),
      ...(nextCallSecs !== undefined && { nextCallAtMs: at(nextCallSecs) }),
      ...(nextVerificationAttemptSecs !== undefined && {
        nextAttemptAtMs: at(nextVerificationAttemptSecs),
      }),
    };
  }

  /** @throws the signal's reason, as each of these. */
  submitCaptcha(token: string, signal: AbortSignal): Promise<StepOutcome> {
    return this.#step(async () => {
      await this.#service.submitCaptcha(token);
      return { status: 'ok' as const };
    }, signal);
  }

  requestCode(
    {
      transport,
      languages,
    }: { readonly transport: 'sms' | 'voice'; readonly languages: readonly string[] },
    signal: AbortSignal,
  ): Promise<StepOutcome> {
    return this.#step(async () => {
      await this.#service.requestVerification({
        transport,
        client: CLIENT,
        languages: [...languages],
      });
      return { status: 'ok' as const };
    }, signal);
  }

  verify(code: string, signal: AbortSignal): Promise<VerifyOutcome> {
    return this.#step(async () => {
      const isVerified = await this.#service.verifySession(code);
      return { status: 'ok' as const, isVerified };
    }, signal);
  }

  async register(request: RegisterRequest, signal: AbortSignal): Promise<RegisterOutcome> {
    const inputs = argumentsOf(request, this.#parts.modules);
    return this.#step(async () => registered(await this.#service.registerAccount(inputs)), signal);
  }

  async #step<T extends object>(
    step: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | RegistrationRefusal> {
    const { run, clock } = this.#parts;
    try {
      return await run(step, signal);
    } finally {
      this.#toldAtMs = clock.now();
    }
  }
}

type RegisterArguments = Parameters<RegistrationService['registerAccount']>[0];
type RegisterResponse = Awaited<ReturnType<RegistrationService['registerAccount']>>;

/** libsignal's form of the request. */
function argumentsOf(request: RegisterRequest, { libsignal, net }: Modules): RegisterArguments {
  const { PublicKey, SignedPreKeyRecord, KyberPreKeyRecord } = libsignal;
  const publicKey = ({ publicKey: bytes }: NewIdentityKeys): LibsignalModule.PublicKey =>
    PublicKey.deserialize(Uint8Array.from(bytes));
  const signedPreKey = (keys: NewIdentityKeys): LibsignalModule.SignedPreKeyRecord =>
    SignedPreKeyRecord.deserialize(Uint8Array.from(keys.signedPreKey));
  const kyberPreKey = (keys: NewIdentityKeys): LibsignalModule.KyberPreKeyRecord =>
    KyberPreKeyRecord.deserialize(Uint8Array.from(keys.lastResortKyberPreKey));
  const { aci, pni } = request;
  return {
    accountPassword: request.password,
    // The other device would have to be asked for its history, which sealcast does not read.
    skipDeviceTransfer: true,
    accountAttributes: new net.AccountAttributes({
      recoveryPassword: Uint8Array.from(request.recoveryPassword),
      aciRegistrationId: request.registrationId,
      pniRegistrationId: request.pniRegistrationId,
      registrationLock: request.registrationLock ?? null,
      unidentifiedAccessKey: Uint8Array.from(request.accessKey),
      unrestrictedUnidentifiedAccess: false,
      capabilities: new Set(request.capabilities),
      discoverableByPhoneNumber: request.discoverableByPhoneNumber,
    }),
    aciPublicKey: publicKey(aci),
    pniPublicKey: publicKey(pni),
    aciSignedPreKey: signedPreKey(aci),
    pniSignedPreKey: signedPreKey(pni),
    aciPqLastResortPreKey: kyberPreKey(aci),
    pniPqLastResortPreKey: kyberPreKey(pni),
  };
}

/** An answer without a PNI is of another kind of account than was asked for. */
function registered({ aci, pni }: RegisterResponse): RegisterOutcome {
  if (pni === null)
    return { status: 'unavailable', cause: new Error('the service gave no PNI for a number') };
  return {
    status: 'registered',
    aci: aci.getServiceIdString(),
    pni: pni.getServiceIdString(),
  };
}
