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
  | 'ERR_BROADCAST_MISMATCH'
  | 'ERR_RECIPIENT_INVALID'
  | 'ERR_RECIPIENT_BLOCKED'
  | 'ERR_RECIPIENT_UNREGISTERED'
  | 'ERR_ACCESS_DENIED'
  | 'ERR_IDENTITY_CHANGED'
  | 'ERR_NO_PREKEYS'
  | 'ERR_ENCRYPTION_FAILED'
  | 'ERR_DEVICES_CHANGING'
  | 'ERR_MESSAGE_TOO_LARGE'
  | 'ERR_RATE_LIMITED'
  | 'ERR_SERVICE_UNAVAILABLE'
  | 'ERR_SERVICE_REJECTED'
  | 'ERR_CLOCK_SKEW'
  | 'ERR_ABORTED'
  | 'ERR_CLOSED'
  | 'ERR_NOT_IMPLEMENTED';

/** Public facts about a failure. Never key bytes, never plaintext. */
export interface SealcastErrorFacts {
  /** Index, in the array that the caller gave, of the entry at fault. */
  readonly index?: number;
  /** Name of the argument or field at fault. */
  readonly field?: string;
  /** Service id of the recipient at fault. */
  readonly serviceId?: string;
  /** What failed underneath. */
  readonly cause?: unknown;
}

/**
 * The one error class of sealcast. Branch on `code`; `index`, `field` and `serviceId` say which entry, which of its
 * fields and which recipient was at fault, where there is one.
 *
 * What an attacker must not tell apart is one code: a wrong MAC, a wrong key, a malformed inside of an envelope are all
 * `ERR_INVALID_ENVELOPE`.
 */
export class SealcastError extends Error {
  override readonly name = 'SealcastError';
  readonly code: SealcastErrorCode;
  readonly index?: number;
  readonly field?: string;
  readonly serviceId?: string;

  constructor(code: SealcastErrorCode, message: string, facts: SealcastErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    if (facts.index !== undefined) this.index = facts.index;
    if (facts.field !== undefined) this.field = facts.field;
    if (facts.serviceId !== undefined) this.serviceId = facts.serviceId;
  }
}
