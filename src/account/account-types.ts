import type { AccessMode } from '../access/access-mode.js';
import type { ProfileName } from '../access/profile-cipher.js';
import type { NamesOf } from '../util/known-names.js';

/** Options of calls that change the account's own data. */
export interface OwnCallOptions {
  /**
   * Ends the wait with ERR_ABORTED; the request to the service goes on, and resumes if it fails.
   */
  readonly signal?: AbortSignal;
}

/** Options of {@link Account.registerAccessKey}. */
export interface AccessKeyOptions extends OwnCallOptions {
  /**
   * Whether any sender may send sealed to us, with any key.
   *
   * Remains as it is, over restarts, until the caller gives it again.
   */
  readonly unrestricted?: boolean;
}

export const OWN_CALL_NAMES = { signal: true } as const satisfies NamesOf<OwnCallOptions>;
export const ACCESS_KEY_NAMES = {
  ...OWN_CALL_NAMES,
  unrestricted: true,
} satisfies NamesOf<AccessKeyOptions>;

/** Access key and certificate of a sealed send. */
export interface UnidentifiedAccess {
  /** 16 bytes */
  readonly accessKey: Uint8Array<ArrayBuffer>;
  /** Our sender certificate, serialized. */
  readonly certificate: Uint8Array<ArrayBuffer>;
}
/** Pair of accesses, as in libsignal-service-java's `UnidentifiedAccessPair`. */
export interface UnidentifiedAccessPair {
  /** For the contact; null where the contact gets nothing sealed, or nothing at all. */
  readonly target: UnidentifiedAccess | null;
  /** For our own other devices; null as long as the account has no profile key. */
  readonly self: UnidentifiedAccess | null;
}

/** Facts of a contact's profile. */
export interface ContactProfile {
  /** Access mode for sends to the contact from now on. */
  readonly accessMode: AccessMode;
  /** Whether the contact takes sealed messages from any sender. */
  readonly unrestricted: boolean;
  /** 33 bytes */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /**
   * Absent where we do not have the profile key with which it is encrypted.
   *
   * The store does not keep it: of a profile that an earlier process fetched, it is absent until
   * the next fetch.
   */
  readonly name?: ProfileName;
  /** ms since the epoch */
  readonly fetchedAtMs: number;
}

/** Options of {@link Account.fetchProfile}. */
export interface FetchProfileOptions {
  /**
   * Whether to ask the service even if the last request is less than six hours old. Default false.
   */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export const FETCH_PROFILE_NAMES = {
  force: true,
  signal: true,
} satisfies NamesOf<FetchProfileOptions>;

/** A contact whose new identity key waits to be accepted: `onIdentityChange` is `fail`. */
export interface PendingIdentity {
  /** Service id. */
  readonly serviceId: string;
  /** The new key, 33 bytes. */
  readonly identityKey: Uint8Array;
}

/** A device of the account. */
export interface AccountDevice {
  readonly deviceId: number;
  readonly isPrimary: boolean;
  readonly isThisDevice: boolean;
  /** ms since the epoch, of the day on which the service last saw it. */
  readonly lastSeenMs: number;
  /** Absent: it has none, or it is encrypted with another identity key than the account's. */
  readonly name?: string;
}
