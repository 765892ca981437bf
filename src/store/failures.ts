import { SealcastError } from '../errors.js';

export function storeClosed(): SealcastError {
  return new SealcastError('ERR_CLOSED', 'The store is closed');
}

export function storeTakenOver(): SealcastError {
  return new SealcastError('ERR_STORE_LOCKED', 'Another writer has taken the store over');
}

export function storeLocked(): SealcastError {
  return new SealcastError('ERR_STORE_LOCKED', 'The store is open elsewhere: it takes one writer at a time');
}

/** What failed underneath, as an error about the store; an error of ours stays what it is. */
export function storeFailed(what: string, cause: unknown): SealcastError {
  if (cause instanceof SealcastError) return cause;
  return new SealcastError('ERR_STORE_FAILED', what, { cause });
}
