import { BuildVariant, Net } from '@signalapp/libsignal-client/dist/net.js';
import { X509Certificate } from 'node:crypto';
import type { CdnService } from 'sealcast';
import type { ServiceDescription } from './protocol.js';

/** Where the mock service stores attachments. */
export function cdnOf(service: Pick<ServiceDescription, 'port' | 'caCertificateDer'>): CdnService {
  return {
    urls: { 3: `https://localhost:${service.port}/cdn3` },
    certificateAuthority: new X509Certificate(service.caCertificateDer).toString(),
  };
}

/** libsignal's network, set up for the mock service. */
export function netOf(service: Pick<ServiceDescription, 'port' | 'caCertificateDer'>): Net {
  const net = new Net({
    localTestServer: true,
    userAgent: 'sealcast-example',
    TESTING_localServer_chatPort: service.port,
    // The mock service has one port for all it does; only its chat service is used.
    TESTING_localServer_cdsiPort: service.port,
    TESTING_localServer_svr2Port: service.port,
    TESTING_localServer_svrBPort: service.port,
    TESTING_localServer_rootCertificateDer: service.caCertificateDer,
    TESTING_localServer_httpVersion: 2,
  });
  // What libsignal would send over gRPC, which the mock service does not speak enough of (27.0.0,
  // 2026-11).
  net.setRemoteConfig(
    new Map([
      ['grpc.MessagesAnonymousSendSingleRecipientMessage', 'ws'],
      ['grpc.AccountsAnonymousCheckAccountExistence.2', 'ws'],
    ]),
    BuildVariant.Production,
  );
  return net;
}
