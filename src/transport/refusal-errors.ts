import { SealcastError, type SealcastErrorCode, type SealcastErrorFacts } from '../errors.js';
import type { Refusal } from './transport.js';

/** Error codes of refusals that are exceptions: the codes are those of a broadcast's deliveries. */
const CODES: Readonly<Record<Refusal['status'], SealcastErrorCode>> = {
  unauthorized: 'ERR_SERVICE_REJECTED',
  'not-found': 'ERR_SERVICE_REJECTED',
  'mismatched-devices': 'ERR_SERVICE_REJECTED',
  'too-large': 'ERR_SERVICE_REJECTED',
  challenge: 'ERR_SERVICE_REJECTED',
  'rate-limited': 'ERR_RATE_LIMITED',
  unavailable: 'ERR_SERVICE_UNAVAILABLE',
  rejected: 'ERR_SERVICE_REJECTED',
};

function reasonOf(refusal: Refusal): string {
  switch (refusal.status) {
    case 'rate-limited':
      return `the service wants ${Math.ceil(refusal.retryAfterMs / 1000)} s to pass before the next request`;
    case 'unavailable':
      return 'the service is not available';
    case 'rejected':
      return `the service answered ${refusal.httpStatus}`;
    case 'challenge':
      return 'the service wants a challenge answered first';
    case 'unauthorized':
    case 'not-found':
    case 'mismatched-devices':
    case 'too-large':
      return `the service refused: ${refusal.status}`;
  }
}

/** The delay that the service asks for, as an error's fact. */
export function retryFactsOf(refusal: Refusal): Pick<SealcastErrorFacts, 'retryAfterMs'> {
  const retryAfterMs = 'retryAfterMs' in refusal ? refusal.retryAfterMs : undefined;
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

/** @param what was asked, as a sentence that `reason` ends: `the profile was not uploaded`. */
export function refusalError(refusal: Refusal, what: string, serviceId?: string): SealcastError {
  const cause = 'cause' in refusal ? refusal.cause : undefined;
  const facts = { cause, ...(serviceId !== undefined && { serviceId }), ...retryFactsOf(refusal) };
  return new SealcastError(CODES[refusal.status], `${what}: ${reasonOf(refusal)}`, facts);
}

/** Whether the service has certainly not done what it was asked. */
export const isDefinite = (refusal: Refusal): boolean => refusal.status !== 'unavailable';
