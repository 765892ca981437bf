/** Every code a {@link SealcastError} can carry. Codes are stable; messages may change. */
export type SealcastErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_LOW_ORDER_KEY'
  | 'ERR_INVALID_ENVELOPE'
  | 'ERR_INVALID_CERTIFICATE'
  | 'ERR_KERNEL_UNSUPPORTED'
  | 'ERR_KERNEL_FAULT'
  | 'ERR_WORKER_LOST'
  | 'ERR_LIBSIGNAL_UNAVAILABLE'
  | 'ERR_QUEUE_FULL'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_STORE_LOCKED'
  | 'ERR_STORE_FAILED'
  | 'ERR_STORE_KEY'
  | 'ERR_STORE_VERSION'
  | 'ERR_TRANSPORT_REFUSED'
  | 'ERR_ACCOUNT_MISMATCH'
  | 'ERR_NOT_PRIMARY'
  | 'ERR_BROADCAST_MISMATCH'
  | 'ERR_RECIPIENT_INVALID'
  | 'ERR_RECIPIENT_BLOCKED'
  | 'ERR_RECIPIENT_UNSUBSCRIBED'
  | 'ERR_RECIPIENT_UNREGISTERED'
  | 'ERR_ACCESS_DENIED'
  | 'ERR_IDENTITY_CHANGED'
  | 'ERR_NO_PREKEYS'
  | 'ERR_ENCRYPTION_FAILED'
  | 'ERR_DEVICES_CHANGING'
  | 'ERR_MESSAGE_TOO_LARGE'
  | 'ERR_ATTACHMENT_INVALID'
  | 'ERR_ATTACHMENT_TOO_LARGE'
  | 'ERR_ATTACHMENT_METADATA'
  | 'ERR_ATTACHMENT_GONE'
  | 'ERR_RATE_LIMITED'
  | 'ERR_SERVICE_UNAVAILABLE'
  | 'ERR_SERVICE_REJECTED'
  | 'ERR_LINK_EXPIRED'
  | 'ERR_LINK_CODE'
  | 'ERR_LINK_MESSAGE'
  | 'ERR_LINK_ACCOUNT'
  | 'ERR_LINK_CAPABILITY'
  | 'ERR_LINK_DEVICES'
  | 'ERR_NUMBER_IN_USE'
  | 'ERR_REGISTRATION_SESSION'
  | 'ERR_REGISTRATION_STEP'
  | 'ERR_REGISTRATION_CODE'
  | 'ERR_REGISTRATION_DELIVERY'
  | 'ERR_REGISTRATION_LOCK'
  | 'ERR_REGISTRATION_PIN'
  | 'ERR_CLOCK_SKEW'
  | 'ERR_CAPTCHA'
  | 'ERR_IMPORT_VERSION'
  | 'ERR_IMPORT_IN_USE'
  | 'ERR_IMPORT_DAMAGED'
  | 'ERR_IMPORT_REFUSED'
  | 'ERR_IMPORT_UNFINISHED'
  | 'ERR_IMPORT_LIBRARY'
  | 'ERR_ABORTED'
  | 'ERR_CLOSED'
  | 'ERR_NOT_IMPLEMENTED';

/**
 * Whether repeating the call can help although the application changes nothing.
 *
 * It can where a queue drains, a lock expires, the service recovers. Errors that need another
 * argument, a decision, a repair or an upgrade are false.
 */
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

/**
 * Why the service refuses this client for good (ERR_TRANSPORT_REFUSED).
 *
 * - `delinked`: the device was unlinked, or the account is gone or registered again (403 when
 *   connecting).
 * - `connected-elsewhere`: another connection of the same device took the place of this one (4409).
 * - `expired`: this version of libsignal or sealcast is too old (499).
 */
export type TransportRefusalReason = 'delinked' | 'connected-elsewhere' | 'expired';

/** Public facts about a failure. Never key bytes, never plaintext. */
export interface SealcastErrorFacts {
  /** Index, in the array that the caller gave, of the entry at fault. */
  readonly index?: number;
  /** Name of the argument or field at fault. */
  readonly field?: string;
  /** Service id of the recipient at fault. */
  readonly serviceId?: string;
  /** Only of ERR_STORE_FAILED: table of the store that has the damaged record. */
  readonly table?: string;
  /** Milliseconds before which the service takes no further request of this kind. */
  readonly retryAfterMs?: number;
  /** Devices that the account has, where it may have no further one. */
  readonly currentDevices?: number;
  /** Devices that the account may have. */
  readonly maxDevices?: number;
  /** Milliseconds for which a registration lock holds, if its account stays away. */
  readonly lockedForMs?: number;
  /** Attempts at a PIN that are left. */
  readonly triesRemaining?: number;
  /** Only of ERR_TRANSPORT_REFUSED, where it is known. */
  readonly reason?: TransportRefusalReason;
  /** The underlying failure. */
  readonly cause?: unknown;
}

/**
 * The error class of sealcast. Branch on `code`, or on `retryable` alone; `index`, `field` and
 * `serviceId` name the entry, its field and the recipient at fault, where there is one.
 *
 * An attacker must not tell apart a wrong MAC, a wrong key and a malformed plaintext of an
 * envelope: all are `ERR_INVALID_ENVELOPE`.
 */
export class SealcastError extends Error {
  override readonly name = 'SealcastError';
  readonly code: SealcastErrorCode;
  /**
   * Whether repeating the call can help although the application changes nothing.
   *
   * A function of `code`; false for a code that this version does not know.
   */
  readonly retryable: boolean;
  readonly index?: number;
  readonly field?: string;
  readonly serviceId?: string;
  /**
   * Table of the store that has a damaged record; only of ERR_STORE_FAILED. Absent where the store
   * itself cannot be read or written.
   */
  readonly table?: string;
  /** Why the service refuses this client for good; only of ERR_TRANSPORT_REFUSED. */
  readonly reason?: TransportRefusalReason;
  /**
   * Milliseconds to wait before the next attempt, as the service said; only on retryable errors, a
   * finite number from 0.
   */
  readonly retryAfterMs?: number;
  /** Devices that the account has; only of `ERR_LINK_DEVICES`. */
  readonly currentDevices?: number;
  /** Devices that the account may have; only of `ERR_LINK_DEVICES`. */
  readonly maxDevices?: number;
  /**
   * Milliseconds for which the lock holds, if its account stays away; only of
   * `ERR_REGISTRATION_LOCK`.
   */
  readonly lockedForMs?: number;
  /** Attempts at the PIN that are left; only of `ERR_REGISTRATION_PIN`. */
  readonly triesRemaining?: number;

  constructor(code: SealcastErrorCode, message: string, facts: SealcastErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    // A stored code can be one of a newer version.
    this.retryable = Object.hasOwn(RETRYABLE, code) && RETRYABLE[code];
    if (facts.index !== undefined) this.index = facts.index;
    if (facts.field !== undefined) this.field = facts.field;
    if (facts.serviceId !== undefined) this.serviceId = facts.serviceId;
    if (facts.table !== undefined) this.table = facts.table;
    if (facts.currentDevices !== undefined) this.currentDevices = facts.currentDevices;
    if (facts.maxDevices !== undefined) this.maxDevices = facts.maxDevices;
    if (facts.lockedForMs !== undefined) this.lockedForMs = facts.lockedForMs;
    if (facts.triesRemaining !== undefined) this.triesRemaining = facts.triesRemaining;
    if (facts.reason !== undefined) this.reason = facts.reason;
    const { retryAfterMs } = facts;
    // Transports answer with any number: a timer takes NaN, negative numbers and Infinity for 1 ms.
    if (
      this.retryable &&
      retryAfterMs !== undefined &&
      Number.isFinite(retryAfterMs) &&
      retryAfterMs >= 0
    ) {
      this.retryAfterMs = retryAfterMs;
    }
  }
}
