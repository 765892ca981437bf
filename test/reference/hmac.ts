// HMAC-SHA256, RFC 2104 section 2: H(K xor opad, H(K xor ipad, text)).
import { concatBytes, type Bytes } from './bytes.js';
import { BLOCK_BYTES, sha256 } from './sha256.js';

export function hmacSha256(key: Uint8Array, text: Uint8Array): Bytes {
  const k = new Uint8Array(BLOCK_BYTES);
  k.set(key.length > BLOCK_BYTES ? sha256(key) : key);
  const innerKey = k.map((byte) => byte ^ 0x36);
  const outerKey = k.map((byte) => byte ^ 0x5c);
  return sha256(concatBytes(outerKey, sha256(concatBytes(innerKey, text))));
}
