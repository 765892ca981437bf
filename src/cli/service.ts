import type { Account } from '../account/account.js';
import type { OpenOptions } from '../account/open.js';
import type { DeviceLink } from '../link/link-device.js';
import type { Registration } from '../register/registration.js';
import type { Store } from '../store/store.js';
import type { AccountTransport } from '../transport/account-transport.js';

/** Account that is connected to the service. */
export interface ConnectedAccount extends AsyncDisposable {
  readonly account: Account;
  readonly transport: AccountTransport;
  /** Roots of the service's sender certificates. */
  readonly trustRoots: OpenOptions['trustRoots'] & object;
  /** Resolves when the messages that waited at the service have been read. */
  readonly queueEmpty: Promise<void>;
}

/** Link that is under way. */
export type Link = Pick<DeviceLink, 'account' | typeof Symbol.asyncIterator>;

export interface LinkRequest {
  readonly store: Store;
  /** Name under "Linked devices" on the phone. */
  readonly deviceName: string;
  readonly signal: AbortSignal;
}

export interface RegistrationRequest {
  readonly store: Store;
  readonly signal: AbortSignal;
  /** Number whose registration begins; absent: that of the store goes on. */
  readonly number?: string;
  readonly confirmNumberNotInUse?: boolean;
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

  /** Begins to link the store to the account of a phone. */
  link(request: LinkRequest): Link;

  /** Begins to register a number, or goes on with the registration of the store. */
  register(request: RegistrationRequest): Promise<Registration>;
}

/** Resolves at the account's `queueEmpty`, and where that never comes. */
export function whenQueueEmpty(account: Account): Promise<void> {
  return new Promise((resolve) => {
    account.once('queueEmpty', resolve);
    account.once('stopped', () => resolve());
  });
}
