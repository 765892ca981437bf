import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { secretBytes } from '../util/bytes.js';

export const AES_KEY_BYTES = 32;
export const MAC_BYTES = 32;
export const IV_BYTES = 16;
/** AES key, then HMAC key. */
export const ATTACHMENT_KEY_BYTES = 64;
const BLOCK_BYTES = 16;
const MIN_PADDED_BYTES = 541;
const PADDING_STEP = 1.05;
/** Bytes that go through at a time. */
export const CHUNK_BYTES = 64 * 1024;
const ZEROS = new Uint8Array(CHUNK_BYTES);

/** Keys of one encrypted file, which is called a blob. */
export interface AttachmentKeys {
  /** 64 bytes. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly iv: Uint8Array;
}

/** Facts of a file and its blob, which are known once all of it was encrypted. */
export interface BlobFacts {
  /** Bytes of the plaintext, without padding. */
  readonly size: number;
  readonly blobBytes: number;
  /** SHA-256 of the blob. */
  readonly digest: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the plaintext. */
  readonly plaintextHash: Uint8Array<ArrayBuffer>;
}

/** Length with zeros behind it, so that a blob tells the length only roughly. */
export function paddedBytes(size: number): number {
  const step = Math.ceil(Math.log(size) / Math.log(PADDING_STEP));
  // Rounding may put a power of 1.05 a little below the size that it is the next one to.
  return Math.max(MIN_PADDED_BYTES, size, Math.floor(PADDING_STEP ** step));
}

/** Length of IV, ciphertext with PKCS#7 padding, and MAC. */
export const blobBytesOf = (plaintextBytes: number): number =>
  IV_BYTES + (Math.floor(plaintextBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES + MAC_BYTES;

export function newAttachmentKeys(): AttachmentKeys {
  const key = secretBytes(ATTACHMENT_KEY_BYTES);
  key.set(randomBytes(ATTACHMENT_KEY_BYTES));
  return { key, iv: Uint8Array.from(randomBytes(IV_BYTES)) };
}

/**
 * Encryption of one file as Signal's clients do it: zeros up to a length of few, AES-256-CBC, and
 * HMAC-SHA256 of IV and ciphertext behind them.
 *
 * The same plaintext under the same keys is the same blob: an upload goes on with it after a crash.
 */
export class BlobEncryption {
  readonly #keys: AttachmentKeys;
  #facts: BlobFacts | undefined;

  constructor(keys: AttachmentKeys) {
    this.#keys = keys;
  }

  /** Facts of what was encrypted; only after {@link run} has ended. */
  get facts(): BlobFacts {
    if (this.#facts === undefined) throw new Error('the encryption has not ended');
    return this.#facts;
  }

  /** The blob, in chunks that are the caller's own. */
  async *run(plaintext: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const { key, iv } = this.#keys;
    const cipher = createCipheriv('aes-256-cbc', key.subarray(0, AES_KEY_BYTES), iv);
    const hmac = createHmac('sha256', key.subarray(AES_KEY_BYTES));
    const digest = createHash('sha256');
    const plaintextHash = createHash('sha256');
    let blobBytes = 0;
    const tell = (part: Uint8Array): Uint8Array => {
      digest.update(part);
      blobBytes += part.length;
      return part;
    };
    const seal = (part: Uint8Array): Uint8Array => {
      hmac.update(part);
      return tell(part);
    };
    let size = 0;
    yield seal(Uint8Array.from(iv));
    for await (const part of plaintext) {
      if (part.length === 0) continue;
      size += part.length;
      plaintextHash.update(part);
      yield seal(cipher.update(part));
    }
    for (let left = paddedBytes(size) - size; left > 0; left -= CHUNK_BYTES)
      yield seal(cipher.update(ZEROS.subarray(0, Math.min(left, CHUNK_BYTES))));
    yield seal(cipher.final());
    yield tell(hmac.digest());
    this.#facts = {
      size,
      blobBytes,
      digest: Uint8Array.from(digest.digest()),
      plaintextHash: Uint8Array.from(plaintextHash.digest()),
    };
  }
}
