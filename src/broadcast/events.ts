import type { ClockSkew } from '../runtime/service-time.js';
import type { SealcastError } from '../errors.js';

/** What a Broadcaster emits, for whoever has to act on it. */
export interface BroadcasterEvents {
  /**
   * The service wants proof of a person (428): the broadcast is paused until its `run.resume()` is called, after token and
   * captcha or push were handed in.
   */
  challenge: [{ readonly id: string; readonly token: string; readonly options: readonly string[] }];
  /** A recipient's identity key is another than before; whether it was sent to depends on `onIdentityChange`. */
  identityChange: [{ readonly serviceId: string; readonly accepted: boolean }];
  /** No usable sender certificate can be had; sends wait. ERR_CLOCK_SKEW: ours expired while it was fetched. */
  certificateProblem: [{ readonly error: SealcastError; readonly attempt: number }];
  /**
   * The local clock is more than a minute behind the service's (`offsetMs`), or ahead (negative). The service's time is used;
   * told again when the difference changes by a minute, or comes back.
   */
  clockSkew: [ClockSkew];
}
