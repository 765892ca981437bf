/** Bits of an attachment's flags. */
export const ATTACHMENT_FLAG = { voiceMessage: 1, borderless: 2, gif: 8 } as const;

/**
 * Content type of the attachment with the whole of a long text (Signal-Android:
 * MediaUtil.LONG_TEXT). The body is the beginning of that text.
 */
export const LONG_TEXT_TYPE = 'text/x-signal-plain';

/**
 * Where an uploaded attachment is, and how it is decrypted. It is all that a message has of a file.
 *
 * Exactly one of `cdnKey` and `cdnId` is there; an id is from a client of before 2020.
 */
export interface AttachmentPointer {
  readonly cdnKey?: string;
  readonly cdnId?: bigint;
  /** 0, 2 or 3 */
  readonly cdnNumber: number;
  /** 64 bytes: an AES-256 key, then an HMAC-SHA256 key. */
  readonly key: Uint8Array;
  /** 32 bytes: SHA-256 of the encrypted file. */
  readonly digest: Uint8Array;
  /** Length of the file before it was padded and encrypted, bytes. */
  readonly size: number;
  /** MIME type. */
  readonly contentType: string;
  /** A text that the sender chose: no path to write to. */
  readonly fileName?: string;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** Blurred preview, as blurha.sh defines it. */
  readonly blurHash?: string;
  /** See {@link ATTACHMENT_FLAG}. Default: none. */
  readonly flags?: number;
  /** ms since the epoch */
  readonly uploadTimestampMs?: number;
  /** MACs of the chunks, one after the other, for a reader that begins before the end. */
  readonly incrementalMac?: Uint8Array;
  /** Length of the chunks that `incrementalMac` is of, bytes. */
  readonly chunkSize?: number;
  /** 16 bytes: a UUID that the uploader chose. */
  readonly clientUuid?: Uint8Array;
}
