import type { SealcastError } from '../errors.js';
import type { ClockSkew } from '../runtime/service-time.js';
import type { ReceiveRefusal } from './types.js';

/** What a Receiver emits, for whoever has to act on it. */
export interface ReceiverEvents {
  /** A contact told us another profile key than before; what it is sent next is sealed with the key's access key. */
  profileKey: [{ readonly serviceId: string }];
  /** The timer of the conversation with a contact is another one now: seconds, 0 for none. */
  expireTimer: [{ readonly serviceId: string; readonly expireTimer: number; readonly expireTimerVersion: number }];
  /** A contact's identity key is another than before; whether it is sent to depends on `onIdentityChange`. */
  identityChange: [{ readonly serviceId: string; readonly accepted: boolean }];
  /** An envelope was refused. */
  refused: [{ readonly reason: ReceiveRefusal }];
  /** A message could not be decrypted; its sender is asked to send it again, if `retryRequested`. */
  undecryptable: [
    {
      readonly sender: string;
      readonly senderDevice: number;
      readonly timestamp: number;
      readonly contentHint: 'default' | 'resendable' | 'implicit';
      readonly retryRequested: boolean;
    },
  ];
  /** What was queued while the account was away has been delivered. */
  queueEmpty: [];
  /** The account's connection was lost; it is made again, unless the service refuses it for good. */
  interrupted: [{ readonly cause: Error | null }];
  /**
   * Nothing more comes: the service refuses the account for good (ERR_TRANSPORT_REFUSED: unlinked, connected elsewhere, this
   * libsignal expired), the transport was closed (ERR_CLOSED), or the store or the workers fail. Messages that were not
   * acknowledged come to the Receiver that is opened next. Not emitted for the Receiver's own `close()`.
   */
  stopped: [{ readonly error: unknown }];
  /** Prekeys could not be kept up; it is tried again. */
  preKeyProblem: [{ readonly error: SealcastError }];
  /** No usable sender certificate can be had; requests to send something again wait. */
  certificateProblem: [{ readonly error: SealcastError; readonly attempt: number }];
  /**
   * The local clock is more than a minute behind the service's (`offsetMs`), or ahead (negative). The service's time is used;
   * told again when the difference changes by a minute, or comes back.
   */
  clockSkew: [ClockSkew];
}
