import { SealcastError, type TransportRefusalReason } from '../errors.js';
import type { ClockSkew } from '../runtime/service-time.js';
import type { ReceiveRefusal } from './types.js';

/** Why a Receiver gets no further messages. */
export type StopReason = TransportRefusalReason | 'refused' | 'transport-closed' | 'failed';

/** @returns the reason that the error of a stop has. */
export function stopReasonOf(error: unknown): StopReason {
  if (!(error instanceof SealcastError)) return 'failed';
  if (error.code === 'ERR_TRANSPORT_REFUSED') return error.reason ?? 'refused';
  return error.code === 'ERR_CLOSED' ? 'transport-closed' : 'failed';
}

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
   *
   * `reason` says which: `delinked`, `connected-elsewhere`, `expired` (see
   * {@link TransportRefusalReason}), `refused` for another refusal for good, `transport-closed`, or
   * `failed`.
   */
  stopped: [{ readonly error: unknown; readonly reason: StopReason }];
  /**
   * The service warned this device, when it connected. `idle-primary-device`: the phone has not
   * been seen for 30 days or more; after 90 the service removes its linked devices. Start the app
   * on the phone. Emitted once a day at most for each alert.
   */
  alert: [{ readonly alert: 'idle-primary-device' | (string & {}) }];
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
