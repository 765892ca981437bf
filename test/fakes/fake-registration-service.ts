import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@signalapp/libsignal-client';
import { LibSignalErrorBase } from '@signalapp/libsignal-client';
import { Aci, Pni } from '@signalapp/libsignal-client/dist/Address.js';
import type { RegistrationService } from '@signalapp/libsignal-client/dist/net.js';
import type { RegistrationNet } from 'sealcast';

type RegisterInputs = Parameters<RegistrationService['registerAccount']>[0];
type RegisterAnswer = Awaited<ReturnType<RegistrationService['registerAccount']>>;
type State = RegistrationService['sessionState'];

/** An error as libsignal's registration calls throw it. */
export function libsignalError(
  name: keyof typeof ErrorCode,
  facts: Record<string, unknown> = {},
  message = 'as libsignal says it',
): LibSignalErrorBase {
  return new LibSignalErrorBase(message, name, 'a registration', facts);
}

/** A request that was answered, but whose answer did not come. */
export const LOST = Symbol('an answer that was lost');
type Failure = Error | typeof LOST | null;

export const lostConnection = (): Error => libsignalError('IoError', {}, 'connection lost');

interface Account {
  readonly aci: string;
  readonly pni: string;
  readonly password: string;
  readonly identityKey: Uint8Array;
}

/** Stand-in for libsignal's registration client, and the service behind it. */
export class FakeRegistrationService implements RegistrationNet {
  readonly code = '123456';
  /** What the next calls of each kind fail with, in order; null: nothing. */
  readonly failures: Record<
    'create' | 'resume' | 'captcha' | 'request' | 'verify' | 'register' | 'reregister' | 'restore',
    Failure[]
  > = {
    create: [],
    resume: [],
    captcha: [],
    request: [],
    verify: [],
    register: [],
    reregister: [],
    restore: [],
  };
  readonly calls: string[] = [];
  readonly captchas: string[] = [];
  readonly codeRequests: Parameters<RegistrationService['requestVerification']>[0][] = [];
  readonly registrations: RegisterInputs[] = [];
  readonly pins: string[] = [];
  /** By number. */
  readonly accounts = new Map<string, Account>();
  /** Sessions that have not ended, by their id. */
  readonly sessions = new Map<string, { readonly number: string; state: State }>();
  /** What a PIN restores. */
  masterKey = new Uint8Array(32).fill(7);
  /** Runs while the service has a request for an account, before its answer. */
  onRegister: () => Promise<void> = () => Promise.resolve();

  createRegistrationSession = ({ e164 }: { e164: string }): Promise<RegistrationService> =>
    this.#answer('create', () => {
      const id = `session-${randomUUID()}`;
      this.sessions.set(id, {
        number: e164,
        state: {
          allowedToRequestCode: false,
          verified: false,
          nextSmsSecs: 0,
          requestedInformation: new Set(['captcha']),
        },
      });
      return this.#service(id);
    });

  resumeRegistrationSession = ({
    sessionId,
  }: {
    sessionId: string;
  }): Promise<RegistrationService> =>
    this.#answer('resume', () => {
      if (!this.sessions.has(sessionId)) throw libsignalError('RegistrationSessionNotFound');
      return this.#service(sessionId);
    });

  reregisterAccount = ({
    e164,
    ...inputs
  }: RegisterInputs & { e164: string }): Promise<RegisterAnswer> =>
    this.#answer('reregister', () => {
      const known = this.accounts.get(e164);
      // Its recovery password is that of the account which these keys made.
      const key = inputs.aciPublicKey.serialize();
      if (known === undefined || Buffer.compare(known.identityKey, key) !== 0)
        throw libsignalError('RegistrationRecoveryVerificationFailed');
      return this.#register(e164, inputs);
    });

  svr2 = (): ReturnType<RegistrationNet['svr2']> => {
    const restore = ({ normalizedPin }: { normalizedPin: Uint8Array }): Promise<unknown> =>
      this.#answer('restore', () => {
        this.pins.push(new TextDecoder().decode(normalizedPin));
        return { masterKey: Uint8Array.from(this.masterKey), triesRemaining: 9 };
      });
    return { restore } as unknown as ReturnType<RegistrationNet['svr2']>;
  };

  #service(id: string): RegistrationService {
    const session = (): { readonly number: string; state: State } => {
      const found = this.sessions.get(id);
      if (found === undefined) throw libsignalError('RegistrationSessionNotFound');
      return found;
    };
    // libsignal keeps the last state that it was told.
    let told = session().state;
    const change = (changes: Partial<State>): State => {
      const found = session();
      found.state = { ...found.state, ...changes };
      told = found.state;
      return told;
    };
    const service = {
      sessionId: id,
      get sessionState(): State {
        return told;
      },
      submitCaptcha: (token: string) =>
        this.#answer('captcha', () => {
          this.captchas.push(token);
          return change({ allowedToRequestCode: true, requestedInformation: new Set() });
        }),
      requestVerification: (request: Parameters<RegistrationService['requestVerification']>[0]) =>
        this.#answer('request', () => {
          this.codeRequests.push(request);
          change({ nextSmsSecs: 60, nextCallSecs: 60, nextVerificationAttemptSecs: 0 });
        }),
      verifySession: (code: string) =>
        this.#answer('verify', () => change({ verified: code === this.code }).verified),
      registerAccount: (inputs: RegisterInputs) =>
        this.#answer('register', () => {
          if (!session().state.verified) throw libsignalError('RegistrationInvalidSession');
          return this.#register(session().number, inputs);
        }),
    };
    return service as unknown as RegistrationService;
  }

  #register(number: string, inputs: RegisterInputs): RegisterAnswer {
    this.registrations.push(inputs);
    const { aci = randomUUID(), pni = randomUUID() } = this.accounts.get(number) ?? {};
    const identityKey = inputs.aciPublicKey.serialize();
    this.accounts.set(number, { aci, pni, password: inputs.accountPassword, identityKey });
    const answer = { aci: Aci.fromUuid(aci), pni: Pni.fromUuid(pni), number };
    return answer as unknown as RegisterAnswer;
  }

  async #answer<T>(kind: keyof typeof this.failures, work: () => T): Promise<T> {
    this.calls.push(kind);
    if (kind === 'register' || kind === 'reregister') await this.onRegister();
    const failure = this.failures[kind].shift() ?? null;
    if (failure instanceof Error) throw failure;
    const answer = work();
    if (failure === LOST) throw lostConnection();
    return answer;
  }
}
