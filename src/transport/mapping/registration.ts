import type {
  RateLimitedError,
  RegistrationLockError,
  RegistrationSessionNotReadyForVerificationError,
  RegistrationVerificationCodeNotDeliverableError,
  SvrRestoreFailedError,
} from '@signalapp/libsignal-client';
import type { Libsignal } from '../chat/libsignal.js';
import { CLIENT_TOO_OLD } from './http.js';
import { statusInMessage } from './libsignal.js';

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
  /** Of a captcha, or of a number: refused (403), or malformed (400). */
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

type Thrown = Error & { readonly code: number };

const isLibsignals = (error: unknown): error is Thrown =>
  error instanceof Error && typeof (error as Partial<Thrown>).code === 'number';

/** Turns errors of libsignal's registration calls into refusals (libsignal 0.103, 2026-11). */
export class RegistrationRefusals {
  readonly #answers: ReadonlyMap<number, (error: Thrown) => RegistrationRefusal>;

  constructor({ ErrorCode }: Libsignal) {
    const always = (refusal: RegistrationRefusal) => (): RegistrationRefusal => refusal;
    const sessionGone = always({ status: 'session-gone' });
    this.#answers = new Map<number, (error: Thrown) => RegistrationRefusal>([
      [ErrorCode.RegistrationSessionNotFound, sessionGone],
      [ErrorCode.RegistrationSessionIdInvalid, sessionGone],
      [ErrorCode.RegistrationInvalidSession, sessionGone],
      [ErrorCode.RegistrationSessionNotReadyForVerification, notReady],
      [ErrorCode.RegistrationRequestRejected, always({ status: 'refused', isMalformed: false })],
      [ErrorCode.RegistrationRequestInvalid, always({ status: 'refused', isMalformed: true })],
      [ErrorCode.RegisterAccountRequestRejected, always({ status: 'rejected', httpStatus: 400 })],
      [ErrorCode.RegistrationVerificationSendFailed, sendFailed],
      [ErrorCode.RegistrationVerificationCodeNotDeliverable, notDeliverable],
      [ErrorCode.RegistrationLock, locked],
      [
        ErrorCode.RegistrationDeviceTransferPossibleNotSkipped,
        always({ status: 'device-transfer-possible' }),
      ],
      [ErrorCode.RegistrationRecoveryVerificationFailed, always({ status: 'recovery-refused' })],
      [
        ErrorCode.RegistrationOneTimePasswordRequired,
        always({ status: 'one-time-password-required' }),
      ],
      [ErrorCode.SvrDataMissing, always({ status: 'no-key' })],
      [ErrorCode.SvrRestoreFailed, wrongPin],
      [ErrorCode.RateLimitedError, rateLimited],
      [ErrorCode.AppExpired, (cause) => ({ status: 'too-old', cause })],
    ]);
  }

  of(error: unknown): RegistrationRefusal {
    if (!isLibsignals(error)) return { status: 'unavailable', cause: error };
    const answer = this.#answers.get(error.code)?.(error);
    if (answer !== undefined) return answer;
    const httpStatus = statusInMessage(error.message);
    if (httpStatus === undefined || httpStatus >= 500)
      return { status: 'unavailable', cause: error };
    if (httpStatus === CLIENT_TOO_OLD) return { status: 'too-old', cause: error };
    if (httpStatus === 404) return { status: 'session-gone' };
    if (httpStatus === 429) return { status: 'rate-limited', retryAfterMs: undefined };
    return { status: 'rejected', httpStatus };
  }
}

function notReady(error: Thrown): RegistrationRefusal {
  type NotReady = Pick<RegistrationSessionNotReadyForVerificationError, 'sessionState'>;
  const { sessionState } = error as Thrown & NotReady;
  return { status: 'not-ready', isVerified: sessionState?.verified ?? false };
}

const sendFailed = (): RegistrationRefusal => ({
  status: 'not-delivered',
  isPermanent: false,
  reason: '',
});

/** The service's own words for a reason; anything else is left out of errors. */
const REASONS = ['providerUnavailable', 'providerRejected', 'illegalArgument'];

function notDeliverable(error: Thrown): RegistrationRefusal {
  type NotDeliverable = Pick<
    RegistrationVerificationCodeNotDeliverableError,
    'reason' | 'permanentFailure'
  >;
  const { reason, permanentFailure } = error as Thrown & NotDeliverable;
  return {
    status: 'not-delivered',
    isPermanent: permanentFailure,
    reason: REASONS.includes(reason) ? reason : '',
  };
}

function locked(error: Thrown): RegistrationRefusal {
  type Lock = Pick<RegistrationLockError, 'timeRemainingSeconds' | 'svr2Username' | 'svr2Password'>;
  const { timeRemainingSeconds, svr2Username, svr2Password } = error as Thrown & Lock;
  const recovery =
    svr2Username === null || svr2Password === null
      ? undefined
      : { username: svr2Username, password: svr2Password };
  return { status: 'locked', lockedForMs: timeRemainingSeconds * 1_000, recovery };
}

function wrongPin(error: Thrown): RegistrationRefusal {
  const { triesRemaining } = error as Thrown & Pick<SvrRestoreFailedError, 'triesRemaining'>;
  return { status: 'wrong-pin', triesRemaining };
}

function rateLimited(error: Thrown): RegistrationRefusal {
  const { retryAfterSecs } = error as Thrown & Pick<RateLimitedError, 'retryAfterSecs'>;
  return { status: 'rate-limited', retryAfterMs: retryAfterSecs * 1_000 };
}
