// A stand-in of the service, in memory, behind libsignal's own fake remote: what a test wants
// answered is answered, through all that libsignal does with an answer.
import * as Native from '@signalapp/libsignal-client/dist/Native.js';
import {
  AuthenticatedChatConnection,
  TokioAsyncContext,
  UnauthenticatedChatConnection,
} from '@signalapp/libsignal-client/dist/net.js';
import type {
  FakeChatRemote,
  InternalRequest,
} from '@signalapp/libsignal-client/dist/net/FakeChat.js';
import type {
  AuthenticatedConnection,
  AuthenticatedListener,
  ConnectionListener,
  ConnectionSource,
  UnauthenticatedConnection,
} from 'sealcast';

/**
 * Requests that libsignal would send over gRPC: the fake service takes them over the chat socket,
 * as the mock service does.
 */
const OVER_CHAT_SOCKET = [
  'MessagesAnonymousSendSingleRecipientMessage',
  'MessagesSendMessage',
  'AccountsAnonymousCheckAccountExistence',
  'AccountsAnonymousLookupUsernameHash',
  'AccountsAnonymousLookupUsernameLink',
];
/**
 * A receive gives up after about a second (libsignal 0.103.0, 2026-11): how often it is tried again
 * on a busy machine.
 */
const RECEIVES = 60;

/** A request as it reached the service. Header names are in lower case. */
export interface FakeRequest {
  /**
   * Which connection it came over: connections are counted from 0, in the order in which they were
   * made.
   */
  readonly connection: number;
  readonly authenticated: boolean;
  readonly verb: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The body's JSON. */
  readonly json: () => unknown;
}

export interface FakeResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes as they are; anything else as JSON, with the header that says so. */
  readonly body?: unknown;
}

export type FakeHandler = (request: FakeRequest) => FakeResponse | Promise<FakeResponse>;

interface Route {
  readonly verb: string;
  readonly path: RegExp;
  readonly handler: FakeHandler;
}

/** What a test sees of a connection that a client made. */
export class FakeConnection {
  isOpen = true;

  constructor(
    readonly number: number,
    readonly authenticated: boolean,
    readonly listener: ConnectionListener,
    readonly remote: FakeChatRemote,
    private readonly interrupted: Promise<void>,
  ) {}

  /**
   * The connection breaks: libsignal ends what is on its way, and says so to its client. Resolves
   * when the client has heard it; what is asked before that goes down with the connection.
   */
  drop(): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    this.isOpen = false;
    this.remote.injectConnectionInterrupted();
    return this.interrupted;
  }
}

export class FakeService implements ConnectionSource {
  /** Every request, in the order in which they came. */
  readonly requests: FakeRequest[] = [];
  /** Every connection that was made. */
  readonly connections: FakeConnection[] = [];
  /** Attempts to connect, with those that were refused. */
  connectAttempts = 0;
  readonly #context = new TokioAsyncContext(Native.TokioAsyncContext_new());
  readonly #routes: Route[] = [];
  #refusal: (() => Error) | undefined;

  /**
   * The newest handler that fits a request answers it; what no handler fits is answered with 404.
   */
  on(verb: string, path: RegExp, handler: FakeHandler): this {
    this.#routes.unshift({ verb, path, handler });
    return this;
  }

  /** From now on, attempts to connect reject with this. */
  refuseConnections(makeError: () => Error = () => new Error('the service is away')): void {
    this.#refusal = makeError;
  }

  allowConnections(): void {
    this.#refusal = undefined;
  }

  get open(): readonly FakeConnection[] {
    return this.connections.filter(({ isOpen }) => isOpen);
  }

  /**
   * Breaks the open connections, or those of them that `which` says. Resolves when their clients
   * have heard it.
   */
  async dropConnections(
    which: (connection: FakeConnection) => boolean = () => true,
  ): Promise<void> {
    await Promise.all(this.open.filter(which).map((connection) => connection.drop()));
  }

  connectAuthenticated(listener: AuthenticatedListener): Promise<AuthenticatedConnection> {
    return this.#connect(true, listener, (onConnectionInterrupted) =>
      AuthenticatedChatConnection.fakeConnect(
        this.#context,
        {
          onIncomingMessage: (...message) => listener.onIncomingMessage(...message),
          onQueueEmpty: () => listener.onQueueEmpty(),
          onConnectionInterrupted,
        },
        OVER_CHAT_SOCKET,
      ),
    );
  }

  connectUnauthenticated(listener: ConnectionListener): Promise<UnauthenticatedConnection> {
    return this.#connect(false, listener, (onConnectionInterrupted) => {
      const [chat, remote] = UnauthenticatedChatConnection.fakeConnect(
        this.#context,
        {
          onIncomingMessage: () => undefined,
          onQueueEmpty: () => undefined,
          onConnectionInterrupted,
        },
        OVER_CHAT_SOCKET,
      );
      return [chat as UnauthenticatedChatConnection & UnauthenticatedConnection, remote];
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- rejects rather than throws
  async #connect<C extends object>(
    authenticated: boolean,
    listener: ConnectionListener,
    fakeConnect: (onConnectionInterrupted: (cause: Error | null) => void) => [C, FakeChatRemote],
  ): Promise<C> {
    this.connectAttempts += 1;
    if (this.#refusal !== undefined) throw this.#refusal();
    let interrupted = (): void => undefined;
    const heard = new Promise<void>((resolve) => (interrupted = resolve));
    const [chat, remote] = fakeConnect((cause) => {
      listener.onConnectionInterrupted(cause);
      interrupted();
    });
    const connection = new FakeConnection(
      this.connections.length,
      authenticated,
      listener,
      remote,
      heard,
    );
    this.connections.push(connection);
    return this.#answering(chat, connection);
  }

  /**
   * The connection, whose every request is received as it is made: a receive with nothing to come
   * would end in a panic of the fake remote, which prints a backtrace.
   */
  #answering<C extends object>(chat: C, connection: FakeConnection): C {
    return new Proxy(chat, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, args);
          if (name === 'disconnect') connection.isOpen = false;
          else void this.#answerOne(connection, result as Promise<unknown>);
          return result;
        };
      },
    });
  }

  async #answerOne(connection: FakeConnection, answered: Promise<unknown>): Promise<void> {
    const call = { isOver: false };
    const end = (): boolean => (call.isOver = true);
    answered.then(end, end);
    for (let receive = 0; receive < RECEIVES && !call.isOver; receive++) {
      // It may be slow to come, or its connection gone.
      const request = await connection.remote.receiveIncomingRequest().catch(() => undefined);
      if (request === null) return;
      if (request !== undefined) return this.#answer(connection, request);
    }
  }

  async #answer(connection: FakeConnection, internal: InternalRequest): Promise<void> {
    const { verb, path, headers, body } = internal;
    const request: FakeRequest = {
      connection: connection.number,
      authenticated: connection.authenticated,
      verb,
      path,
      headers,
      body,
      json: () => JSON.parse(Buffer.from(body).toString('utf8')) as unknown,
    };
    this.requests.push(request);
    const route = this.#routes.find((each) => each.verb === verb && each.path.test(path));
    const response = (await route?.handler(request)) ?? { status: 404 };
    if (!connection.isOpen) return;
    connection.remote.sendReplyTo(internal, encode(response));
  }
}

function encode({
  status,
  headers = {},
  body,
}: FakeResponse): Parameters<FakeChatRemote['sendReplyTo']>[1] {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  if (body === undefined) return { status, headers: lines };
  if (body instanceof Uint8Array) return { status, headers: lines, body: new Uint8Array(body) };
  const json = new TextEncoder().encode(JSON.stringify(body));
  return { status, headers: ['content-type: application/json', ...lines], body: json };
}
