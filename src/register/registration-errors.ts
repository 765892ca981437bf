import { SealcastError } from '../errors.js';
import { refusedError } from '../transport/chat/connection-pool.js';
import type { RegistrationRefusal } from '../transport/mapping/registration.js';

/** A step of a registration, as errors name it. */
export type RegistrationStep = keyof typeof OPERATIONS;

const OPERATIONS = {
  session: 'register the number: ask for a session',
  captcha: 'register the number: hand in the captcha',
  request: 'register the number: request a code',
  verify: 'register the number: hand in the code',
  pin: 'register the number: restore the key behind the PIN',
  account: 'register the number',
} as const;

const CAPTCHA_PAGE = 'https://signalcaptchas.org/registration/generate.html';

/** The error of a step that the service refused, with what to do. */
export function registrationError(
  refusal: RegistrationRefusal,
  step: RegistrationStep,
): SealcastError {
  const operation = OPERATIONS[step];
  switch (refusal.status) {
    case 'session-gone':
      return sessionGoneError();
    case 'not-ready':
      return new SealcastError('ERR_REGISTRATION_STEP', `${operation}: ${NEXT_STEPS[step]}`);
    case 'refused':
      return refusedStepError(step, refusal.isMalformed);
    case 'rate-limited':
      return rateLimitedError(operation, refusal.retryAfterMs);
    case 'not-delivered': {
      const { reason, isPermanent } = refusal;
      const why = reason === '' ? '' : ` (${reason})`;
      const remedy = isPermanent
        ? 'the provider refuses the number for good: try the other way, or another number'
        : 'try the other way (a call is possible once a text message was tried), or later';
      const message = `${operation}: the code could not be delivered${why}; ${remedy}`;
      return new SealcastError('ERR_REGISTRATION_DELIVERY', message);
    }
    case 'locked':
      return lockedError(refusal.lockedForMs);
    case 'wrong-pin': {
      const { triesRemaining } = refusal;
      const message = `${operation}: the PIN is wrong; ${triesRemaining} attempts are left, after which the key is gone; call submitCode again with the PIN of the account`;
      return new SealcastError('ERR_REGISTRATION_PIN', message, { triesRemaining });
    }
    case 'no-key':
      return lockedError(undefined);
    case 'too-old':
      return refusedError(refusal.cause, 'expired');
    case 'unavailable':
      return new SealcastError(
        'ERR_SERVICE_UNAVAILABLE',
        `${operation}: the service gave no answer; call it again`,
        { cause: refusal.cause },
      );
    case 'recovery-refused':
      return rejectedError(operation, 403);
    case 'one-time-password-required':
      return rejectedError(operation, 441);
    case 'device-transfer-possible':
      return rejectedError(operation, 409);
    case 'rejected':
      return step === 'captcha' && refusal.httpStatus === 400
        ? refusedStepError(step, true)
        : rejectedError(operation, refusal.httpStatus);
  }
}

const NEXT_STEPS: Readonly<Record<RegistrationStep, string>> = {
  session: 'the session is not ready; call startRegistration again',
  captcha: 'the session wants no captcha now; look at its state',
  request: 'the service wants a captcha first, or more time to pass; look at the state',
  verify: 'no code is awaited; call requestCode first',
  pin: 'the session is not ready; call startRegistration again',
  account: 'the session is not verified; call submitCode with the code',
};

function refusedStepError(step: RegistrationStep, isMalformed: boolean): SealcastError {
  const operation = OPERATIONS[step];
  if (step === 'captcha') {
    const why = isMalformed
      ? 'is malformed, or of another page'
      : 'is wrong, old, or solved from another IP address';
    const message = `${operation}: the captcha ${why}; solve a new one on ${CAPTCHA_PAGE}, from the same network, and hand it in at once`;
    return new SealcastError('ERR_CAPTCHA', message);
  }
  return rejectedError(operation, isMalformed ? 400 : 403);
}

const HINTS: Readonly<Record<number, string>> = {
  400: 'it finds the number, or the request, malformed',
  403: 'it does not take this number, or no requests from this network',
  409: 'another device offers to transfer the account; end that on the other device',
  422: 'it finds the number, or the request, malformed',
  441: 'the account wants a one-time password, which sealcast does not support',
};

function rejectedError(operation: string, httpStatus: number): SealcastError {
  const hint = HINTS[httpStatus];
  return new SealcastError(
    'ERR_SERVICE_REJECTED',
    `${operation}: the service answered ${httpStatus}${hint === undefined ? '' : `: ${hint}`}; update sealcast if that does not explain it`,
  );
}

function rateLimitedError(operation: string, retryAfterMs: number | undefined): SealcastError {
  const wait = retryAfterMs === undefined ? 'some minutes' : `${Math.ceil(retryAfterMs / 1_000)} s`;
  return new SealcastError(
    'ERR_RATE_LIMITED',
    `${operation}: too many attempts; call it again in ${wait}`,
    { ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

const DAY_MS = 86_400_000;

/** @param lockedForMs undefined: the attempts at the PIN are used up. */
export function lockedError(lockedForMs: number | undefined): SealcastError {
  const message =
    lockedForMs === undefined
      ? 'register the number: it has a registration lock, and the attempts at its PIN are used up; wait seven days in which its account stays away, then call startRegistration again'
      : `register the number: it has a registration lock for another ${(lockedForMs / DAY_MS).toFixed(1)} days; call submitCode again with the PIN of its account, or wait as long`;
  return new SealcastError('ERR_REGISTRATION_LOCK', message, {
    ...(lockedForMs !== undefined && { lockedForMs }),
  });
}

export const wrongCodeError = (): SealcastError =>
  new SealcastError(
    'ERR_REGISTRATION_CODE',
    'register the number: the code is wrong; call submitCode with the newest code that the service sent, or requestCode for another',
  );

export const sessionGoneError = (): SealcastError =>
  new SealcastError(
    'ERR_REGISTRATION_SESSION',
    'register the number: the session is over, or it takes no further attempts; call startRegistration again',
  );

export const noRegistrationError = (): SealcastError =>
  new SealcastError(
    'ERR_REGISTRATION_SESSION',
    'register the number: the store has no registration under way; call startRegistration',
  );

export const otherAccountError = (): SealcastError =>
  new SealcastError(
    'ERR_ACCOUNT_MISMATCH',
    'register the number: the store has an account of another number, or of an unknown one; use another store',
    { field: 'number' },
  );

export const pendingLinkError = (): SealcastError =>
  new SealcastError(
    'ERR_ACCOUNT_MISMATCH',
    'register the number: a link is under way on the store; call linkDevice to finish it, or use another store',
  );

export const otherRegistrationError = (): SealcastError =>
  new SealcastError(
    'ERR_ACCOUNT_MISMATCH',
    'register the number: the registration of another number may be complete; call resumeRegistration to finish it, or use another store',
    { field: 'number' },
  );

/** The error of a registration whose outcome is not known, and that the store keeps. */
export const registrationUnknownError = (cause: unknown): SealcastError =>
  new SealcastError(
    'ERR_SERVICE_UNAVAILABLE',
    'register the number: the service did not say whether it registered the account; call resumeRegistration with this store to finish',
    { cause },
  );

/** The error of a store that did not take an account that the service has registered. */
export const registeredUnstoredError = (cause: unknown): SealcastError =>
  new SealcastError(
    cause instanceof SealcastError ? cause.code : 'ERR_STORE_FAILED',
    'register the number: the service registered the account, but the store did not take it; make room and call resumeRegistration with this store to finish',
    { cause },
  );
