import { SealcastError } from '../../errors.js';
import {
  checkAttributes,
  checkCapabilities,
  checkPreKeyUpload,
  checkProfile,
  checkProfileVersion,
} from '../account-arguments.js';
import { captchaJson, devicesOfAnswer } from '../json/devices.js';
import { attributesJson, profileJson, profileOfAnswer } from '../json/account.js';
import { bytesOfBase64, readAnswer, base64, text } from '../json/answer-fields.js';
import {
  checkAccessKey,
  checkCount,
  checkDevice,
  checkDeviceId,
  checkListener,
  checkOptions,
  checkSend,
  checkServiceId,
  checkText,
  checkTypes,
  refuse,
  isIntegerIn,
} from '../arguments.js';
import { BACKOFF_NAMES, type BackoffOptions } from '../../util/backoff.js';
import {
  chatConnections,
  type ChatAccount,
  type AuthenticatedConnection,
  type ChatNet,
  type ConnectionSource,
  type UnauthenticatedConnection,
} from './connection-source.js';
import { closedError } from './in-flight.js';
import type { HttpAnswer } from '../mapping/http.js';
import { Incoming } from './incoming.js';
import { requirePrimary } from '../../util/primary-device.js';
import { ConnectionPool, refusedError } from './connection-pool.js';
import { loadLibsignal, type Libsignal } from './libsignal.js';
import { LibsignalRefusals } from '../mapping/libsignal.js';
import {
  fieldsOf,
  preKeyCountOfAnswer,
  preKeysOfAnswer,
  preKeyUploadJson,
} from '../json/prekeys.js';
import { Requests } from './requests.js';
import {
  askStorage,
  checkStorage,
  type StorageLogin,
  type StorageRequest,
  type StorageService,
} from './storage-host.js';
import { ServerTimes } from './server-times.js';
import { checkNames, type NamesOf } from '../../util/known-names.js';
import type {
  AccessKey,
  AccountAttributes,
  AccountExistsOutcome,
  AccountTransport,
  CertificateOutcome,
  DevicesOutcome,
  DoneOutcome,
  PreKeyCountOutcome,
  PreKeyRequestOptions,
  PreKeysOutcome,
  PreKeyUpload,
  ProfileOutcome,
  ProfileUpload,
  Refusal,
  RequestOptions,
  SealedSend,
  SendOutcome,
  ServerTime,
  StorageOutcome,
  TransportListener,
  UnsealedMessage,
  UnsealedSend,
} from '../transport.js';

/** Options of {@link ChatTransport.over}. */
export interface ChatTransportOptions {
  /**
   * Unauthenticated connections, 1 to 64; a request takes the one with the fewest in flight.
   * Default 1.
   */
  readonly unauthenticatedConnections?: number;
  /** Longest time for a request, in ms, with the wait for a connection. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /**
   * Receives the account's messages for as long as the transport lives; {@link
   * ChatTransport.receive} then takes no other.
   */
  readonly listener?: TransportListener;
  readonly backoff?: BackoffOptions;
  /**
   * Whether to connect again after "connected elsewhere" (4409). The service sometimes sends it to
   * the only client of a device. Default false: the account's connection ends for good, for two
   * programs with one device's credentials would throw each other out in turns. `true`: after 15 to
   * 30 s, and ever later, up to 15 to 30 min; or your own waits, whose second half is random.
   */
  readonly retryConnectedElsewhere?: boolean | BackoffOptions;
  /**
   * Signal's storage service, as {@link signalNet} names it.
   *
   * A linked device reads the account's new profile key there. Default: none, and such a device
   * sends no profile key once the phone has replaced it.
   */
  readonly storage?: StorageService;
}

/** Options of {@link ChatTransport.connect}. */
export interface ChatTransportConnectOptions extends ChatAccount, ChatTransportOptions {
  /** A libsignal `Net`, set up for the service that is meant: production, staging, a local one. */
  readonly net: ChatNet;
}

const NAMES = {
  unauthenticatedConnections: true,
  requestTimeoutMs: true,
  listener: true,
  backoff: true,
  retryConnectedElsewhere: true,
  storage: true,
} as const satisfies NamesOf<ChatTransportOptions>;
const CONNECT_NAMES = {
  ...NAMES,
  net: true,
  username: true,
  password: true,
  languages: true,
} satisfies NamesOf<ChatTransportConnectOptions>;

const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longest delay that setTimeout takes, ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Envelope types of the service (signalservice.proto: Envelope.Type). */
const ENVELOPE_TYPE = { whisper: 1, prekey: 3, plaintext: 8 } as const;

const DONE = { status: 'ok' } as const;

/** @throws SealcastError ERR_INVALID_ARGUMENT */
function ownPreKeysPath({ identity = 'aci' }: PreKeyRequestOptions = {}): string {
  if (!['aci', 'pni'].includes(identity)) refuse('identity', 'aci or pni');
  return `/v2/keys?identity=${identity}`;
}

/**
 * The way to the service over libsignal's chat connections: one authenticated, one or more
 * unauthenticated. A connection that is lost is made again, with exponential backoff; requests wait
 * for it.
 *
 * Sealed messages, prekeys for an access key and the question whether an account exists go through
 * libsignal's typed calls; the certificate, unsealed messages and prekeys as the account through
 * its raw `fetch` (libsignal 0.103 makes no ciphertext message of serialized bytes, and has no
 * authenticated call for prekeys); so do profiles, own prekeys and account attributes.
 *
 * The account's messages go to the listener of `receive`; while there is none, 1,024 messages and
 * 16 MiB of them are kept, and the service has the rest.
 */
export class ChatTransport implements AccountTransport {
  readonly #libsignal: Libsignal;
  readonly #refusals: LibsignalRefusals;
  readonly #serverTimes = new ServerTimes();
  readonly #requests: Requests;
  readonly #incoming: Incoming;
  /** Undefined where it is not known. */
  readonly #deviceId: number | undefined;
  readonly #storage: StorageService | undefined;
  readonly #account: ConnectionPool<AuthenticatedConnection>;
  readonly #nobody: ConnectionPool<UnauthenticatedConnection>;
  #closing: Promise<void> | undefined;

  private constructor(
    libsignal: Libsignal,
    source: ConnectionSource,
    options: ChatTransportOptions,
  ) {
    const {
      unauthenticatedConnections = 1,
      requestTimeoutMs = REQUEST_TIMEOUT_MS,
      listener,
      backoff,
    } = options;
    this.#libsignal = libsignal;
    this.#deviceId = source.deviceId;
    this.#storage = checkStorage(options.storage);
    const { retryConnectedElsewhere = false } = options;
    this.#refusals = new LibsignalRefusals(libsignal, retryConnectedElsewhere !== false);
    const timeoutMs = checkCount('requestTimeoutMs', requestTimeoutMs, MAX_TIMEOUT_MS);
    this.#requests = new Requests(this.#refusals, timeoutMs, this.#serverTimes);
    this.#incoming = new Incoming(listener, () => this.redeliver());
    const common = { refusals: this.#refusals, backoff };
    this.#account = new ConnectionPool(1, {
      ...common,
      elsewhereBackoff:
        typeof retryConnectedElsewhere === 'object' ? retryConnectedElsewhere : undefined,
      onRefused: (cause) => this.#incoming.end(refusedError(cause, this.#refusals.reasonOf(cause))),
      connect: (watcher, signal) =>
        source.connectAuthenticated(this.#incoming.connection(watcher), signal),
    });
    this.#nobody = new ConnectionPool(
      checkCount('unauthenticatedConnections', unauthenticatedConnections, MAX_CONNECTIONS),
      {
        ...common,
        connect: (watcher, signal) => source.connectUnauthenticated(watcher, signal),
      },
    );
  }

  /**
   * Opens the authenticated and the unauthenticated connections.
   *
   * libsignal sends sealed messages, and asks whether an account exists, over gRPC unless the `Net`
   * is told otherwise (0.103.0, 2026-11). A service that does not speak it, such as Signal's mock
   * service, wants this before connecting:
   *
   *     net.setRemoteConfig(new Map([
   *       ['grpc.MessagesAnonymousSendSingleRecipientMessage', 'ws'],
   *       ['grpc.AccountsAnonymousCheckAccountExistence.2', 'ws'],
   *     ]), BuildVariant.Production);
   *
   * @throws SealcastError ERR_TRANSPORT_REFUSED when the service refuses the account, or this
   *   version of libsignal, for good; ERR_SERVICE_UNAVAILABLE when a connection could not be made,
   *   with libsignal's error as its `cause`; ERR_INVALID_ARGUMENT; ERR_LIBSIGNAL_UNAVAILABLE.
   * @example
   * const net = new Net.Net({ env: Net.Environment.Production, userAgent: 'announcements' });
   * const username = `${aci}.${deviceId}`;
   * const transport = await ChatTransport.connect({ net, username, password });
   */
  static async connect(connectOptions: ChatTransportConnectOptions): Promise<ChatTransport> {
    checkNames(checkOptions(connectOptions), CONNECT_NAMES);
    const { net, username, password, languages, ...options } = connectOptions;
    return ChatTransport.over(chatConnections(net, { username, password, languages }), options);
  }

  /**
   * The same, over connections of another making.
   *
   * @example
   * const transport = await ChatTransport.over(connectionSource, { requestTimeoutMs: 10_000 });
   */
  static async over(
    source: ConnectionSource,
    options: ChatTransportOptions = {},
  ): Promise<ChatTransport> {
    checkNames(checkOptions(options), NAMES);
    checkRetry(options.retryConnectedElsewhere);
    if (options.backoff !== undefined)
      checkNames(checkOptions(options.backoff, 'backoff'), BACKOFF_NAMES, 'backoff');
    const transport = new ChatTransport(await loadLibsignal(), source, options);
    try {
      await Promise.all([transport.#account.connect(), transport.#nobody.connect()]);
      return transport;
    } catch (cause) {
      await transport.close();
      if (transport.#refusals.isForGood(cause))
        throw refusedError(cause, transport.#refusals.reasonOf(cause));
      const retryAfterMs = transport.#refusals.retryAfterMs(cause);
      const facts = { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
      throw new SealcastError('ERR_SERVICE_UNAVAILABLE', 'the service could not be reached', facts);
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
    return this.#requests.call(this.#nobody, options, async (connection, abortSignal) => {
      await connection.sendMessage(sealed, { abortSignal });
      return { status: 'sent' };
    });
  }

  async sendUnsealed(request: UnsealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const { timestamp, online, urgent, messages } = request;
    checkSend(request);
    checkTypes(messages);
    const destination = checkServiceId(
      this.#libsignal,
      request.destination,
      'destination',
    ).getServiceIdString();
    const body = { messages: messages.map(messageJson), online, urgent, timestamp };
    return this.#put(`/v1/messages/${destination}`, body, () => ({ status: 'sent' }), options);
  }

  async fetchPreKeys(
    request: {
      readonly destination: string;
      readonly device: 'all' | number;
      readonly accessKey: AccessKey | null;
    },
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const target = checkServiceId(this.#libsignal, request.destination, 'destination');
    const pathDevice = checkDevice(request.device);
    const device = request.device === 'all' ? request.device : { deviceId: request.device };
    if (request.accessKey === null) {
      const path = `/v2/keys/${target.getServiceIdString()}/${pathDevice}`;
      return this.#get(path, preKeysOfAnswer, options);
    }
    const auth = { accessKey: checkAccessKey(request.accessKey) };
    return this.#requests.call(this.#nobody, options, async (connection, abortSignal) => {
      const { identityKey, preKeyBundles } = await connection.getPreKeys(
        { target, device, auth },
        { abortSignal },
      );
      return {
        status: 'ok',
        identityKey: identityKey.serialize(),
        bundles: preKeyBundles.map(fieldsOf),
      };
    });
  }

  async accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    const account = checkServiceId(this.#libsignal, serviceId, 'serviceId');
    return this.#requests.call(this.#nobody, options, async (connection, abortSignal) => ({
      status: 'ok',
      exists: await connection.accountExists({ account }, { abortSignal }),
    }));
  }

  async fetchSenderCertificate(
    { includePhoneNumber }: { readonly includePhoneNumber: boolean },
    options?: RequestOptions,
  ): Promise<CertificateOutcome> {
    const path = `/v1/certificate/delivery?includeE164=${includePhoneNumber}`;
    return this.#get(path, certificateOfAnswer, options);
  }

  async fetchProfile(
    request: {
      readonly serviceId: string;
      readonly version?: string;
      readonly accessKey: AccessKey | null;
    },
    options?: RequestOptions,
  ): Promise<ProfileOutcome> {
    const { version, accessKey } = request;
    const serviceId = checkServiceId(
      this.#libsignal,
      request.serviceId,
      'serviceId',
    ).getServiceIdString();
    if (version !== undefined && serviceId.startsWith('PNI:'))
      refuse('serviceId', 'an ACI: only they have a version');
    const path = `/v1/profile/${serviceId}${version === undefined ? '' : `/${checkProfileVersion(version)}`}`;
    if (accessKey === null) return this.#get(path, profileOfAnswer, options);
    const headers: [string, string][] = [
      ['unidentified-access-key', base64(checkAccessKey(accessKey))],
    ];
    return this.#requests.fetch(
      this.#nobody,
      options,
      { verb: 'GET', path, headers },
      profileOfAnswer,
    );
  }

  async countPreKeys(options?: PreKeyRequestOptions): Promise<PreKeyCountOutcome> {
    return this.#get(ownPreKeysPath(options), preKeyCountOfAnswer, options);
  }

  async uploadPreKeys(upload: PreKeyUpload, options?: PreKeyRequestOptions): Promise<DoneOutcome> {
    checkPreKeyUpload(upload);
    return this.#put(ownPreKeysPath(options), preKeyUploadJson(upload), () => DONE, options);
  }

  async setAccountAttributes(
    attributes: AccountAttributes,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkAttributes(attributes);
    this.#requirePrimary('set the attributes');
    return this.#put('/v1/accounts/attributes/', attributesJson(attributes), () => DONE, options);
  }

  async setProfile(profile: ProfileUpload, options?: RequestOptions): Promise<DoneOutcome> {
    checkProfile(profile);
    this.#requirePrimary('set the profile');
    return this.#put('/v1/profile', profileJson(profile), () => DONE, options);
  }

  async setCapabilities(
    capabilities: Readonly<Record<string, boolean>>,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkCapabilities(capabilities);
    return this.#put('/v1/devices/capabilities', capabilities, () => DONE, options);
  }

  async answerChallenge(
    answer: { readonly token: string; readonly captcha: string },
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    checkText(answer.token, 'token');
    checkText(answer.captcha, 'captcha');
    return this.#put('/v1/challenge', captchaJson(answer), () => DONE, options);
  }

  async fetchDevices(options?: RequestOptions): Promise<DevicesOutcome> {
    return this.#get('/v1/devices', devicesOfAnswer, options);
  }

  async removeDevice(deviceId: number, options?: RequestOptions): Promise<DoneOutcome> {
    const path = `/v1/devices/${checkDeviceId(deviceId)}`;
    return this.#requests.fetch(this.#account, options, { verb: 'DELETE', path }, () => DONE);
  }

  async fetchStorageManifest(
    { after }: { readonly after: number },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    if (!isIntegerIn(after, 0, Number.MAX_SAFE_INTEGER)) refuse('after', 'a version');
    const path = `/v1/storage/manifest/version/${after}`;
    return this.#askStorage({ verb: 'GET', path }, options);
  }

  async fetchStorageItems(
    { body }: { readonly body: Uint8Array },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    if (!(body instanceof Uint8Array)) refuse('body', 'bytes');
    return this.#askStorage({ verb: 'PUT', path: '/v1/storage/read', body }, options);
  }

  async #askStorage(request: StorageRequest, options?: RequestOptions): Promise<StorageOutcome> {
    const storage = this.#storage;
    if (storage === undefined) return { status: 'rejected', httpStatus: 0 };
    const login = await this.#get('/v1/storage/auth', storageLoginOfAnswer, options);
    if (login.status !== 'ok') return login;
    return this.#requests.run(options, (signal) => askStorage(storage, login, request, signal));
  }

  /**
   * Gives the listener the account's messages. The first listener also gets the messages since the
   * account connected, the next one those that came meanwhile; each of them soon, and not within
   * this call. Where more messages came than are kept, the account's connection is replaced, so
   * that the service delivers unacknowledged messages again: some may come twice.
   *
   * @example
   * const stop = transport.receive({ onQueueEmpty: () => console.log('up to date') });
   */
  receive(listener: TransportListener): () => void {
    if (this.#closing !== undefined) throw closedError();
    checkListener(listener);
    return this.#incoming.receive(listener);
  }

  /**
   * At once; where the connection is being made already, that will do. Requests as the account that
   * are on their way are answered with `unavailable`, those that follow wait. The listener hears of
   * an interruption without a cause, and nothing more of what came over the old connection. Does
   * nothing when the transport is closed, or the service refuses the account.
   *
   * @example
   * transport.redeliver();
   */
  redeliver(): void {
    if (this.#account.renew(this.#incoming.hasMessages)) this.#incoming.endConnection();
  }

  /**
   * Tells the time that the service puts into its answers to raw requests. It is the header
   * `x-signal-timestamp`, else `date`, whatever the status: certificate, profiles, own prekeys,
   * attributes, unsealed messages.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT
   * @example
   * const stop = transport.onServerTime(({ serverMs }) => console.log(new Date(serverMs)));
   */
  onServerTime(listener: (time: ServerTime) => void): () => void {
    if (typeof listener !== 'function') refuse('listener', 'a function');
    return this.#serverTimes.add(listener);
  }

  /**
   * Ends all connections. Requests under way reject with ERR_CLOSED.
   *
   * @example
   * await transport.close();
   */
  close(): Promise<void> {
    this.#requests.close();
    this.#incoming.close(closedError());
    this.#closing ??= Promise.all([this.#account.close(), this.#nobody.close()]).then(
      () => undefined,
    );
    return this.#closing;
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws SealcastError ERR_NOT_PRIMARY */
  #requirePrimary(operation: string): void {
    if (this.#deviceId !== undefined) requirePrimary({ deviceId: this.#deviceId }, operation);
  }

  #get<T>(
    path: string,
    read: (answer: HttpAnswer) => T,
    options?: RequestOptions,
  ): Promise<T | Refusal> {
    return this.#requests.fetch(this.#account, options, { verb: 'GET', path }, read);
  }

  #put<T>(
    path: string,
    json: object,
    read: () => T,
    options?: RequestOptions,
  ): Promise<T | Refusal> {
    return this.#requests.fetch(this.#account, options, { verb: 'PUT', path, json }, read);
  }
}

function storageLoginOfAnswer(
  answer: HttpAnswer,
): ({ readonly status: 'ok' } & StorageLogin) | Refusal {
  return readAnswer(answer, (json) => ({
    status: 'ok',
    username: text(json, 'username'),
    password: text(json, 'password'),
  }));
}

function checkRetry(value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  const field = 'retryConnectedElsewhere';
  if (typeof value !== 'object')
    refuse(field, 'true, false or waits: { baseMs?, capMs?, random? }');
  checkNames(checkOptions(value, field), BACKOFF_NAMES, field);
}

function messageJson({ deviceId, registrationId, content, type }: UnsealedMessage): object {
  return {
    type: ENVELOPE_TYPE[type],
    destinationDeviceId: deviceId,
    destinationRegistrationId: registrationId,
    content: base64(content),
  };
}

function certificateOfAnswer(answer: HttpAnswer): CertificateOutcome {
  return readAnswer(answer, ({ certificate }) => ({
    status: 'ok',
    certificate: bytesOfBase64(certificate, 'certificate'),
  }));
}
