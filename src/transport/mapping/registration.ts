import { CLIENT_TOO_OLD, isRecord, jsonOf, refusalOfAnswer, type HttpAnswer } from './http.js';

/** User name and password of secure value recovery, for the owner of a PIN. */
export interface RecoveryCredentials {
  readonly username: string;
  readonly password: string;
}

/** Reasons why a step of a registration did not succeed. */
export type RegistrationRefusal =
  /** The session is not known, or its time is over. */
  | { readonly status: 'session-gone' }
  /** The session wants another step first, or is verified already. */
  | { readonly status: 'not-ready'; readonly isVerified: boolean }
  /** Of a captcha: refused, or malformed. */
  | { readonly status: 'refused'; readonly isMalformed: boolean }
  | { readonly status: 'rate-limited'; readonly retryAfterMs: number | undefined }
  /** The code could not be delivered this way (418, 440). */
  | { readonly status: 'not-delivered'; readonly isPermanent: boolean; readonly reason: string }
  | {
      readonly status: 'locked';
      readonly lockedForMs: number;
      readonly recovery: RecoveryCredentials | undefined;
    }
  /** The recovery password is not that of an account with this number. */
  | { readonly status: 'recovery-refused' }
  | { readonly status: 'one-time-password-required' }
  | { readonly status: 'device-transfer-possible' }
  /** The PIN was wrong. */
  | { readonly status: 'wrong-pin'; readonly triesRemaining: number }
  /** No key is kept for the number: the attempts at its PIN were used up. */
  | { readonly status: 'no-key' }
  | { readonly status: 'too-old'; readonly cause: unknown }
  /** Any other answer that is no success. */
  | { readonly status: 'rejected'; readonly httpStatus: number }
  /** A 5xx, a lost connection, no answer in time: the step may have been done. */
  | { readonly status: 'unavailable'; readonly cause: unknown };

/** Requests of a registration, which the service answers in different terms. */
export type RegistrationRequestKind = 'session' | 'captcha' | 'request' | 'verify' | 'account';

/** The body of an answer, without what is no object. */
export const fieldsOf = (answer: HttpAnswer): Readonly<Record<string, unknown>> => {
  const json = jsonOf(answer);
  return isRecord(json) ? json : {};
};

/**
 * The refusal that an unsuccessful answer means (Signal-Server: VerificationController,
 * RegistrationController, 2026-08).
 */
export function registrationRefusal(
  answer: HttpAnswer,
  kind: RegistrationRequestKind,
): RegistrationRefusal {
  const { status } = answer;
  const refusal = refusalOfAnswer(answer);
  if (status === CLIENT_TOO_OLD)
    return { status: 'too-old', cause: new Error('the service answered 499: client too old') };
  if (status >= 500)
    return { status: 'unavailable', cause: new Error(`the service answered ${status}`) };
  if (status === 429)
    return {
      status: 'rate-limited',
      retryAfterMs: refusal.status === 'rate-limited' ? refusal.retryAfterMs : undefined,
    };
  if (status === 404 && kind !== 'session') return { status: 'session-gone' };
  return OF_KIND[kind](answer) ?? { status: 'rejected', httpStatus: status };
}

type Mapping = (answer: HttpAnswer) => RegistrationRefusal | undefined;

const notReady = (answer: HttpAnswer): RegistrationRefusal => ({
  status: 'not-ready',
  isVerified: fieldsOf(answer)['verified'] === true,
});

const OF_KIND: Readonly<Record<RegistrationRequestKind, Mapping>> = {
  session: () => undefined,
  captcha: (answer) => {
    if (answer.status === 409) return notReady(answer);
    if (answer.status === 403) return { status: 'refused', isMalformed: false };
    const isMalformed = answer.status === 400 || answer.status === 422;
    return isMalformed ? { status: 'refused', isMalformed } : undefined;
  },
  request: (answer) => {
    if (answer.status === 400) return { status: 'session-gone' };
    if (answer.status === 409) return notReady(answer);
    return answer.status === 418 || answer.status === 440 ? notDelivered(answer) : undefined;
  },
  verify: (answer) => {
    if (answer.status === 400) return { status: 'session-gone' };
    return answer.status === 409 ? notReady(answer) : undefined;
  },
  account: (answer) => {
    switch (answer.status) {
      case 401:
        return { status: 'session-gone' };
      case 403:
        return { status: 'recovery-refused' };
      case 409:
        return { status: 'device-transfer-possible' };
      case 423:
        return locked(answer);
      case 441:
        return { status: 'one-time-password-required' };
      default:
        return undefined;
    }
  },
};

/** The service's own words for a reason; anything else is left out of errors. */
const REASONS = ['providerUnavailable', 'providerRejected', 'illegalArgument'];

function notDelivered(answer: HttpAnswer): RegistrationRefusal {
  const { reason, permanentFailure } = fieldsOf(answer);
  return {
    status: 'not-delivered',
    isPermanent: permanentFailure === true,
    reason: typeof reason === 'string' && REASONS.includes(reason) ? reason : '',
  };
}

function locked(answer: HttpAnswer): RegistrationRefusal {
  const { timeRemaining, svr2Credentials } = fieldsOf(answer);
  const { username, password } = isRecord(svr2Credentials) ? svr2Credentials : {};
  const isTime = typeof timeRemaining === 'number' && timeRemaining >= 0;
  return {
    status: 'locked',
    lockedForMs: isTime ? timeRemaining : 0,
    recovery:
      typeof username === 'string' && typeof password === 'string'
        ? { username, password }
        : undefined,
  };
}
