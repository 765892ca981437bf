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
  | 'ERR_ABORTED'
  | 'ERR_CLOSED'
  | 'ERR_NOT_IMPLEMENTED';

/** Public facts about a failure. Never key bytes, never plaintext. */
export interface SealcastErrorFacts {
  /** Index, in the array that the caller gave, of the entry at fault. */
  readonly index?: number;
  /** Name of the argument or field at fault. */
  readonly field?: string;
  /** What failed underneath. */
  readonly cause?: unknown;
}

/**
 * The one error class of sealcast. Branch on `code`; `index` and `field` say which entry and which of its fields was at
 * fault, where there is one.
 *
 * What an attacker must not tell apart is one code: a wrong MAC, a wrong key, a malformed inside of an envelope are all
 * `ERR_INVALID_ENVELOPE`.
 */
export class SealcastError extends Error {
  override readonly name = 'SealcastError';
  readonly code: SealcastErrorCode;
  readonly index?: number;
  readonly field?: string;

  constructor(code: SealcastErrorCode, message: string, facts: SealcastErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    if (facts.index !== undefined) this.index = facts.index;
    if (facts.field !== undefined) this.field = facts.field;
  }
}
