import { CertificateDelayed, CertificateRefused, type CertificateSource } from '../access/sender-certificate.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { Transport } from '../transport/transport.js';

/** Longest wait that the service is believed to want, ms: for a rate limit, and for an outage. */
const LIMIT_MS = 3_600_000;
const OUTAGE_MS = 300_000;

/** Sender certificates from the service, and in the store. */
export function certificateSource(store: Store, transport: Transport, includePhoneNumber: boolean): CertificateSource {
  const key = includePhoneNumber ? 'with-phone-number' : 'without-phone-number';
  return {
    async fetch() {
      const answer = await transport.fetchSenderCertificate({ includePhoneNumber });
      if (answer.status === 'ok') return answer.certificate;
      const message = `the service gave no sender certificate: ${answer.status}`;
      const cause = 'cause' in answer ? answer.cause : undefined;
      if (answer.status === 'rate-limited') throw new CertificateDelayed(message, answer.retryAfterMs, LIMIT_MS, cause);
      if (answer.status !== 'unavailable') throw new CertificateRefused(message, cause);
      if (answer.retryAfterMs !== undefined) {
        throw new CertificateDelayed(message, answer.retryAfterMs, OUTAGE_MS, cause);
      }
      throw new SealcastError('ERR_SERVICE_UNAVAILABLE', message, { cause });
    },
    async load() {
      const [bytes] = await store.getMany('certificate', [key]);
      return bytes;
    },
    save: (bytes) => store.commit([{ table: 'certificate', key, value: bytes }]),
  };
}
