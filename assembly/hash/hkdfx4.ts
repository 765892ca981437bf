import { HASH_BLOCK_BYTES, KEY_BYTES } from '../abi';
import { hmacOuterX4, hmacPadsX4, padDigestBlockX4 } from './hmacx4';
import { laneKey, laneMessage, laneOut } from './lanes';
import { padTail } from './sha256';
import {
  SCHEDULE_X4_BYTES,
  STATE_X4_BYTES,
  WORD_X4_BYTES,
  compressX4,
  copyStateX4,
  initializeX4,
  loadBlockX4,
  loadKeyX4,
  storeDigestX4,
} from './sha256x4';

// HKDF-SHA256 (RFC 5869) of four lanes at once, in the one shape that sealed sender v1 uses: a salt
// longer than a hash block, 32 bytes of key material, no info, 96 bytes out.

const TAIL_BYTES: usize = 2 * HASH_BLOCK_BYTES;

// The scratch of this file: schedule | inner | outer | state | four padded salts.
const INNER_OFFSET: usize = SCHEDULE_X4_BYTES;
const OUTER_OFFSET: usize = INNER_OFFSET + STATE_X4_BYTES;
const STATE_OFFSET: usize = OUTER_OFFSET + STATE_X4_BYTES;
const TAILS_OFFSET: usize = STATE_OFFSET + STATE_X4_BYTES;
export const HKDF_X4_SCRATCH_BYTES: usize = TAILS_OFFSET + 4 * TAIL_BYTES;

/**
 * For each lane, out = HKDF-SHA256(salt = key, ikm = its 32-byte message, info = "")[96].
 *
 * 64 < saltBytes < 120, the same in all lanes: HMAC hashes such a key first, and it fills two
 * blocks with its padding.
 */
export function hkdf96X4(lanes: usize, saltBytes: usize, scratch: usize): void {
  assert(saltBytes > <usize>HASH_BLOCK_BYTES && saltBytes < TAIL_BYTES - 8, 'a salt of one block or of three');
  const schedule = scratch;
  const inner = scratch + INNER_OFFSET;
  const outer = scratch + OUTER_OFFSET;
  const state = scratch + STATE_OFFSET;
  const tails = scratch + TAILS_OFFSET;

  // The HMAC key of the extraction: SHA-256(salt).
  initializeX4(state);
  loadBlockX4(schedule, laneKey(lanes, 0), laneKey(lanes, 1), laneKey(lanes, 2), laneKey(lanes, 3));
  compressX4(state, schedule);
  for (let lane: usize = 0; lane < 4; lane++) padTail(tails + lane * TAIL_BYTES, laneKey(lanes, lane), saltBytes, saltBytes);
  loadBlockX4(schedule, tails, tails + TAIL_BYTES, tails + 2 * TAIL_BYTES, tails + 3 * TAIL_BYTES);
  compressX4(state, schedule);

  // PRK = HMAC(that, ikm)
  hmacPadsX4(inner, outer, state, schedule);
  loadKeyX4(schedule, laneMessage(lanes, 0), laneMessage(lanes, 1), laneMessage(lanes, 2), laneMessage(lanes, 3));
  padDigestBlockX4(schedule);
  copyStateX4(state, inner);
  compressX4(state, schedule);
  hmacOuterX4(state, outer, schedule);

  // T(1) = HMAC(PRK, 1), T(i) = HMAC(PRK, T(i - 1) || i): the counter byte and HMAC's 0x80 share a
  // word.
  hmacPadsX4(inner, outer, state, schedule);
  for (let i: u32 = 1; i <= 3; i++) {
    const prefixWords: usize = i == 1 ? 0 : 8;
    if (i > 1) copyStateX4(schedule, state);
    v128.store(schedule + prefixWords * WORD_X4_BYTES, i32x4.splat((i << 24) | 0x800000));
    for (let w = prefixWords + 1; w < 15; w++) v128.store(schedule + w * WORD_X4_BYTES, i32x4.splat(0));
    v128.store(schedule + 15 * WORD_X4_BYTES, i32x4.splat((HASH_BLOCK_BYTES + <i32>prefixWords * 4 + 1) * 8));
    copyStateX4(state, inner);
    compressX4(state, schedule);
    hmacOuterX4(state, outer, schedule);
    const at: usize = (i - 1) * KEY_BYTES;
    storeDigestX4(state, laneOut(lanes, 0) + at, laneOut(lanes, 1) + at, laneOut(lanes, 2) + at, laneOut(lanes, 3) + at);
  }
}
