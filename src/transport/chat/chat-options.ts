import { checkCount, checkOptions, refuse } from '../arguments.js';
import type { TransportListener } from '../account-transport.js';
import type { CdnService } from '../transport.js';
import { BACKOFF_NAMES, type BackoffOptions } from '../../util/backoff.js';
import { checkNames, type NamesOf } from '../../util/known-names.js';
import type { ChatAccount, ChatNet } from './connection-source.js';
import type { StorageService } from './storage-host.js';

/** Options of `ChatTransport.over`. */
export interface ChatTransportOptions {
  /**
   * Unauthenticated connections, 1 to 64; a request takes the one with the fewest in flight.
   * Default 1.
   */
  readonly unauthenticatedConnections?: number;
  /** Longest time for a request, in ms, with the wait for a connection. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /**
   * Receives the account's messages for as long as the transport lives; `ChatTransport.receive`
   * then takes no other.
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
   * Signal's storage service, as `signalNet` names it.
   *
   * A linked device reads the account's new profile key there. Default: none, and such a device
   * sends no profile key once the phone has replaced it.
   */
  readonly storage?: StorageService;
  /**
   * Where attachments are stored, as `signalNet` names it. Default: nowhere, and none can be sent
   * or downloaded.
   */
  readonly cdn?: CdnService;
}

/** Access, options and the `Net` that `ChatTransport.connect` takes. */
export interface ChatTransportConnectOptions extends ChatAccount, ChatTransportOptions {
  /** A libsignal `Net`, set up for the service that is meant: production, staging, a local one. */
  readonly net: ChatNet;
}

/** Every option that a transport of any connections knows. */
const NAMES = {
  unauthenticatedConnections: true,
  requestTimeoutMs: true,
  listener: true,
  backoff: true,
  retryConnectedElsewhere: true,
  storage: true,
  cdn: true,
} as const satisfies NamesOf<ChatTransportOptions>;
/** Every option of {@link ChatTransportConnectOptions} that is known. */
export const CONNECT_NAMES = {
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

/** The numbers among the options. @throws SealcastError ERR_INVALID_ARGUMENT */
export function checkedLimits({
  unauthenticatedConnections = 1,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
}: ChatTransportOptions): { readonly connectionCount: number; readonly timeoutMs: number } {
  return {
    timeoutMs: checkCount('requestTimeoutMs', requestTimeoutMs, MAX_TIMEOUT_MS),
    connectionCount: checkCount(
      'unauthenticatedConnections',
      unauthenticatedConnections,
      MAX_CONNECTIONS,
    ),
  };
}

/** @throws SealcastError ERR_INVALID_ARGUMENT: a name or a wait that is none. */
export function checkChatOptions(options: ChatTransportOptions): void {
  checkNames(checkOptions(options), NAMES);
  checkRetry(options.retryConnectedElsewhere);
  if (options.backoff !== undefined)
    checkNames(checkOptions(options.backoff, 'backoff'), BACKOFF_NAMES, 'backoff');
}

function checkRetry(value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return;
  const field = 'retryConnectedElsewhere';
  if (typeof value !== 'object')
    refuse(field, 'true, false or waits: { baseMs?, capMs?, random? }');
  checkNames(checkOptions(value, field), BACKOFF_NAMES, field);
}
