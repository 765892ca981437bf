import type { Net, ProvisioningConnection } from '@signalapp/libsignal-client/dist/net.js';
import type { MessageAck } from '../account-transport.js';
import {
  chatConnections,
  type AuthenticatedConnection,
  type AuthenticatedListener,
  type ChatAccount,
  type ChatNet,
  type ConnectionListener,
  type UnauthenticatedConnection,
} from './connection-source.js';

/** The part of libsignal's `Net` with which a device is linked. */
export type LinkNet = ChatNet & Pick<Net, 'connectProvisioning'>;

/** Events of a provisioning connection. */
export interface ProvisioningListener extends ConnectionListener {
  /** Once, after the connection was made: the name of this connection, for a code. */
  onReceivedAddress(address: string, ack: MessageAck): void;
  /** Once at most: the message of the phone that read the code. */
  onReceivedEnvelope(envelope: Uint8Array<ArrayBuffer>, ack: MessageAck): void;
}

/** Where the connections for a link come from. */
export interface LinkSource {
  connectProvisioning(
    listener: ProvisioningListener,
    signal: AbortSignal,
  ): Promise<Pick<ProvisioningConnection, 'disconnect'>>;
  connectUnauthenticated(
    listener: ConnectionListener,
    signal: AbortSignal,
  ): Promise<Pick<UnauthenticatedConnection, 'fetch' | 'disconnect'>>;
  connectAs(
    account: ChatAccount,
    listener: AuthenticatedListener,
    signal: AbortSignal,
  ): Promise<AuthenticatedConnection>;
}

/** libsignal's own connections. */
export function linkConnections(net: LinkNet): LinkSource {
  return {
    connectProvisioning: (listener, signal) =>
      net.connectProvisioning(listener, { abortSignal: signal }),
    connectUnauthenticated: (listener, signal) =>
      net.connectUnauthenticatedChat(listener, { abortSignal: signal }),
    connectAs: (account, listener, signal) =>
      chatConnections(net, account).connectAuthenticated(listener, signal),
  };
}
