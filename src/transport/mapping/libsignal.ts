import type { MismatchedDevicesError, RateLimitChallengeError } from '@signalapp/libsignal-client';
import type * as Module from '@signalapp/libsignal-client';
import { SealcastError, type TransportRefusalReason } from '../../errors.js';
import { ConnectionEnded, TimedOut } from '../chat/in-flight.js';
import { CLIENT_TOO_OLD, mismatchedDevices, refusalOfAnswer } from './http.js';
import type { Refusal } from '../transport.js';

/**
 * Parts of libsignal that this room uses: how it reads service ids, the hashes of usernames, and
 * the codes of its errors.
 */
export type Libsignal = Pick<typeof Module, 'ErrorCode' | 'ServiceId' | 'usernames'>;
export type ServiceId = Module.ServiceId;

/**
 * Loads libsignal, when a transport is made and not before. Its addon takes long to load, and
 * sealing alone does not need it.
 *
 * @throws SealcastError ERR_LIBSIGNAL_UNAVAILABLE where its addon does not load (it has none for
 *   musl, 0.103).
 */
export async function loadLibsignal(): Promise<Libsignal> {
  try {
    return await import('@signalapp/libsignal-client');
  } catch (cause) {
    throw new SealcastError('ERR_LIBSIGNAL_UNAVAILABLE', 'libsignal could not be loaded', {
      cause,
    });
  }
}

/**
 * Statuses that libsignal's typed calls have no error of their own for: all that is left of them is
 * the text of an IoError ("unexpected response status 413 Payload Too Large", "the request did not
 * pass server validation" for a 422, "server-side error" for any 5xx, in registrations with more
 * behind it; libsignal 0.103.0, seen with its fake remote, 2026-11). With another version of
 * libsignal, run test/transport/chat-transport-refusals.test.ts, which sends every status through
 * it.
 */
export function statusInMessage(message: string): number | undefined {
  const status = /^unexpected response status (\d{3})\b/.exec(message)?.[1];
  if (status !== undefined) return Number(status);
  if (message === 'the request did not pass server validation') return 422;
  return /^server-side error\b/.test(message) ? 500 : undefined;
}

/** An error of libsignal, of whichever copy of it, and what some of its kinds carry. */
type Thrown = Error & { readonly code: number };

/** Turns libsignal's errors into the transport's answers; knows which are permanent. */
export class LibsignalRefusals {
  readonly #answers: ReadonlyMap<number, (error: Thrown) => Refusal>;
  readonly #forGood: ReadonlySet<number>;
  /** 429 and 428, which may name a time. */
  readonly #delaying: ReadonlySet<number>;
  readonly #connectedElsewhere: number;
  readonly #appExpired: number;
  readonly #deviceDelinked: number;

  /**
   * @param retryConnectedElsewhere whether the account comes back after another client of the same
   *   device took its place.
   */
  constructor({ ErrorCode }: Libsignal, retryConnectedElsewhere = false) {
    this.#delaying = new Set([ErrorCode.RateLimitedError, ErrorCode.RateLimitChallengeError]);
    this.#connectedElsewhere = ErrorCode.ConnectedElsewhere;
    this.#appExpired = ErrorCode.AppExpired;
    this.#deviceDelinked = ErrorCode.DeviceDelinked;
    const notFound = (): Refusal => ({ status: 'not-found' });
    const unavailable = (cause: Thrown): Refusal => ({ status: 'unavailable', cause });
    this.#answers = new Map<number, (error: Thrown) => Refusal>([
      [ErrorCode.RequestUnauthorized, () => ({ status: 'unauthorized' })],
      [ErrorCode.ServiceIdNotFound, notFound],
      [ErrorCode.DeviceIdNotFound, notFound],
      [ErrorCode.MismatchedDevices, mismatched],
      [ErrorCode.UploadTooLarge, () => ({ status: 'too-large' })],
      [
        ErrorCode.RateLimitedError,
        (error) => ({ status: 'rate-limited', retryAfterMs: this.retryAfterMs(error) ?? 0 }),
      ],
      [ErrorCode.RateLimitChallengeError, challenge],
      [ErrorCode.ChatServiceInactive, unavailable],
      [ErrorCode.ConnectionInvalidated, unavailable],
      [ErrorCode.ConnectedElsewhere, unavailable],
      [ErrorCode.PossibleCaptiveNetwork, unavailable],
      [ErrorCode.Cancelled, unavailable],
      [ErrorCode.IoError, ioError],
    ]);
    const forGood = [ErrorCode.AppExpired, ErrorCode.DeviceDelinked];
    // Connected elsewhere: coming back throws out whichever client came, which comes back in turn,
    // and so on.
    this.#forGood = new Set(
      retryConnectedElsewhere ? forGood : [...forGood, ErrorCode.ConnectedElsewhere],
    );
  }

  /** @returns the answer that a failed request gets. */
  of(error: unknown): Refusal {
    if (error instanceof TimedOut || error instanceof ConnectionEnded)
      return { status: 'unavailable', cause: error };
    const answer = isLibsignals(error) ? this.#answers.get(error.code)?.(error) : undefined;
    return answer ?? { status: 'rejected', httpStatus: 0, cause: error };
  }

  /** Whether the error ends a connection, or an attempt, for a reason that stays. */
  isForGood(error: unknown): boolean {
    return isLibsignals(error) && (this.#forGood.has(error.code) || this.isTooOld(error));
  }

  /**
   * Whether the service, or libsignal itself, finds this version too old: no request will be
   * served.
   */
  isTooOld(error: unknown): boolean {
    if (!isLibsignals(error)) return false;
    return error.code === this.#appExpired || statusInMessage(error.message) === CLIENT_TOO_OLD;
  }

  /** 4409: another connection of the same device took the place of this one. */
  isConnectedElsewhere(error: unknown): boolean {
    return isLibsignals(error) && error.code === this.#connectedElsewhere;
  }

  /** Why the service refuses this client for good; undefined where it does not, as far as known. */
  reasonOf(error: unknown): TransportRefusalReason | undefined {
    if (this.isTooOld(error)) return 'expired';
    if (!isLibsignals(error)) return undefined;
    if (error.code === this.#deviceDelinked) return 'delinked';
    return this.isConnectedElsewhere(error) ? 'connected-elsewhere' : undefined;
  }

  /** How long the service asked to be left alone, in ms; undefined if it did not. */
  retryAfterMs(error: unknown): number | undefined {
    if (!isLibsignals(error) || !this.#delaying.has(error.code)) return undefined;
    const { retryAfterSecs } = error as Thrown & Pick<RateLimitChallengeError, 'retryAfterSecs'>;
    return retryAfterSecs === null ? undefined : retryAfterSecs * 1_000;
  }
}

function isLibsignals(error: unknown): error is Thrown {
  return error instanceof Error && typeof (error as Partial<Thrown>).code === 'number';
}

function mismatched(error: Thrown): Refusal {
  const { entries } = error as Thrown & Pick<MismatchedDevicesError, 'entries'>;
  const refusal = mismatchedDevices({
    missing: entries.flatMap(({ missingDevices }) => missingDevices),
    extra: entries.flatMap(({ extraDevices }) => extraDevices),
    stale: entries.flatMap(({ staleDevices }) => staleDevices),
  });
  return refusal ?? { status: 'rejected', httpStatus: 409, cause: error };
}

function challenge(error: Thrown): Refusal {
  type Challenged = Pick<RateLimitChallengeError, 'token' | 'options' | 'retryAfterSecs'>;
  const { token, options, retryAfterSecs } = error as Thrown & Challenged;
  const retryAfter = retryAfterSecs === null ? {} : { retryAfterMs: retryAfterSecs * 1_000 };
  return { status: 'challenge', token, options: [...options], ...retryAfter };
}

function ioError(error: Thrown): Refusal {
  const status = statusInMessage(error.message);
  if (status === undefined) return { status: 'unavailable', cause: error };
  return refusalOfAnswer({ status, headers: [] }, error);
}
