import {
  createDecipheriv,
  createHash,
  createHmac,
  timingSafeEqual,
  type Decipher,
} from 'node:crypto';
import { AES_KEY_BYTES, IV_BYTES, MAC_BYTES } from './cipher.js';
import { invalidAttachment } from './download-errors.js';
import type { TempFile } from './temp-file.js';

const BLOCK_BYTES = 16;

/** An encrypted file that is all there, and is checked before any of it is decrypted. */
export class BlobReader {
  readonly #blob: TempFile;
  readonly #key: Uint8Array;

  /** @param key 64 bytes. */
  constructor(blob: TempFile, key: Uint8Array) {
    this.#blob = blob;
    this.#key = Uint8Array.from(key);
  }

  /** @throws SealcastError ERR_ATTACHMENT_INVALID: MAC or digest are of something else. */
  async verify(expectedDigest: Uint8Array, signal: AbortSignal): Promise<void> {
    const macAt = this.#macAt;
    if (macAt < IV_BYTES + BLOCK_BYTES || (macAt - IV_BYTES) % BLOCK_BYTES !== 0)
      throw invalidAttachment('it is no encrypted file');
    const digest = createHash('sha256');
    const hmac = createHmac('sha256', this.#key.subarray(AES_KEY_BYTES));
    for await (const part of this.#blob.read(0, macAt)) {
      signal.throwIfAborted();
      digest.update(part);
      hmac.update(part);
    }
    const mac = await this.#bytes(macAt, this.#blob.length);
    digest.update(mac);
    // Both are compared, so that time tells neither of them from the other.
    const isMac = timingSafeEqual(hmac.digest(), mac);
    const isDigest = timingSafeEqual(digest.digest(), Uint8Array.from(expectedDigest));
    if (!isMac || !isDigest) throw invalidAttachment('its MAC or digest is wrong');
  }

  /**
   * Checks that there are only zeros behind the plaintext, without decrypting what is before.
   *
   * @throws SealcastError ERR_ATTACHMENT_INVALID: the file is not as long as its pointer says.
   */
  async verifyPadding(size: number, signal: AbortSignal): Promise<void> {
    const firstBlock = size - (size % BLOCK_BYTES);
    let at = firstBlock;
    for await (const part of this.#decrypt(firstBlock)) {
      signal.throwIfAborted();
      const padding = part.subarray(Math.max(0, size - at));
      at += part.length;
      if (padding.some((byte) => byte !== 0))
        throw invalidAttachment('it is longer than its pointer says');
    }
    if (at < size) throw invalidAttachment('it is shorter than its pointer says');
  }

  /** The first `size` bytes of the plaintext. Only after both checks. */
  async *plaintext(size: number): AsyncGenerator<Uint8Array, void, void> {
    let left = size;
    for await (const part of this.#decrypt(0)) {
      if (left === 0) return;
      const taken = part.subarray(0, left);
      left -= taken.length;
      yield taken;
    }
  }

  get #macAt(): number {
    return this.#blob.length - MAC_BYTES;
  }

  /** Decrypts from a block on: in CBC the block before it is its IV. */
  async *#decrypt(start: number): AsyncGenerator<Uint8Array, void, void> {
    const macAt = this.#macAt;
    if (IV_BYTES + start >= macAt) throw invalidAttachment('it is shorter than its pointer says');
    const iv = await this.#bytes(start, start + IV_BYTES);
    const decipher = createDecipheriv('aes-256-cbc', this.#key.subarray(0, AES_KEY_BYTES), iv);
    for await (const part of this.#blob.read(IV_BYTES + start, macAt)) {
      const plain = decipher.update(part);
      if (plain.length > 0) yield plain;
    }
    const last = finalOf(decipher);
    if (last.length > 0) yield last;
  }

  async #bytes(start: number, end: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - start);
    let at = 0;
    for await (const part of this.#blob.read(start, end)) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** Under a right MAC the sender itself has padded wrongly. */
function finalOf(decipher: Decipher): Uint8Array {
  try {
    return decipher.final();
  } catch {
    throw invalidAttachment('it is not padded as it should be');
  }
}
