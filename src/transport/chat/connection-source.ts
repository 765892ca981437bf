import type {
  AuthenticatedChatConnection,
  AuthMessagesService,
  Net,
  UnauthenticatedChatConnection,
  UnauthKeysService,
  UnauthMessagesService,
  UnauthProfilesService,
  UnauthUsernamesService,
} from '@signalapp/libsignal-client/dist/net.js';
import { checkUsername } from '../arguments.js';
import type { MessageAck } from '../account-transport.js';

/**
 * Part of an authenticated connection that is used: libsignal's `AuthenticatedChatConnection` is
 * one. A connection without `getUploadForm` sends no attachments.
 */
export type AuthenticatedConnection = Pick<AuthenticatedChatConnection, 'fetch' | 'disconnect'> &
  Partial<Pick<AuthMessagesService, 'getUploadForm'>>;

/**
 * Part of an unauthenticated connection that is used: libsignal's `UnauthenticatedChatConnection`
 * is one. (Its services are named one by one because libsignal's types add them to a module that
 * TypeScript does not find under NodeNext resolution; 0.103.0, 2026-11.)
 */
export type UnauthenticatedConnection = Pick<
  UnauthenticatedChatConnection & UnauthKeysService & UnauthMessagesService & UnauthProfilesService,
  'sendMessage' | 'getPreKeys' | 'accountExists' | 'fetch' | 'disconnect'
> &
  // Connections of another making need not look up usernames.
  Partial<UnauthUsernamesService>;

/** Events of a connection. */
export interface ConnectionListener {
  /**
   * It is over; `cause` is null when it was ended on purpose. Requests on their way reject by
   * themselves.
   */
  onConnectionInterrupted(cause: Error | null): void;
}
/** Events of the account's connection. */
export interface AuthenticatedListener extends ConnectionListener {
  /** Takes a message: an Envelope of the service, its time in ms, and its acknowledgment. */
  onIncomingMessage(envelope: Uint8Array<ArrayBuffer>, timestampMs: number, ack: MessageAck): void;
  /** Tells that the messages that were queued at connecting have been delivered. */
  onQueueEmpty(): void;
  /** Alerts of the service for this device, once after connecting: header `X-Signal-Alert`. */
  onReceivedAlerts?(alerts: readonly string[]): void;
}

/**
 * Where a transport's connections come from. Each call makes one, and rejects when there is none to
 * be had.
 */
export interface ConnectionSource {
  /**
   * The account's device; with another than 1, the transport refuses changes that only a primary
   * device may make. Absent: not known, and the account alone checks them.
   */
  readonly deviceId?: number;
  /** Opens the account's connection. */
  connectAuthenticated(
    listener: AuthenticatedListener,
    signal: AbortSignal,
  ): Promise<AuthenticatedConnection>;
  /** Opens a connection for requests that do not name the account. */
  connectUnauthenticated(
    listener: ConnectionListener,
    signal: AbortSignal,
  ): Promise<UnauthenticatedConnection>;
}

/** The part of libsignal's `Net` that connects. */
export type ChatNet = Pick<Net, 'connectAuthenticatedChat' | 'connectUnauthenticatedChat'>;

/** The part of libsignal's `Net` with which a number is registered. */
export type RegistrationNet = Pick<Net, 'connectUnauthenticatedChat' | 'svr2'>;

/** Credentials of a device on the chat service. */
export interface ChatAccount {
  /** `{aci}.{device id}`, as the service knows this device. */
  readonly username: string;
  readonly password: string;
  /** Languages of the service's answers, best first, as in Accept-Language. */
  readonly languages?: readonly string[] | undefined;
}

/**
 * libsignal's own connections.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT
 */
export function chatConnections(
  net: ChatNet,
  { username, password, languages = [] }: ChatAccount,
): ConnectionSource {
  const deviceId = checkUsername(username);
  const optionsWith = (
    abortSignal: AbortSignal,
  ): { languages: string[]; abortSignal: AbortSignal } => ({
    languages: [...languages],
    abortSignal,
  });
  return {
    deviceId,
    connectAuthenticated: async (listener, signal) =>
      await net.connectAuthenticatedChat(username, password, false, listener, optionsWith(signal)),
    connectUnauthenticated: async (listener, signal) =>
      (await net.connectUnauthenticatedChat(
        listener,
        optionsWith(signal),
      )) as UnauthenticatedChatConnection & UnauthenticatedConnection,
  };
}
