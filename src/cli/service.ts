import type { Account } from '../account/account.js';
import type { Store } from '../store/store.js';

/** Account that is connected to the service. */
export interface ConnectedAccount extends AsyncDisposable {
  readonly account: Account;
  /** Resolves when the messages that waited at the service have been read. */
  readonly queueEmpty: Promise<void>;
}

/** Service, as commands reach it. Tests give another one. */
export interface Service {
  /**
   * Opens the account of the store, and connects.
   *
   * @throws SealcastError as {@link Account.open} and the transport; CommandError where the store
   *   has no account.
   */
  open(store: Store): Promise<ConnectedAccount>;
}

/** Resolves at the account's `queueEmpty`, and where that never comes. */
export function whenQueueEmpty(account: Account): Promise<void> {
  return new Promise((resolve) => {
    account.once('queueEmpty', resolve);
    account.once('stopped', () => resolve());
  });
}
