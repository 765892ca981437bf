import type { PreKeyBundleFields } from '../transport/transport.js';
import type { Packed } from './packed.js';

/** One device to encrypt for. */
export interface EncryptTask {
  readonly serviceId: string;
  readonly deviceId: number;
  /** Which of the request's plaintexts. */
  readonly plaintext: number;
  /** Identity key (33 bytes) that the device's session must be with, or its bundle signed by. */
  readonly identityKey: Uint8Array<ArrayBuffer>;
  /**
   * To begin a new session with, where there is none or it is over, or `renew` says so, or it is with a device of another
   * registration id. What is left of an old session is archived in the record.
   */
  readonly bundle?: PreKeyBundleFields;
  readonly renew?: boolean;
}

export interface EncryptRequest {
  readonly kind: 'encrypt';
  /** The sending device. */
  readonly own: { readonly serviceId: string; readonly deviceId: number; readonly registrationId: number };
  /** ms since the epoch: sessions that were not answered for 30 days are over by it. */
  readonly nowMs: number;
  /** Padded contents. */
  readonly plaintexts: readonly Uint8Array<ArrayBuffer>[];
  readonly tasks: readonly EncryptTask[];
  /** The session record of each task, or nothing. */
  readonly sessions: Packed;
}

/**
 * What became of a task. `no-session`: there is none, or it is over, or it is with another identity key: a new one is
 * wanted. `bad-bundle`: its signatures do not hold, or its keys are none. The record comes back as it was given.
 */
export type EncryptStatus = 'ok' | 'no-session' | 'bad-bundle' | 'failed';

export interface EncryptOutcome {
  readonly status: EncryptStatus;
  /** Of the device, as its session has it. */
  readonly registrationId: number;
  readonly type: 'prekey' | 'whisper';
  /** What libsignal said; names of devices, no secrets. */
  readonly reason?: string;
}

/** In the order of the tasks. Sessions and ciphertexts are there where the status is `ok`. */
export interface EncryptReply {
  readonly outcomes: readonly EncryptOutcome[];
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
