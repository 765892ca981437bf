// The account that broadcasts, in the benchmarks.
import { PrivateKey, SenderCertificate, ServerCertificate } from '@signalapp/libsignal-client';

/** Keys of the sending account that every process of a benchmark needs. */
export interface SenderKeys {
  readonly aci: string;
  readonly deviceId: number;
  readonly registrationId: number;
  /** 33 and 32 bytes */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly privateKey: Uint8Array<ArrayBuffer>;
  /** Trust root, its certificate's key, and the certificate: the sender's own is made of them. */
  readonly rootPublicKey: Uint8Array<ArrayBuffer>;
  readonly certificate: Uint8Array<ArrayBuffer>;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export function makeSender(): SenderKeys {
  const [root, server, identity] = [
    PrivateKey.generate(),
    PrivateKey.generate(),
    PrivateKey.generate(),
  ];
  const aci = '9d0652a3-dcc3-4d11-975f-74d61598733f';
  const deviceId = 1;
  const certificate = SenderCertificate.new(
    aci,
    null,
    deviceId,
    identity.getPublicKey(),
    Date.now() + 30 * DAY_MS,
    ServerCertificate.new(1, server.getPublicKey(), root),
    server,
  );
  return {
    aci,
    deviceId,
    registrationId: 4711,
    publicKey: identity.getPublicKey().serialize(),
    privateKey: identity.serialize(),
    rootPublicKey: root.getPublicKey().serialize(),
    certificate: certificate.serialize(),
  };
}
