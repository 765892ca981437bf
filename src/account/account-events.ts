import type { SealcastError } from '../errors.js';
import type { ReceiverEvents } from '../receive/events.js';

/** Events that an `Account` emits, each with one object of facts or none. */
export interface AccountEvents {
  /**
   * A contact's identity key changed. Emitted once a change, whichever part of the account found
   * it: a broadcast, a received message or a fetched profile. Sends to the contact depend on
   * `onIdentityChange`: `accepted` tells whether they go on.
   */
  identityChange: [{ readonly serviceId: string; readonly accepted: boolean }];
  /** All messages that were queued while the account was away have been delivered. */
  queueEmpty: [];
  /** As the Receiver's event `alert`: a warning of the service, such as `idle-primary-device`. */
  alert: ReceiverEvents['alert'];
  /**
   * As the Receiver's event `stopped`. `reason` says why the account gets no further messages:
   * `delinked`, `connected-elsewhere` and `expired` are the service's refusals, which a person
   * mends.
   */
  stopped: ReceiverEvents['stopped'];
  /**
   * The service refused the capabilities of this device (409, 422); `openAccount` takes others in
   * `capabilities`. The account goes on with the set that the service has.
   */
  capabilityProblem: [{ readonly error: SealcastError }];
  /**
   * On a linked device: the phone has replaced the account's profile key, and the new one could not
   * be read (`error`). Messages go out without a profile key, so that contacts keep the one that
   * they have; the account looks for the new one again by itself.
   */
  profileKeyLost: [{ readonly error: SealcastError }];
}
