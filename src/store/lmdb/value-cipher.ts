import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomFillSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { SealcastError } from '../../errors.js';
import type { TableName } from '../store.js';

export const ENCRYPTION_KEY_BYTES = 32;
const EPOCH_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = EPOCH_BYTES + NONCE_BYTES;
/**
 * Bytes that encryption adds to a value.
 *
 * They are the writer's epoch (big-endian) and the nonce, and, behind the ciphertext, the tag.
 */
export const ENCRYPTION_OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;

/**
 * Number of values whose nonces are drawn at once.
 *
 * One call of the generator for each would cost more than the encryption.
 */
const NONCES_AT_ONCE = 256;

/** Derives a key by HKDF-SHA256, as a KeyObject that does not show its bytes. */
export function deriveKey(secret: KeyObject, storeId: Uint8Array, info: string): KeyObject {
  const bytes = new Uint8Array(hkdfSync('sha256', secret, storeId, info, ENCRYPTION_KEY_BYTES));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

/**
 * Imports the caller's secret, and wipes none of the caller's bytes.
 *
 * Neither a heap dump's strings nor `inspect` show it.
 */
export function importEncryptionKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(bytes);
}

/** Derives a check that says whether a key is that of a store, and nothing of the key. */
export function keyCheckOf(secret: KeyObject, storeId: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, storeId, 'sealcast store key check', 32));
}

export function isKeyOf(secret: KeyObject, storeId: Uint8Array, keyCheck: Uint8Array): boolean {
  const own = keyCheckOf(secret, storeId);
  return own.length === keyCheck.length && timingSafeEqual(own, keyCheck);
}

/**
 * AES-256-GCM over values.
 *
 * Nonces are random; with 96 bits of them a key is good for 2^32 values (SP 800-38D, 8.3). Each
 * writer has a key of its own, derived from its epoch, so that no key comes near that number
 * however long a store lives.
 *
 * Table and key are authenticated with the value: one that was moved to another place does not open
 * there.
 */
export class ValueCipher {
  readonly #secret: KeyObject;
  readonly #storeId: Uint8Array;
  readonly #epoch: number;
  readonly #keys = new Map<number, KeyObject>();
  readonly #nonces = new Uint8Array(NONCES_AT_ONCE * NONCE_BYTES);
  #nextNonce = NONCES_AT_ONCE;

  constructor(secret: KeyObject, storeId: Uint8Array, epoch: number) {
    this.#secret = secret;
    this.#storeId = storeId;
    this.#epoch = epoch;
  }

  /**
   * Encrypts the parts of a value, as one, into `target`.
   *
   * `target` is ENCRYPTION_OVERHEAD_BYTES longer than the parts.
   */
  seal(table: TableName, key: Uint8Array, parts: readonly Uint8Array[], target: Uint8Array): void {
    const nonce = this.#drawNonce();
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(this.#epoch), nonce);
    cipher.setAAD(associatedData(table, key));
    const view = new DataView(target.buffer, target.byteOffset);
    view.setBigUint64(0, BigInt(this.#epoch));
    target.set(nonce, EPOCH_BYTES);
    let end = HEADER_BYTES;
    for (const part of parts) {
      target.set(cipher.update(part), end);
      end += part.length;
    }
    cipher.final();
    target.set(cipher.getAuthTag(), target.length - TAG_BYTES);
  }

  /**
   * @throws SealcastError ERR_STORE_FAILED for a value that no writer with this key wrote to this
   *   place.
   */
  open(table: TableName, key: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
    try {
      const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
      const epoch = Number(view.getBigUint64(0));
      const tagStart = sealed.length - TAG_BYTES;
      const nonce = sealed.subarray(EPOCH_BYTES, HEADER_BYTES);
      if (epoch > this.#epoch || tagStart < HEADER_BYTES)
        throw new RangeError('not an encrypted value');
      const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(epoch), nonce, {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associatedData(table, key));
      decipher.setAuthTag(sealed.subarray(tagStart));
      const value = decipher.update(sealed.subarray(HEADER_BYTES, tagStart));
      decipher.final();
      // The caller gets a copy that is alone in its buffer.
      const own = new Uint8Array(value);
      value.fill(0);
      return own;
    } catch (cause) {
      const message = `a value of table ${table} does not authenticate: it was changed, or moved here from elsewhere`;
      throw new SealcastError('ERR_STORE_FAILED', message, { table, cause });
    }
  }

  #keyOf(epoch: number): KeyObject {
    let key = this.#keys.get(epoch);
    if (key === undefined) {
      // A store that was opened very often has values of as many writers; keys are quickly derived
      // again.
      if (this.#keys.size >= MAX_KEPT_KEYS) this.#keys.clear();
      key = deriveKey(this.#secret, this.#storeId, `sealcast store${epoch}`);
      this.#keys.set(epoch, key);
    }
    return key;
  }

  #drawNonce(): Uint8Array {
    if (this.#nextNonce === NONCES_AT_ONCE) {
      randomFillSync(this.#nonces);
      this.#nextNonce = 0;
    }
    const start = NONCE_BYTES * this.#nextNonce++;
    return this.#nonces.subarray(start, start + NONCE_BYTES);
  }
}
const MAX_KEPT_KEYS = 64;

/** Joins table name, a zero byte (no table's name has one), key. */
function associatedData(table: TableName, key: Uint8Array): Uint8Array {
  const data = Buffer.allocUnsafe(table.length + 1 + key.length);
  data.write(table, 'latin1');
  data[table.length] = 0;
  data.set(key, table.length + 1);
  return data;
}
