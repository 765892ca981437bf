import { createHmac, type KeyObject } from 'node:crypto';
import { LruMap } from '../../util/lru-map.js';

/** Bytes of the HMAC: enough that no two segments of a store collide. */
export const HASH_BYTES = 16;
/**
 * Most segments of a key; the text behind the last of them is one more.
 *
 * A hashed key has at most 8 * (16 + 1) + 16 = 152 bytes.
 */
const MAX_SEGMENTS = 8;
/**
 * Most segments whose hashes are cached.
 *
 * A recipient's id is hashed for a contact, sessions and an outbox row within one window.
 */
const MAX_CACHED = 8_192;

const SLASH = 0x2f;
const POINT = 0x2e;

/**
 * Hasher of an encrypted store's keys, so that its file does not list the contacts.
 *
 * Each segment of a key, up to `/` or `.`, is replaced by its HMAC-SHA256, 16 bytes, with the
 * separator behind it. Keys that share their first segments stay neighbors, so that rows with a
 * prefix (a broadcast's recipients, a device's sender keys) are one range; in all other respects
 * the order is random.
 *
 * A segment has the same hash wherever it occurs: a reader of the file sees which rows belong to
 * one contact, and no contact's id.
 */
export class KeyHasher {
  readonly #secret: KeyObject;
  readonly #cached = new LruMap<string, Buffer>(MAX_CACHED);

  constructor(secret: KeyObject) {
    this.#secret = secret;
  }

  /** Hashes a key in UTF-8. */
  hash(key: Uint8Array): Buffer {
    const { ends, rest } = segmentsOf(key);
    return Buffer.concat([...this.#hashAll(key, ends), this.#hash(key.subarray(rest))]);
  }

  /**
   * Computes the bytes with which the hashes of all keys with this prefix begin.
   *
   * @returns `isExact`: no other keys' hashes begin with them.
   */
  hashPrefix(prefix: Uint8Array): { readonly start: Buffer; readonly isExact: boolean } {
    const { ends, rest } = segmentsOf(prefix);
    return { start: Buffer.concat(this.#hashAll(prefix, ends)), isExact: rest === prefix.length };
  }

  /** Hashes each whole segment, with its separator behind it. */
  #hashAll(key: Uint8Array, ends: readonly number[]): Uint8Array[] {
    return ends.flatMap((end, i) => [
      this.#hash(key.subarray(i === 0 ? 0 : (ends[i - 1] ?? 0) + 1, end)),
      key.subarray(end, end + 1),
    ]);
  }

  #hash(segment: Uint8Array): Buffer {
    const text = Buffer.from(segment.buffer, segment.byteOffset, segment.length).toString('latin1');
    let hash = this.#cached.get(text);
    if (hash === undefined) {
      hash = createHmac('sha256', this.#secret).update(segment).digest().subarray(0, HASH_BYTES);
      this.#cached.set(text, hash);
    }
    return hash;
  }
}

/** Finds the separators that end a segment, and the beginning of the last segment. */
function segmentsOf(key: Uint8Array): { readonly ends: readonly number[]; readonly rest: number } {
  const ends: number[] = [];
  for (let at = 0; at < key.length && ends.length < MAX_SEGMENTS; at++) {
    if (key[at] === SLASH || key[at] === POINT) ends.push(at);
  }
  return { ends, rest: (ends.at(-1) ?? -1) + 1 };
}
