// HKDF-SHA256, RFC 5869 section 2.
import { concatBytes, type Bytes } from './bytes.js';
import { hmacSha256 } from './hmac.js';
import { DIGEST_BYTES } from './sha256.js';

export const MAX_OUTPUT_BYTES = 255 * DIGEST_BYTES;

export function hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Bytes {
  return hmacSha256(salt, ikm);
}

export function hkdfExpand(prk: Uint8Array, info: Uint8Array, lengthBytes: number): Bytes {
  if (lengthBytes > MAX_OUTPUT_BYTES)
    throw new RangeError(`HKDF-SHA256 gives at most ${MAX_OUTPUT_BYTES} bytes`);
  const blocks: Bytes[] = [];
  let previous: Bytes = new Uint8Array(0);
  for (let counter = 1; blocks.length * DIGEST_BYTES < lengthBytes; counter++) {
    previous = hmacSha256(prk, concatBytes(previous, info, Uint8Array.of(counter)));
    blocks.push(previous);
  }
  return concatBytes(...blocks).slice(0, lengthBytes);
}

export function hkdfSha256(
  salt: Uint8Array,
  ikm: Uint8Array,
  info: Uint8Array,
  lengthBytes: number,
): Bytes {
  return hkdfExpand(hkdfExtract(salt, ikm), info, lengthBytes);
}
