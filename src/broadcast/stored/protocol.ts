import type { CheckContext } from '../delivery-check.js';
import type { EncryptRequest, Packed } from '../../session/protocol.js';
import type { TableName } from '../../store/store.js';
import type { StoreLocation } from '../../store/lmdb/worker-records.js';

/** Recipients to encrypt for, from records that the worker reads in the store itself. */
export interface StoredChunkRequest {
  readonly kind: 'stored-chunk';
  readonly own: EncryptRequest['own'];
  /** ms since the epoch */
  readonly nowMs: number;
  readonly store: StoreLocation;
  readonly broadcastId: string;
  /** Of the broadcast's record. */
  readonly content: Uint8Array<ArrayBuffer>;
  readonly profileKey: Uint8Array<ArrayBuffer> | undefined;
  readonly policies: CheckContext['policies'];
  readonly list: string | undefined;
  /** Sender certificate, serialized; undefined: contents to seal are not made. */
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  /** Service ids, with a space between each two. */
  readonly serviceIds: string;
}

/**
 * Outcome of a request. Columns of `ready` recipients have an entry for each of
 * these alone, columns of devices one for each of their devices.
 */
export interface StoredChunkReply {
  /**
   * Indices of the recipients that were encrypted for; anything unusual about a recipient leaves it
   * out, and to the main thread.
   */
  readonly ready: Uint32Array<ArrayBuffer>;
  /** Each one's mode, one of ACCESS_MODES. */
  readonly accessModes: Uint8Array<ArrayBuffer>;
  /** 32 bytes, or none. */
  readonly profileKeys: Packed;
  /** Of the profile key: 16 bytes, or none. */
  readonly accessKeys: Packed;
  /** 33 bytes each. */
  readonly identityKeys: Packed;
  /** Mark of the profile key that the ciphertexts carry. */
  readonly profileKeyMark: string | undefined;
  readonly deviceCounts: Uint8Array<ArrayBuffer>;
  readonly deviceIds: Uint8Array<ArrayBuffer>;
  readonly registrationIds: Uint32Array<ArrayBuffer>;
  /** One of CIPHERTEXT_TYPES each. */
  readonly types: Uint8Array<ArrayBuffer>;
  readonly ciphertexts: Packed;
  /** Each device's content to seal (libsignal's UnidentifiedSenderMessageContent), and its key. */
  readonly contents: Packed;
  readonly sealingKeys: Uint8Array<ArrayBuffer>;
  /** To be committed, all together, before anything of it leaves. */
  readonly changes: {
    /** Which of the ready recipients each is about, by its place among them. */
    readonly owners: Uint32Array<ArrayBuffer>;
    /** Index in TABLES_OF_CHANGES. */
    readonly tables: Uint8Array<ArrayBuffer>;
    readonly keys: Packed;
    readonly values: Packed;
  };
}

export const ACCESS_MODES = ['unknown', 'enabled', 'unrestricted', 'disabled'] as const;
export const TABLES_OF_CHANGES = ['contact', 'session', 'outbox'] as const satisfies TableName[];
