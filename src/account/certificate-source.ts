import { CertificateDelayed, type CertificateSource } from '../access/sender-certificate.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { Transport } from '../transport/transport.js';

/** Sender certificates from the service, and in the store. */
export function certificateSource(store: Store, transport: Transport, includePhoneNumber: boolean): CertificateSource {
  const key = includePhoneNumber ? 'with-phone-number' : 'without-phone-number';
  return {
    async fetch() {
      const answer = await transport.fetchSenderCertificate({ includePhoneNumber });
      if (answer.status === 'ok') return answer.certificate;
      const message = `the service gave no sender certificate: ${answer.status}`;
      const cause = 'cause' in answer ? answer.cause : undefined;
      if ('retryAfterMs' in answer) throw new CertificateDelayed(message, answer.retryAfterMs, cause);
      throw new SealcastError('ERR_SERVICE_UNAVAILABLE', message, { cause });
    },
    async load() {
      const [bytes] = await store.getMany('certificate', [key]);
      return bytes;
    },
    save: (bytes) => store.commit([{ table: 'certificate', key, value: bytes }]),
  };
}
