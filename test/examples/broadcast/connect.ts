import {
  BuildVariant,
  Net,
  type AuthenticatedChatConnection,
  type UnauthenticatedChatConnection,
  type UnauthKeysService,
  type UnauthMessagesService,
} from '@signalapp/libsignal-client/dist/net.js';
import type { ServiceDescription } from '../../mock-service/mock-service.js';
import type { Inbox } from './inbox.js';

/**
 * libsignal's types say that these services belong to the connection, but say it of a module that TypeScript does not
 * find under NodeNext resolution (0.103.0, 2026-11).
 */
export type AnonymousConnection = UnauthenticatedChatConnection & UnauthKeysService & UnauthMessagesService;

/** The two ways to the service: as the broadcaster's account, and as nobody. */
export interface Connections {
  readonly authenticated: AuthenticatedChatConnection;
  readonly unauthenticated: AnonymousConnection;
  close(): Promise<void>;
}

export async function connect(service: ServiceDescription, inbox: Inbox): Promise<Connections> {
  const { aci, deviceId, password } = service.broadcaster;
  const net = new Net({
    localTestServer: true,
    userAgent: 'sealcast-example',
    TESTING_localServer_chatPort: service.port,
    // The mock service has one port for all it does; the broadcast uses its chat service only.
    TESTING_localServer_cdsiPort: service.port,
    TESTING_localServer_svr2Port: service.port,
    TESTING_localServer_svrBPort: service.port,
    TESTING_localServer_rootCertificateDer: service.caCertificateDer,
    TESTING_localServer_httpVersion: 2,
  });
  // libsignal sends over gRPC where it can; the mock service takes messages over its chat socket only (27.0.0, 2026-11).
  net.setRemoteConfig(new Map([['grpc.MessagesAnonymousSendSingleRecipientMessage', 'ws']]), BuildVariant.Production);
  const authenticated = await net.connectAuthenticatedChat(`${aci}.${deviceId}`, password, false, inbox);
  try {
    const unauthenticated = await net.connectUnauthenticatedChat({ onConnectionInterrupted: () => undefined });
    return {
      authenticated,
      unauthenticated: unauthenticated as AnonymousConnection,
      close: async () => {
        await Promise.all([authenticated.disconnect(), unauthenticated.disconnect()]);
      },
    };
  } catch (error) {
    await authenticated.disconnect();
    throw error;
  }
}
