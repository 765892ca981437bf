import {
  CertificateDelayed,
  CertificateRefused,
  CertificateUnreachable,
} from '../access/certificate-failures.js';
import type { CertificateSource } from '../access/sender-certificate.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import { certificateChange, loadCertificate } from '../store/tables/account.js';
import type { CertificateOutcome, Transport } from '../transport/transport.js';

/** Longest wait that the service is believed to want, ms: for a rate limit, and for an outage. */
const LIMIT_MS = 3_600_000;
const OUTAGE_MS = 300_000;

/** Account whose certificates are fetched, and the kind of certificate. */
export interface CertificateSourceOptions {
  readonly store: Store;
  readonly transport: Transport;
  readonly ownAci: string;
  readonly includePhoneNumber: boolean;
}

/** Source of sender certificates: the service and the store. */
export function certificateSource(options: CertificateSourceOptions): CertificateSource {
  const { store, transport, ownAci, includePhoneNumber } = options;

  /**
   * Error of an outage: of this request alone, or of the network.
   *
   * Any answer to another request tells them apart.
   */
  const outageError = async (
    message: string,
    { httpStatus, retryAfterMs, cause }: Extract<CertificateOutcome, { status: 'unavailable' }>,
  ): Promise<SealcastError> => {
    const code = 'ERR_SERVICE_UNAVAILABLE';
    // A time to wait is an answer of the service.
    if (retryAfterMs !== undefined)
      return new CertificateDelayed(message, { code, retryAfterMs, ceilingMs: OUTAGE_MS, cause });
    if (httpStatus !== undefined) return new SealcastError(code, message, { cause });
    const sign = await transport.accountExists(ownAci);
    return sign.status === 'unavailable' && sign.httpStatus === undefined
      ? new CertificateUnreachable(message, cause)
      : new SealcastError(code, message, { cause });
  };

  return {
    async fetch() {
      const answer = await transport.fetchSenderCertificate({ includePhoneNumber });
      if (answer.status === 'ok') return answer.certificate;
      const message = `the service gave no sender certificate: ${answer.status}`;
      const cause = 'cause' in answer ? answer.cause : undefined;
      if (answer.status === 'unavailable') throw await outageError(message, answer);
      if (answer.status !== 'rate-limited') throw new CertificateRefused(message, cause);
      const { retryAfterMs } = answer;
      throw new CertificateDelayed(message, {
        code: 'ERR_RATE_LIMITED',
        retryAfterMs,
        ceilingMs: LIMIT_MS,
        cause,
      });
    },
    load: () => loadCertificate(store, includePhoneNumber),
    save: (bytes) => store.commit([certificateChange(includePhoneNumber, bytes)]),
  };
}
