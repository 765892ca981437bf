import { KEY_BYTES } from '../abi';
import { HMAC_PADS_BYTES, HMAC_SCRATCH_BYTES, hmacPads, hmacWithPads } from './hmac';

// HKDF-SHA256 (RFC 5869), one at a time, any lengths.

/** Scratch that {@link hkdf} wants besides `infoBytes` + 33: HMAC's, pads, the pseudorandom key. */
export const HKDF_SCRATCH_BYTES: usize = HMAC_SCRATCH_BYTES + HMAC_PADS_BYTES + KEY_BYTES;

/**
 * out = HKDF-SHA256(salt, ikm, info), `outBytes` <= 255 * 32 of it. The caller checks the length.
 * An empty salt is 32 zeros (RFC 5869, section 2.2), which HMAC's padding makes of it by itself.
 */
export function hkdf(
  out: usize, outBytes: usize,
  salt: usize, saltBytes: usize,
  ikm: usize, ikmBytes: usize,
  info: usize, infoBytes: usize,
  scratch: usize,
): void {
  const pads = scratch + HMAC_SCRATCH_BYTES;
  const prk = pads + HMAC_PADS_BYTES;
  const input = prk + KEY_BYTES;

  hmacPads(pads, salt, saltBytes, scratch);
  hmacWithPads(prk, pads, ikm, ikmBytes, scratch);

  // T(i) = HMAC(PRK, T(i - 1) || info || i), T(0) empty: input = T(i - 1) || info || i, begun 32
  // bytes later for i = 1.
  hmacPads(pads, prk, KEY_BYTES, scratch);
  memory.copy(input + KEY_BYTES, info, infoBytes);
  const counter = input + KEY_BYTES + infoBytes;
  let done: usize = 0;
  for (let i: u8 = 1; done < outBytes; i++) {
    store<u8>(counter, i);
    const begin = i == 1 ? input + KEY_BYTES : input;
    hmacWithPads(input, pads, begin, counter + 1 - begin, scratch);
    const takenBytes = min<usize>(KEY_BYTES, outBytes - done);
    memory.copy(out + done, input, takenBytes);
    done += takenBytes;
  }
}
