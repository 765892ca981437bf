import { randomUUID } from 'node:crypto';
import { LibSignalErrorBase, type ErrorCode } from '@signalapp/libsignal-client';
import type { RegistrationNet } from 'sealcast';

type Connecting = ReturnType<RegistrationNet['connectUnauthenticatedChat']>;
type Fetch = Awaited<Connecting>['fetch'];
type Answer = Awaited<ReturnType<Fetch>>;

/** An error as libsignal's calls throw it. */
export function libsignalError(
  name: keyof typeof ErrorCode,
  facts: Record<string, unknown> = {},
  message = 'as libsignal says it',
): LibSignalErrorBase {
  return new LibSignalErrorBase(message, name, 'a registration', facts);
}
export const lostConnection = (): Error => libsignalError('IoError', {}, 'connection lost');

export interface RawAnswer {
  readonly status: number;
  readonly json: object;
  readonly headers: [string, string][];
}
export const answerOf = (
  status: number,
  json: object = {},
  retryAfterSecs?: number,
): RawAnswer => ({
  status,
  json,
  headers: retryAfterSecs === undefined ? [] : [['retry-after', String(retryAfterSecs)]],
});

/** A request that was granted, but whose answer did not come. */
export const LOST = Symbol('an answer that was lost');
type Failure = Error | typeof LOST | RawAnswer | ((session: Session) => RawAnswer) | null;

interface Session {
  readonly id: string;
  readonly number: string;
  allowedToRequestCode: boolean;
  verified: boolean;
  requestedInformation: string[];
  nextSms: number | null;
  nextCall: number | null;
  nextVerificationAttempt: number | null;
}

interface PreKeyJson {
  readonly keyId: number;
  readonly publicKey: string;
  readonly signature: string;
}
type Identity = 'aci' | 'pni';
type RegisterBody = Readonly<
  Record<`${Identity}IdentityKey`, string> &
    Record<`${Identity}SignedPreKey` | `${Identity}PqLastResortPreKey`, PreKeyJson>
> & {
  readonly sessionId?: string;
  readonly recoveryPassword?: string;
  readonly accountAttributes: {
    readonly recoveryPassword: string;
    readonly unidentifiedAccessKey: readonly number[];
  };
};
export interface RegisterCall {
  readonly user: string;
  readonly password: string;
  readonly body: RegisterBody;
}

interface Account {
  readonly aci: string;
  readonly pni: string;
  readonly password: string;
  /** Base64 */
  readonly identityKey: string;
  readonly recoveryPassword: string;
}

type Kind =
  'create' | 'resume' | 'captcha' | 'request' | 'verify' | 'register' | 'reregister' | 'restore';

/** The service's side of registrations, and libsignal's connections to it. */
export class FakeRegistrationService implements RegistrationNet {
  readonly code = '123456';
  /** What the next calls of each kind fail with, in order; null: nothing. */
  readonly failures: Record<Kind, Failure[]> = {
    create: [],
    resume: [],
    captcha: [],
    request: [],
    verify: [],
    register: [],
    reregister: [],
    restore: [],
  };
  readonly calls: Kind[] = [];
  readonly captchas: string[] = [];
  readonly codeRequests: object[] = [];
  /** Those that were granted. */
  readonly registrations: RegisterCall[] = [];
  readonly pins: string[] = [];
  /** By number. */
  readonly accounts = new Map<string, Account>();
  /** Sessions that have not ended, by their id. */
  readonly sessions = new Map<string, Session>();
  openConnections = 0;
  /** What a PIN restores. */
  masterKey = new Uint8Array(32).fill(7);
  /** Runs while the service has a request for an account, before its answer. */
  onRegister: () => Promise<void> = () => Promise.resolve();

  connectUnauthenticatedChat = (): Connecting => {
    this.openConnections += 1;
    const connection = {
      fetch: (request: Parameters<Fetch>[0]) => this.#fetch(request),
      disconnect: () => {
        this.openConnections -= 1;
        return Promise.resolve();
      },
    };
    return Promise.resolve(connection as never);
  };

  svr2 = (): ReturnType<RegistrationNet['svr2']> => {
    const restore = async ({ normalizedPin }: { normalizedPin: Uint8Array }): Promise<object> => {
      this.calls.push('restore');
      const failure = this.failures.restore.shift() ?? null;
      if (failure instanceof Error) throw failure;
      this.pins.push(new TextDecoder().decode(normalizedPin));
      return Promise.resolve({ masterKey: Uint8Array.from(this.masterKey), triesRemaining: 9 });
    };
    return { restore } as unknown as ReturnType<RegistrationNet['svr2']>;
  };

  async #fetch({ verb, path, headers, body }: Parameters<Fetch>[0]): Promise<Answer> {
    const json = (body === undefined ? {} : JSON.parse(new TextDecoder().decode(body))) as Record<
      string,
      string
    >;
    const header = (name: string): string => headers.find(([each]) => each === name)?.[1] ?? '';
    const [kind, answer] = this.#route(`${verb} ${path}`, json, header);
    this.calls.push(kind);
    if (kind === 'register' || kind === 'reregister') await this.onRegister();
    const failure = this.failures[kind].shift() ?? null;
    if (failure instanceof Error) throw failure;
    if (failure === null || failure === LOST) {
      const given = answer();
      if (failure === LOST) throw lostConnection();
      return wire(given);
    }
    if (typeof failure !== 'function') return wire(failure);
    return wire(failure([...this.sessions.values()][0]!));
  }

  #route(
    call: string,
    json: Readonly<Record<string, string>>,
    header: (name: string) => string,
  ): [Kind, () => RawAnswer] {
    if (call === 'POST /v1/registration') return this.#registration(json, header('authorization'));
    if (call === 'POST /v1/verification/session')
      return ['create', () => this.#create(json['number'] ?? '')];
    const [, verb, id = '', code] =
      /^(\w+) \/v1\/verification\/session\/([\w-]+)(\/code)?$/.exec(call) ?? [];
    const change = (changes: (session: Session) => Partial<Session>) => (): RawAnswer => {
      const session = this.sessions.get(id);
      if (session === undefined) return answerOf(404);
      return answerOf(200, Object.assign(session, changes(session)));
    };
    if (verb === 'GET') return ['resume', change(() => ({}))];
    if (verb === 'PATCH')
      return [
        'captcha',
        change(() => {
          this.captchas.push(json['captcha'] ?? '');
          return { allowedToRequestCode: true, requestedInformation: [] };
        }),
      ];
    if (verb === 'POST' && code !== undefined)
      return [
        'request',
        change(() => {
          this.codeRequests.push({ ...json, languages: header('accept-language') });
          return { nextSms: 60, nextCall: 60, nextVerificationAttempt: 0 };
        }),
      ];
    return ['verify', change(() => ({ verified: json['code'] === this.code }))];
  }

  #create(number: string): RawAnswer {
    const session: Session = {
      id: `session-${randomUUID()}`,
      number,
      allowedToRequestCode: false,
      verified: false,
      requestedInformation: ['captcha'],
      nextSms: 0,
      nextCall: null,
      nextVerificationAttempt: null,
    };
    this.sessions.set(session.id, session);
    return answerOf(200, session);
  }

  #registration(json: object, authorization: string): [Kind, () => RawAnswer] {
    const body = json as RegisterBody;
    const [, basic = ''] = authorization.split(' ');
    const [user = '', password = ''] = Buffer.from(basic, 'base64').toString().split(':');
    const grant = (number: string): RawAnswer => {
      this.registrations.push({ user, password, body });
      const { aci = randomUUID(), pni = randomUUID() } = this.accounts.get(number) ?? {};
      const { recoveryPassword } = body.accountAttributes;
      const identityKey = body.aciIdentityKey;
      this.accounts.set(number, { aci, pni, password, identityKey, recoveryPassword });
      return answerOf(200, { uuid: aci, pni, number });
    };
    if (body.recoveryPassword !== undefined) {
      const isRight = this.accounts.get(user)?.recoveryPassword === body.recoveryPassword;
      return ['reregister', () => (isRight ? grant(user) : answerOf(403))];
    }
    const session = this.sessions.get(body.sessionId ?? '');
    return ['register', () => (session?.verified === true ? grant(session.number) : answerOf(401))];
  }
}

const wire = ({ status, headers, json }: RawAnswer): Answer => ({
  status,
  message: '',
  headers: headers,
  body: new TextEncoder().encode(JSON.stringify(json)),
});
