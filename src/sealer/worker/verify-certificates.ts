import { libsignal, loadLibsignal } from '../../access/libsignal.js';
import { CertificateValidator } from '../certificate-validator.js';

/** Sender certificates that were not seen before, to be validated by a worker. */
export interface CertificatesRequest {
  readonly kind: 'certificates';
  /** Serialized, each once. */
  readonly certificates: readonly Uint8Array<ArrayBuffer>[];
  /** 33 bytes each. */
  readonly trustRoots: readonly Uint8Array<ArrayBuffer>[];
}

export interface CertificatesReply {
  /** Of each certificate: 1 where its signatures hold, and it is not revoked. */
  readonly held: Uint8Array<ArrayBuffer>;
}

/** Validator of the last request's trust roots; a service has one set of them. */
let last: { readonly name: string; readonly validator: CertificateValidator } | undefined;

/** A worker's side of validation: two signatures take most of a certificate's first sight. */
export async function verifyCertificates({
  certificates,
  trustRoots,
}: CertificatesRequest): Promise<CertificatesReply> {
  await loadLibsignal();
  const name = trustRoots.map((root) => Buffer.from(root).toString('base64')).join();
  if (last?.name !== name) last = { name, validator: new CertificateValidator(trustRoots) };
  const { validator } = last;
  return { held: Uint8Array.from(certificates, (bytes) => Number(holds(validator, bytes))) };
}

function holds(validator: CertificateValidator, bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    return validator.hasSignatures(libsignal().SenderCertificate.deserialize(bytes));
  } catch {
    return false;
  }
}
