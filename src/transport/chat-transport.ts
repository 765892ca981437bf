import { SealcastError } from '../errors.js';
import { checkAccessKey, checkCount, checkDevice, checkSend, checkServiceId, checkTypes } from './arguments.js';
import type { BackoffOptions } from './backoff.js';
import {
  chatConnections,
  type ChatAccount,
  type AuthenticatedConnection,
  type ChatNet,
  type ConnectionSource,
  type UnauthenticatedConnection,
} from './connection-source.js';
import { closedError, Flights, type Flight } from './flights.js';
import { isRecord, jsonOf, refusalOfAnswer, type HttpAnswer } from './http-refusals.js';
import { Lanes, refusedError } from './lanes.js';
import { loadLibsignal, type Libsignal } from './libsignal.js';
import { LibsignalRefusals } from './libsignal-refusals.js';
import { bytesOfBase64, fieldsOf, preKeysOfAnswer } from './prekeys.js';
import type {
  AccessKey,
  AccountExistsOutcome,
  CertificateOutcome,
  PreKeysOutcome,
  Refusal,
  RequestOptions,
  SealedSend,
  SendOutcome,
  Transport,
  TransportListener,
  UnsealedMessage,
  UnsealedSend,
} from './transport.js';

export interface ChatTransportOptions {
  /** Connections as nobody, 1 to 64; a request takes the one with the fewest in flight. Default 1. */
  readonly unauthenticatedConnections?: number;
  /** Longest time for a request, in ms, with the wait for a connection. Default 30 s. */
  readonly requestTimeoutMs?: number;
  readonly listener?: TransportListener;
  readonly backoff?: BackoffOptions;
}

export interface ChatTransportConnectOptions extends ChatAccount, ChatTransportOptions {
  /** A libsignal `Net`, set up for the service that is meant: production, staging, a local one. */
  readonly net: ChatNet;
}

const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 30_000;
/** What setTimeout takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Envelope types of the service (signalservice.proto: Envelope.Type). */
const CIPHERTEXT = 1;
const PREKEY_BUNDLE = 3;

/**
 * The way to the service over libsignal's chat connections: one as the account, one or more as nobody. A connection that is
 * lost is made again, with exponential backoff; requests wait for it.
 *
 * Sealed messages, prekeys for an access key and the question whether an account exists go through libsignal's typed calls;
 * the certificate, unsealed messages and prekeys as the account through its raw `fetch` (libsignal 0.103 makes no ciphertext
 * message of serialized bytes, and has no authenticated call for prekeys).
 */
export class ChatTransport implements Transport {
  readonly #libsignal: Libsignal;
  readonly #refusals: LibsignalRefusals;
  readonly #requestTimeoutMs: number;
  readonly #flights: Flights;
  readonly #account: Lanes<AuthenticatedConnection>;
  readonly #nobody: Lanes<UnauthenticatedConnection>;
  #closing: Promise<void> | undefined;

  private constructor(libsignal: Libsignal, source: ConnectionSource, options: ChatTransportOptions) {
    const { unauthenticatedConnections = 1, requestTimeoutMs = REQUEST_TIMEOUT_MS, listener, backoff } = options;
    this.#libsignal = libsignal;
    this.#refusals = new LibsignalRefusals(libsignal);
    this.#requestTimeoutMs = checkCount('requestTimeoutMs', requestTimeoutMs, MAX_TIMEOUT_MS);
    this.#flights = new Flights(this.#requestTimeoutMs);
    const common = { refusals: this.#refusals, backoff };
    this.#account = new Lanes(1, {
      ...common,
      connect: (watcher, signal) =>
        source.connectAuthenticated(
          {
            onIncomingMessage: (...message) => listener?.onIncomingMessage?.(...message),
            onQueueEmpty: () => listener?.onQueueEmpty?.(),
            onConnectionInterrupted: (cause) => {
              watcher.onConnectionInterrupted(cause);
              if (this.#closing === undefined) listener?.onConnectionInterrupted?.(cause);
            },
          },
          signal,
        ),
    });
    this.#nobody = new Lanes(checkCount('unauthenticatedConnections', unauthenticatedConnections, MAX_CONNECTIONS), {
      ...common,
      connect: (watcher, signal) => source.connectUnauthenticated(watcher, signal),
    });
  }

  /**
   * Connects as the account and as nobody.
   *
   * libsignal sends sealed messages, and asks whether an account exists, over gRPC unless the `Net` is told otherwise (0.103.0,
   * 2026-11). A service that does not speak it, such as Signal's mock service, wants this before connecting:
   *
   *     net.setRemoteConfig(new Map([
   *       ['grpc.MessagesAnonymousSendSingleRecipientMessage', 'ws'],
   *       ['grpc.AccountsAnonymousCheckAccountExistence.2', 'ws'],
   *     ]), BuildVariant.Production);
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED when the service refuses the account, or this version of libsignal, for good;
   *   ERR_SERVICE_UNAVAILABLE when a connection could not be made, with what libsignal threw as its `cause`;
   *   ERR_INVALID_ARGUMENT; ERR_LIBSIGNAL_UNAVAILABLE.
   */
  static async connect({
    net,
    username,
    password,
    languages,
    ...options
  }: ChatTransportConnectOptions): Promise<ChatTransport> {
    return ChatTransport.over(chatConnections(net, { username, password, languages }), options);
  }

  /** The same, over connections of another making. */
  static async over(source: ConnectionSource, options: ChatTransportOptions = {}): Promise<ChatTransport> {
    const transport = new ChatTransport(await loadLibsignal(), source, options);
    try {
      await Promise.all([transport.#account.connect(), transport.#nobody.connect()]);
      return transport;
    } catch (cause) {
      await transport.close();
      if (transport.#refusals.isForGood(cause)) throw refusedError(cause);
      throw new SealcastError('ERR_SERVICE_UNAVAILABLE', 'the service could not be reached', { cause });
    }
  }

  async sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const { destination, timestamp, online, urgent, messages } = request;
    checkSend(request);
    const sealed = {
      destination: checkServiceId(this.#libsignal, destination, 'destination'),
      timestamp,
      contents: messages.map(({ deviceId, registrationId, content }) => ({
        deviceId,
        registrationId,
        contents: content,
      })),
      auth: { accessKey: checkAccessKey(request.accessKey) },
      onlineOnly: online,
      urgent,
    };
    return this.#asNobody(options, async (connection, abortSignal) => {
      await connection.sendMessage(sealed, { abortSignal });
      return { status: 'sent' };
    });
  }

  async sendUnsealed(request: UnsealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const { timestamp, online, urgent, messages } = request;
    checkSend(request);
    checkTypes(messages);
    const destination = checkServiceId(this.#libsignal, request.destination, 'destination').getServiceIdString();
    const body = { messages: messages.map(messageJson), online, urgent, timestamp };
    return this.#asAccount(options, 'PUT', `/v1/messages/${destination}`, body, () => ({ status: 'sent' }));
  }

  async fetchPreKeys(
    request: { readonly destination: string; readonly device: 'all' | number; readonly accessKey: AccessKey | null },
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const target = checkServiceId(this.#libsignal, request.destination, 'destination');
    const pathDevice = checkDevice(request.device);
    const device = request.device === 'all' ? request.device : { deviceId: request.device };
    if (request.accessKey === null) {
      const path = `/v2/keys/${target.getServiceIdString()}/${pathDevice}`;
      return this.#asAccount(options, 'GET', path, undefined, preKeysOfAnswer);
    }
    const auth = { accessKey: checkAccessKey(request.accessKey) };
    return this.#asNobody(options, async (connection, abortSignal) => {
      const { identityKey, preKeyBundles } = await connection.getPreKeys({ target, device, auth }, { abortSignal });
      return { status: 'ok', identityKey: identityKey.serialize(), bundles: preKeyBundles.map(fieldsOf) };
    });
  }

  async accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    const account = checkServiceId(this.#libsignal, serviceId, 'serviceId');
    return this.#asNobody(options, async (connection, abortSignal) => ({
      status: 'ok',
      exists: await connection.accountExists({ account }, { abortSignal }),
    }));
  }

  async fetchSenderCertificate(
    { includePhoneNumber }: { readonly includePhoneNumber: boolean },
    options?: RequestOptions,
  ): Promise<CertificateOutcome> {
    const path = `/v1/certificate/delivery?includeE164=${includePhoneNumber}`;
    return this.#asAccount(options, 'GET', path, undefined, certificateOfAnswer);
  }

  /** Ends all connections. What is still on its way rejects with ERR_CLOSED. */
  close(): Promise<void> {
    this.#flights.close();
    this.#closing ??= Promise.all([this.#account.close(), this.#nobody.close()]).then(() => undefined);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #asNobody<T>(
    options: RequestOptions | undefined,
    ask: (connection: UnauthenticatedConnection, abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T | Refusal> {
    return this.#ask(options, (flight) => this.#nobody.run(flight, (connection) => ask(connection, flight.signal)));
  }

  #asAccount<T>(
    options: RequestOptions | undefined,
    verb: 'GET' | 'PUT',
    path: string,
    json: object | undefined,
    read: (answer: HttpAnswer) => T,
  ): Promise<T | Refusal> {
    return this.#ask(options, async (flight) => {
      const answer = await this.#account.run(flight, (connection) =>
        connection.fetch(
          {
            verb,
            path,
            headers: json === undefined ? [] : [['content-type', 'application/json']],
            ...(json !== undefined && { body: new TextEncoder().encode(JSON.stringify(json)) }),
            timeoutMillis: this.#requestTimeoutMs,
          },
          { abortSignal: flight.signal },
        ),
      );
      return answer.status >= 200 && answer.status < 300 ? read(answer) : refusalOfAnswer(answer);
    });
  }

  async #ask<T>(options: RequestOptions | undefined, run: (flight: Flight) => Promise<T>): Promise<T | Refusal> {
    if (this.#closing !== undefined) throw closedError();
    try {
      return await this.#flights.fly(options?.signal, run);
    } catch (error) {
      if (error instanceof SealcastError) throw error;
      return this.#refusals.of(error);
    }
  }
}

function messageJson({ deviceId, registrationId, content, type }: UnsealedMessage): object {
  return {
    type: type === 'prekey' ? PREKEY_BUNDLE : CIPHERTEXT,
    destinationDeviceId: deviceId,
    destinationRegistrationId: registrationId,
    content: Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('base64'),
  };
}

function certificateOfAnswer(answer: HttpAnswer): CertificateOutcome {
  const json = jsonOf(answer);
  try {
    const certificate = bytesOfBase64(isRecord(json) ? json['certificate'] : undefined, 'certificate');
    return { status: 'ok', certificate };
  } catch (cause) {
    return { status: 'rejected', httpStatus: answer.status, cause };
  }
}
