import type { SealcastError } from '../errors.js';
import type { ClockSkew } from '../runtime/service-time.js';
import type { ReceiveRefusal } from './types.js';

/** Events of a Receiver, for the application to act on. */
export interface ReceiverEvents {
  /** A contact told us another profile key; the next messages to them carry its access key. */
  profileKey: [{ readonly serviceId: string }];
  /** The timer of the conversation with a contact changed: seconds, 0 for none. */
  expireTimer: [
    {
      readonly serviceId: string;
      readonly expireTimer: number;
      readonly expireTimerVersion: number;
    },
  ];
  /** A contact's identity key changed. Sends to the contact depend on `onIdentityChange`. */
  identityChange: [{ readonly serviceId: string; readonly accepted: boolean }];
  /** An envelope was refused. */
  refused: [{ readonly reason: ReceiveRefusal }];
  /**
   * A message could not be decrypted. Its sender is asked to send it again, if `retryRequested`.
   */
  undecryptable: [
    {
      readonly sender: string;
      readonly senderDevice: number;
      readonly timestamp: number;
      readonly contentHint: 'default' | 'resendable' | 'implicit';
      readonly retryRequested: boolean;
    },
  ];
  /** All messages that were queued while the account was away have been delivered. */
  queueEmpty: [];
  /**
   * The account's connection was lost. It is made again, unless the service refuses it for good.
   */
  interrupted: [{ readonly cause: Error | null }];
  /**
   * No further messages come. The service refuses the account for good (ERR_TRANSPORT_REFUSED:
   * unlinked, connected elsewhere, this libsignal expired), the transport was closed (ERR_CLOSED),
   * or the store or the workers fail. Messages that were not acknowledged come to the Receiver that
   * is opened next. Not emitted for the Receiver's own `close()`.
   */
  stopped: [{ readonly error: unknown }];
  /** Prekey maintenance failed; it is tried again. */
  preKeyProblem: [{ readonly error: SealcastError }];
  /** No usable sender certificate is available; retry requests wait. */
  certificateProblem: [{ readonly error: SealcastError; readonly attempt: number }];
  /**
   * The local clock is over a minute behind the service's (`offsetMs`), or ahead (negative). The
   * service's time is used. Emitted again when the difference changes by a minute, or comes back.
   */
  clockSkew: [ClockSkew];
}
