import { profilePath } from '../account-arguments.js';
import { profileOfAnswer } from '../json/account.js';
import {
  checkDevice,
  checkListener,
  checkOptions,
  checkSend,
  checkServiceId,
  checkTypes,
  refuse,
} from '../arguments.js';
import {
  chatConnections,
  type AuthenticatedConnection,
  type ConnectionSource,
  type UnauthenticatedConnection,
} from './connection-source.js';
import { AccountRequests } from './account-requests.js';
import {
  checkChatOptions,
  checkedLimits,
  CONNECT_NAMES,
  type ChatTransportConnectOptions,
  type ChatTransportOptions,
} from './chat-options.js';
import { closedError } from './in-flight.js';
import type { HttpAnswer } from '../mapping/http.js';
import { Incoming } from './incoming.js';
import { connectError, ConnectionPool, refusedError } from './connection-pool.js';
import { LibsignalRefusals, loadLibsignal, type Libsignal } from '../mapping/libsignal.js';
import { preKeysOfAnswer } from '../json/prekeys.js';
import { certificateOfAnswer, messageJson } from '../json/messages.js';
import { Requests } from './requests.js';
import { checkCdn } from './cdn-hosts.js';
import { checkStorage } from './storage-host.js';
import { ServerTimes } from './server-times.js';
import { UnauthenticatedRequests } from './unauthenticated-requests.js';
import { checkNames } from '../../util/known-names.js';
import type {
  AccountExistsOutcome,
  CdnService,
  CertificateOutcome,
  PreKeysOutcome,
  Refusal,
  RequestOptions,
  SealedSend,
  SendOutcome,
  ServerTime,
  UnsealedSend,
  UploadFormOutcome,
  UploadRequest,
  UsernameLookUp,
  UsernameOutcome,
} from '../transport.js';
import type {
  AccountAttributes,
  AccountTransport,
  DevicesOutcome,
  DoneOutcome,
  PreKeyCountOutcome,
  PreKeyRequestOptions,
  PreKeyUpload,
  ProfileOutcome,
  ProfileUpload,
  StorageOutcome,
  TransportListener,
} from '../account-transport.js';

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
  readonly #own: AccountRequests;
  readonly #unauthenticatedRequests: UnauthenticatedRequests;
  readonly cdn: CdnService | undefined;
  readonly #account: ConnectionPool<AuthenticatedConnection>;
  readonly #unauthenticated: ConnectionPool<UnauthenticatedConnection>;
  #closing: Promise<void> | undefined;

  private constructor(
    libsignal: Libsignal,
    source: ConnectionSource,
    options: ChatTransportOptions,
  ) {
    const { listener, backoff, retryConnectedElsewhere = false } = options;
    const { connectionCount, timeoutMs } = checkedLimits(options);
    this.#libsignal = libsignal;
    const storage = checkStorage(options.storage);
    this.cdn = checkCdn(options.cdn);
    this.#refusals = new LibsignalRefusals(libsignal, retryConnectedElsewhere !== false);
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
    this.#own = new AccountRequests({
      requests: this.#requests,
      connections: this.#account,
      deviceId: source.deviceId,
      storage,
    });
    this.#unauthenticated = new ConnectionPool(connectionCount, {
      ...common,
      connect: (watcher, signal) => source.connectUnauthenticated(watcher, signal),
    });
    this.#unauthenticatedRequests = new UnauthenticatedRequests({
      libsignal,
      requests: this.#requests,
      connections: this.#unauthenticated,
    });
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
    checkChatOptions(options);
    const transport = new ChatTransport(await loadLibsignal(), source, options);
    try {
      await Promise.all([transport.#account.connect(), transport.#unauthenticated.connect()]);
      return transport;
    } catch (cause) {
      await transport.close();
      throw connectError(cause, transport.#refusals);
    }
  }

  sendSealed(request: SealedSend, options?: RequestOptions): Promise<SendOutcome> {
    return this.#unauthenticatedRequests.sendSealed(request, options);
  }

  async sendUnsealed(request: UnsealedSend, options?: RequestOptions): Promise<SendOutcome> {
    const { timestamp, online, urgent, messages } = request;
    checkSend(request);
    checkTypes(messages);
    const checked = checkServiceId(this.#libsignal, request.destination, 'destination');
    const destination = checked.getServiceIdString();
    const body = { messages: messages.map(messageJson), online, urgent, timestamp };
    const path = `/v1/messages/${destination}`;
    return this.#requests.fetch(
      this.#account,
      options,
      { verb: 'PUT', path, json: body },
      () => ({ status: 'sent' }) as const,
    );
  }

  async fetchPreKeys(
    request: Parameters<AccountTransport['fetchPreKeys']>[0],
    options?: RequestOptions,
  ): Promise<PreKeysOutcome> {
    const { accessKey } = request;
    if (accessKey !== null)
      return this.#unauthenticatedRequests.fetchPreKeys({ ...request, accessKey }, options);
    const target = checkServiceId(this.#libsignal, request.destination, 'destination');
    const path = `/v2/keys/${target.getServiceIdString()}/${checkDevice(request.device)}`;
    return this.#get(path, preKeysOfAnswer, options);
  }

  accountExists(serviceId: string, options?: RequestOptions): Promise<AccountExistsOutcome> {
    return this.#unauthenticatedRequests.accountExists(serviceId, options);
  }

  lookUpUsername(request: UsernameLookUp, options?: RequestOptions): Promise<UsernameOutcome> {
    return this.#unauthenticatedRequests.lookUpUsername(request, options);
  }

  async fetchSenderCertificate(
    { includePhoneNumber }: { readonly includePhoneNumber: boolean },
    options?: RequestOptions,
  ): Promise<CertificateOutcome> {
    const path = `/v1/certificate/delivery?includeE164=${includePhoneNumber}`;
    return this.#get(path, certificateOfAnswer, options);
  }

  async fetchProfile(
    request: Parameters<AccountTransport['fetchProfile']>[0],
    options?: RequestOptions,
  ): Promise<ProfileOutcome> {
    const { serviceId, version, accessKey } = request;
    if (accessKey !== null)
      return this.#unauthenticatedRequests.fetchProfile({ ...request, accessKey }, options);
    const checked = checkServiceId(this.#libsignal, serviceId, 'serviceId');
    const path = profilePath(checked.getServiceIdString(), version);
    return this.#get(path, profileOfAnswer, options);
  }

  getUploadForm(request: UploadRequest, options?: RequestOptions): Promise<UploadFormOutcome> {
    return this.#own.getUploadForm(request, options);
  }

  countPreKeys(options?: PreKeyRequestOptions): Promise<PreKeyCountOutcome> {
    return this.#own.countPreKeys(options);
  }

  uploadPreKeys(upload: PreKeyUpload, options?: PreKeyRequestOptions): Promise<DoneOutcome> {
    return this.#own.uploadPreKeys(upload, options);
  }

  setAccountAttributes(
    attributes: AccountAttributes,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    return this.#own.setAccountAttributes(attributes, options);
  }

  setProfile(profile: ProfileUpload, options?: RequestOptions): Promise<DoneOutcome> {
    return this.#own.setProfile(profile, options);
  }

  setCapabilities(
    capabilities: Readonly<Record<string, boolean>>,
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    return this.#own.setCapabilities(capabilities, options);
  }

  answerChallenge(
    answer: { readonly token: string; readonly captcha: string },
    options?: RequestOptions,
  ): Promise<DoneOutcome> {
    return this.#own.answerChallenge(answer, options);
  }

  fetchDevices(options?: RequestOptions): Promise<DevicesOutcome> {
    return this.#own.fetchDevices(options);
  }

  removeDevice(deviceId: number, options?: RequestOptions): Promise<DoneOutcome> {
    return this.#own.removeDevice(deviceId, options);
  }

  fetchStorageManifest(
    request: { readonly after: number },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    return this.#own.fetchStorageManifest(request, options);
  }

  fetchStorageItems(
    request: { readonly body: Uint8Array },
    options?: RequestOptions,
  ): Promise<StorageOutcome> {
    return this.#own.fetchStorageItems(request, options);
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
    this.#closing ??= Promise.all([this.#account.close(), this.#unauthenticated.close()]).then(
      () => undefined,
    );
    return this.#closing;
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #get<T>(
    path: string,
    read: (answer: HttpAnswer) => T,
    options?: RequestOptions,
  ): Promise<T | Refusal> {
    return this.#requests.fetch(this.#account, options, { verb: 'GET', path }, read);
  }
}
