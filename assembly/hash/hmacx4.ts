import { HASH_BLOCK_BYTES, KEY_BYTES } from '../abi';
import { laneKey, laneMessage, laneMessageBytes, laneOut } from './lanes';
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

// HMAC-SHA256 (RFC 2104) of four messages at once, each under its own 32-byte key.

const TAIL_BYTES: usize = 2 * HASH_BLOCK_BYTES;

// The scratch of this file: schedule | inner | outer | state | final states | four tails.
const INNER_OFFSET: usize = SCHEDULE_X4_BYTES;
const OUTER_OFFSET: usize = INNER_OFFSET + STATE_X4_BYTES;
const STATE_OFFSET: usize = OUTER_OFFSET + STATE_X4_BYTES;
const FINAL_OFFSET: usize = STATE_OFFSET + STATE_X4_BYTES;
const TAILS_OFFSET: usize = FINAL_OFFSET + STATE_X4_BYTES;
export const HMAC_X4_SCRATCH_BYTES: usize = TAILS_OFFSET + 4 * TAIL_BYTES;

/**
 * Words 8 to 15 of a block that holds a 32-byte message behind one 64-byte pad: 0x80, zeros, the
 * length in bits.
 */
@inline export function padDigestBlockX4(words: usize): void {
  v128.store(words + 8 * WORD_X4_BYTES, i32x4.splat(<i32>0x80000000));
  for (let i: usize = 9; i < 15; i++) v128.store(words + i * WORD_X4_BYTES, i32x4.splat(0));
  v128.store(words + 15 * WORD_X4_BYTES, i32x4.splat((HASH_BLOCK_BYTES + KEY_BYTES) * 8));
}

function absorbPadX4(state: usize, keyWords: usize, pad: u32, schedule: usize): void {
  const padVector = i32x4.splat(pad);
  for (let i: usize = 0; i < 8; i++) {
    v128.store(schedule + i * WORD_X4_BYTES, v128.xor(v128.load(keyWords + i * WORD_X4_BYTES), padVector));
  }
  for (let i: usize = 8; i < 16; i++) v128.store(schedule + i * WORD_X4_BYTES, padVector);
  initializeX4(state);
  compressX4(state, schedule);
}

/** inner, outer = the states behind the pads of four 32-byte keys, given as eight words. */
export function hmacPadsX4(inner: usize, outer: usize, keyWords: usize, schedule: usize): void {
  absorbPadX4(inner, keyWords, 0x36363636, schedule);
  absorbPadX4(outer, keyWords, 0x5c5c5c5c, schedule);
}

/** state = HMACs, as words, from the inner digests in `state`. state may not be outer. */
export function hmacOuterX4(state: usize, outer: usize, schedule: usize): void {
  copyStateX4(schedule, state);
  padDigestBlockX4(schedule);
  copyStateX4(state, outer);
  compressX4(state, schedule);
}

/**
 * The block with this index of a lane's padded message. A lane that has ended gets its last one
 * again.
 */
@inline function blockOf(lanes: usize, lane: usize, index: usize, tails: usize): usize {
  const fullBlocks = laneMessageBytes(lanes, lane) / HASH_BLOCK_BYTES;
  if (index < fullBlocks) return laneMessage(lanes, lane) + index * HASH_BLOCK_BYTES;
  const tailIndex = min<usize>(index - fullBlocks, 1);
  return tails + lane * TAIL_BYTES + tailIndex * HASH_BLOCK_BYTES;
}
@inline function blockCount(messageBytes: usize): usize {
  return (messageBytes + 9 + (HASH_BLOCK_BYTES - 1)) / HASH_BLOCK_BYTES;
}
@inline function endMask(end0: usize, end1: usize, end2: usize, end3: usize, index: usize): v128 {
  return i32x4.eq(i32x4(<i32>end0, <i32>end1, <i32>end2, <i32>end3), i32x4.splat(<i32>index));
}

/**
 * Takes the lanes' 32-byte keys into `scratch`. They last for any number of {@link hmacMessagesX4}.
 */
export function hmacKeysX4(lanes: usize, scratch: usize): void {
  const words = scratch + STATE_OFFSET;
  loadKeyX4(words, laneKey(lanes, 0), laneKey(lanes, 1), laneKey(lanes, 2), laneKey(lanes, 3));
  hmacPadsX4(scratch + INNER_OFFSET, scratch + OUTER_OFFSET, words, scratch);
}

/**
 * For each lane, out = HMAC-SHA256(key, message), 32 bytes; keys are 32 bytes, messages of any
 * lengths.
 */
export function hmacX4(lanes: usize, scratch: usize): void {
  hmacKeysX4(lanes, scratch);
  hmacMessagesX4(lanes, scratch);
}

/**
 * {@link hmacX4} under the keys that {@link hmacKeysX4} has taken into `scratch`.
 *
 * Goes on by four to the end of the longest message: four lanes cost little more than one alone.
 */
export function hmacMessagesX4(lanes: usize, scratch: usize): void {
  const schedule = scratch;
  const inner = scratch + INNER_OFFSET;
  const outer = scratch + OUTER_OFFSET;
  const state = scratch + STATE_OFFSET;
  const final = scratch + FINAL_OFFSET;
  const tails = scratch + TAILS_OFFSET;

  copyStateX4(state, inner);

  for (let lane: usize = 0; lane < 4; lane++) {
    const messageBytes = laneMessageBytes(lanes, lane);
    padTail(tails + lane * TAIL_BYTES, laneMessage(lanes, lane), messageBytes, <u64>HASH_BLOCK_BYTES + messageBytes);
  }
  const end0 = blockCount(laneMessageBytes(lanes, 0)), end1 = blockCount(laneMessageBytes(lanes, 1));
  const end2 = blockCount(laneMessageBytes(lanes, 2)), end3 = blockCount(laneMessageBytes(lanes, 3));
  const lastEnd = max(max(end0, end1), max(end2, end3));

  // While all four have whole blocks left, each is at its place in the message.
  let index: usize = 0;
  const whole0 = laneMessageBytes(lanes, 0) / HASH_BLOCK_BYTES, whole1 = laneMessageBytes(lanes, 1) / HASH_BLOCK_BYTES;
  const whole2 = laneMessageBytes(lanes, 2) / HASH_BLOCK_BYTES, whole3 = laneMessageBytes(lanes, 3) / HASH_BLOCK_BYTES;
  const allWhole = min(min(whole0, whole1), min(whole2, whole3));
  for (; index < allWhole; index++) {
    const at = index * HASH_BLOCK_BYTES;
    loadBlockX4(
      schedule,
      laneMessage(lanes, 0) + at, laneMessage(lanes, 1) + at, laneMessage(lanes, 2) + at, laneMessage(lanes, 3) + at,
    );
    compressX4(state, schedule);
  }
  while (index < lastEnd) {
    loadBlockX4(
      schedule,
      blockOf(lanes, 0, index, tails), blockOf(lanes, 1, index, tails),
      blockOf(lanes, 2, index, tails), blockOf(lanes, 3, index, tails),
    );
    compressX4(state, schedule);
    index++;
    // A lane that ends here leaves its state in `final`; what it computes from now on is dropped.
    const ended = endMask(end0, end1, end2, end3, index);
    for (let i: usize = 0; i < 8; i++) {
      const at = i * WORD_X4_BYTES;
      v128.store(final + at, v128.bitselect(v128.load(state + at), v128.load(final + at), ended));
    }
  }

  hmacOuterX4(final, outer, schedule);
  storeDigestX4(final, laneOut(lanes, 0), laneOut(lanes, 1), laneOut(lanes, 2), laneOut(lanes, 3));
}
