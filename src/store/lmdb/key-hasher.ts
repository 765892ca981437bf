import { createHmac, type KeyObject } from 'node:crypto';
import { LruMap } from '../../util/lru-map.js';

/** Of the HMAC: enough that no two segments of a store meet. */
const HASH_BYTES = 16;
/** What is behind the last of so many segments is one more, so that a hashed key stays short: 152 bytes at most. */
const MAX_SEGMENTS = 8;
/** Segments whose hash is remembered: a recipient's id is hashed for a contact, sessions and an outbox row within one window. */
const MAX_CACHED = 8_192;

const SLASH = 0x2f;
const POINT = 0x2e;

/**
 * What an encrypted store has in place of its keys, so that its file does not list the subscribers: each segment of a key, up to `/`
 * or `.`, is HMAC-SHA256 of it, 16 bytes, with the separator behind it. Keys that share their first segments stay neighbours, so that
 * rows with a prefix (a broadcast's recipients, a device's chains) are one range; in all other respects the order is of chance.
 *
 * A segment has the same hash wherever it stands: a reader of the file sees which rows belong to one subscriber, and no subscriber's id.
 */
export class KeyHasher {
  readonly #secret: KeyObject;
  readonly #cached = new LruMap<string, Buffer>(MAX_CACHED);

  constructor(secret: KeyObject) {
    this.#secret = secret;
  }

  /** Of a key in UTF-8. */
  hash(key: Uint8Array): Buffer {
    const { ends, rest } = segmentsOf(key);
    return Buffer.concat([...this.#hashAll(key, ends), this.#hash(key.subarray(rest))]);
  }

  /**
   * The bytes with which the hashes of all keys begin that begin with a prefix.
   *
   * @returns `isExact`: no other keys' hashes begin with them.
   */
  hashPrefix(prefix: Uint8Array): { readonly start: Buffer; readonly isExact: boolean } {
    const { ends, rest } = segmentsOf(prefix);
    return { start: Buffer.concat(this.#hashAll(prefix, ends)), isExact: rest === prefix.length };
  }

  /** Each whole segment's hash, and its separator. */
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

/** Where separators are that end a segment, and where the last segment begins. */
function segmentsOf(key: Uint8Array): { readonly ends: readonly number[]; readonly rest: number } {
  const ends: number[] = [];
  for (let at = 0; at < key.length && ends.length < MAX_SEGMENTS; at++) {
    if (key[at] === SLASH || key[at] === POINT) ends.push(at);
  }
  return { ends, rest: (ends.at(-1) ?? -1) + 1 };
}
