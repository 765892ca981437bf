import type { PreKeyBundleFields } from '../transport/transport.js';
import type { Packed } from './packed.js';

/** What a new session of one device is begun with. */
export interface Renewal {
  readonly bundle: PreKeyBundleFields;
  /** Whether even a session that looks good is to be replaced. */
  readonly renew: boolean;
}

/**
 * Devices to encrypt for, a column for each fact: thousands of small objects would take longer to pass to another thread than
 * to encrypt for.
 */
export interface EncryptRequest {
  readonly kind: 'encrypt';
  /** The sending device. */
  readonly own: { readonly serviceId: string; readonly deviceId: number; readonly registrationId: number };
  /** ms since the epoch: sessions that were not answered for 30 days are over by it. */
  readonly nowMs: number;
  /** Padded contents. */
  readonly plaintexts: readonly Uint8Array<ArrayBuffer>[];
  /** Service ids, with a space between each two. */
  readonly serviceIds: string;
  readonly deviceIds: Uint8Array<ArrayBuffer>;
  /** Which of the plaintexts each gets. */
  readonly contents: Uint32Array<ArrayBuffer>;
  /** Identity keys (33 bytes) that the devices' sessions must be with, or their bundles signed by. */
  readonly identityKeys: Packed;
  /** The session record of each, or nothing. */
  readonly sessions: Packed;
  /**
   * To begin new sessions with, by index: where there is none or it is over, or `renew` says so, or it is with a device of
   * another registration id. What is left of an old session is archived in the record.
   */
  readonly renewals: ReadonlyMap<number, Renewal>;
}

/**
 * What became of a device. `no-session`: there is none, or it is over, or it is with another identity key: a new one is
 * wanted. `bad-bundle`: its signatures do not hold, or its keys are none. The record comes back as it was given.
 */
export const ENCRYPT_STATUSES = ['ok', 'no-session', 'bad-bundle', 'failed'] as const;
export type EncryptStatus = (typeof ENCRYPT_STATUSES)[number];

export const CIPHERTEXT_TYPES = ['prekey', 'whisper'] as const;

/** In the order of the request. Sessions and ciphertexts are there where the status is `ok`. */
export interface EncryptReply {
  /** One of ENCRYPT_STATUSES each, and one of CIPHERTEXT_TYPES. */
  readonly statuses: Uint8Array<ArrayBuffer>;
  readonly types: Uint8Array<ArrayBuffer>;
  /** Of the devices, as their sessions have it. */
  readonly registrationIds: Uint32Array<ArrayBuffer>;
  /** What libsignal said, by index; names of devices, no secrets. */
  readonly reasons: ReadonlyMap<number, string>;
  readonly sessions: Packed;
  readonly ciphertexts: Packed;
}

/** Session records whose current session is to be over: no more is sent with it, what comes late can still be decrypted. */
export interface ArchiveRequest {
  readonly kind: 'archive';
  readonly sessions: Packed;
}
/** Records in the order of the request; nothing where there was none, or none that libsignal can read. */
export interface ArchiveReply {
  readonly sessions: Packed;
}
