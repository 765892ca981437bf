import type { AccessMode } from '../access/access-mode.js';
import type { ProfileName } from '../access/profile-cipher.js';
import type { NamesOf } from '../util/known-names.js';

export interface OwnCallOptions {
  /**
   * Ends the wait with ERR_ABORTED; the request to the service goes on, and is resumed if it fails.
   */
  readonly signal?: AbortSignal;
}

/** Options of {@link Account.registerAccessKey}. */
export interface AccessKeyOptions extends OwnCallOptions {
  /**
   * Whether anybody may send to us sealed, with any key. Stays as it is, over restarts, until it is
   * given again.
   */
  readonly unrestricted?: boolean;
}

export const OWN_CALL_NAMES = { signal: true } as const satisfies NamesOf<OwnCallOptions>;
export const ACCESS_KEY_NAMES = { ...OWN_CALL_NAMES, unrestricted: true } satisfies NamesOf<AccessKeyOptions>;

/** With what something is sent sealed. */
export interface UnidentifiedAccess {
  /** 16 bytes */
  readonly accessKey: Uint8Array<ArrayBuffer>;
  /** Our sender certificate, serialized. */
  readonly certificate: Uint8Array<ArrayBuffer>;
}
/** As libsignal-service-java's `UnidentifiedAccessPair` has it. */
export interface UnidentifiedAccessPair {
  /** To the contact; null where the contact gets nothing sealed, or nothing at all. */
  readonly target: UnidentifiedAccess | null;
  /** To our own other devices; null as long as the account has no profile key. */
  readonly self: UnidentifiedAccess | null;
}

/** Facts of a contact's profile. */
export interface ContactProfile {
  /** How the contact is sent to from now on. */
  readonly accessMode: AccessMode;
  /** Whether the contact takes sealed messages from anybody. */
  readonly unrestricted: boolean;
  /** 33 bytes */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /**
   * Absent where we do not have the profile key that it is encrypted with. It is not kept on the
   * disk: of a profile that an earlier process fetched it is absent until the next fetch.
   */
  readonly name?: ProfileName;
  /** ms since the epoch */
  readonly fetchedAtMs: number;
}

export interface FetchProfileOptions {
  /** Whether to ask the service even though it was asked less than six hours ago. Default false. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export const FETCH_PROFILE_NAMES = { force: true, signal: true } satisfies NamesOf<FetchProfileOptions>;

/** A contact whose new identity key waits to be accepted: `onIdentityChange` is `fail`. */
export interface PendingIdentity {
  /** Service id. */
  readonly serviceId: string;
  /** The new key, 33 bytes. */
  readonly identityKey: Uint8Array;
}
