import { describe, expect, test } from 'vitest';
import { SealcastError, type SealcastErrorCode } from 'sealcast';

/** Every code: tsc refuses one that is missing here, and one that is no longer a code. */
const RETRYABLE: Readonly<Record<SealcastErrorCode, boolean>> = {
  ERR_INVALID_ARGUMENT: false,
  ERR_LOW_ORDER_KEY: false,
  ERR_INVALID_ENVELOPE: false,
  ERR_INVALID_CERTIFICATE: false,
  ERR_KERNEL_UNSUPPORTED: false,
  ERR_KERNEL_FAULT: false,
  ERR_WORKER_LOST: true,
  ERR_LIBSIGNAL_UNAVAILABLE: false,
  ERR_QUEUE_FULL: true,
  ERR_OUT_OF_MEMORY: true,
  ERR_STORE_LOCKED: true,
  ERR_STORE_FAILED: false,
  ERR_STORE_KEY: false,
  ERR_STORE_VERSION: false,
  ERR_TRANSPORT_REFUSED: false,
  ERR_ACCOUNT_MISMATCH: false,
  ERR_NOT_PRIMARY: false,
  ERR_BROADCAST_MISMATCH: false,
  ERR_RECIPIENT_INVALID: false,
  ERR_RECIPIENT_BLOCKED: false,
  ERR_RECIPIENT_UNSUBSCRIBED: false,
  ERR_RECIPIENT_UNREGISTERED: false,
  ERR_ACCESS_DENIED: false,
  ERR_IDENTITY_CHANGED: false,
  ERR_NO_PREKEYS: true,
  ERR_ENCRYPTION_FAILED: false,
  ERR_DEVICES_CHANGING: true,
  ERR_MESSAGE_TOO_LARGE: false,
  ERR_ATTACHMENT_INVALID: false,
  ERR_ATTACHMENT_TOO_LARGE: false,
  ERR_ATTACHMENT_METADATA: false,
  ERR_ATTACHMENT_GONE: false,
  ERR_RATE_LIMITED: true,
  ERR_SERVICE_UNAVAILABLE: true,
  ERR_SERVICE_REJECTED: false,
  ERR_LINK_EXPIRED: true,
  ERR_LINK_CODE: true,
  ERR_LINK_MESSAGE: true,
  ERR_LINK_ACCOUNT: false,
  ERR_LINK_CAPABILITY: false,
  ERR_LINK_DEVICES: false,
  ERR_NUMBER_IN_USE: false,
  ERR_REGISTRATION_SESSION: false,
  ERR_REGISTRATION_STEP: false,
  ERR_REGISTRATION_CODE: false,
  ERR_REGISTRATION_DELIVERY: false,
  ERR_REGISTRATION_LOCK: false,
  ERR_REGISTRATION_PIN: false,
  ERR_CLOCK_SKEW: false,
  ERR_CAPTCHA: false,
  ERR_IMPORT_VERSION: false,
  ERR_IMPORT_IN_USE: true,
  ERR_IMPORT_DAMAGED: false,
  ERR_IMPORT_REFUSED: false,
  ERR_IMPORT_UNFINISHED: false,
  ERR_IMPORT_LIBRARY: false,
  ERR_ABORTED: false,
  ERR_CLOSED: false,
  ERR_NOT_IMPLEMENTED: false,
};

const CODES = Object.keys(RETRYABLE) as SealcastErrorCode[];

describe('an error', () => {
  test.each(Object.entries(RETRYABLE) as [SealcastErrorCode, boolean][])(
    'with %s: retryable is %s',
    (code, retryable) => {
      const error = new SealcastError(code, 'a message');
      expect(error).toMatchObject({ code, retryable });
      expect(error.retryAfterMs).toBeUndefined();
    },
  );

  test.each(['ERR_OF_A_LATER_VERSION', 'constructor', '__proto__'])(
    'with a code that is unknown (%s) keeps the code and is not retryable',
    (code) => {
      expect(new SealcastError(code as SealcastErrorCode, 'a message')).toMatchObject({
        code,
        retryable: false,
      });
    },
  );

  test.each([0, 1.5, 86_400_000])(
    'carries the delay of %d ms if it is retryable',
    (retryAfterMs) => {
      for (const code of CODES) {
        const error = new SealcastError(code, 'a message', { retryAfterMs });
        expect(error.retryAfterMs).toBe(RETRYABLE[code] ? retryAfterMs : undefined);
      }
    },
  );

  test.each([NaN, -1, Infinity, -Infinity])(
    'carries no delay of %d ms, which timers take for 1 ms',
    (retryAfterMs) => {
      expect(
        new SealcastError('ERR_RATE_LIMITED', 'a message', { retryAfterMs }).retryAfterMs,
      ).toBeUndefined();
    },
  );
});
