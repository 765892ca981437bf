import { HASH_BLOCK_BYTES, KEY_BYTES } from '../abi';
import {
  SHA256_SCHEDULE_BYTES,
  SHA256_SCRATCH_BYTES,
  SHA256_STATE_BYTES,
  compress,
  finish,
  initialize,
  sha256,
  storeDigest,
} from './sha256';

// HMAC-SHA256 (RFC 2104), one message at a time, any key length.

const INNER_PAD: u64 = 0x3636363636363636;
const OUTER_PAD: u64 = 0x5c5c5c5c5c5c5c5c;

/** The states behind the inner and the outer pad: all that a key is needed for. */
export const HMAC_PADS_BYTES: usize = 2 * SHA256_STATE_BYTES;
/** Scratch that the functions here want: SHA-256's, a key block, an inner state. */
export const HMAC_SCRATCH_BYTES: usize = SHA256_SCRATCH_BYTES + HASH_BLOCK_BYTES + SHA256_STATE_BYTES;

function absorbPad(state: usize, keyBlock: usize, pad: u64, schedule: usize): void {
  for (let i: usize = 0; i < <usize>HASH_BLOCK_BYTES; i += 8) store<u64>(keyBlock + i, load<u64>(keyBlock + i) ^ pad);
  initialize(state);
  compress(state, keyBlock, schedule);
}

/** pads = what the key contributes to every HMAC under it. */
export function hmacPads(pads: usize, key: usize, keyBytes: usize, scratch: usize): void {
  const keyBlock = scratch + SHA256_SCRATCH_BYTES;
  memory.fill(keyBlock, 0, HASH_BLOCK_BYTES);
  if (keyBytes > <usize>HASH_BLOCK_BYTES) sha256(keyBlock, key, keyBytes, scratch);
  else memory.copy(keyBlock, key, keyBytes);
  absorbPad(pads, keyBlock, INNER_PAD, scratch);
  absorbPad(pads + SHA256_STATE_BYTES, keyBlock, INNER_PAD ^ OUTER_PAD, scratch);
}

/**
 * out = HMAC-SHA256 of the message under the key behind `pads`, 32 bytes. out may overlap the
 * message.
 */
export function hmacWithPads(out: usize, pads: usize, message: usize, messageBytes: usize, scratch: usize): void {
  const schedule = scratch;
  const state = scratch + SHA256_SCHEDULE_BYTES;
  const blocks = state + SHA256_STATE_BYTES;
  const innerDigest = scratch + SHA256_SCRATCH_BYTES + HASH_BLOCK_BYTES;
  memory.copy(state, pads, SHA256_STATE_BYTES);
  finish(state, message, messageBytes, HASH_BLOCK_BYTES, schedule, blocks);
  storeDigest(innerDigest, state);
  memory.copy(state, pads + SHA256_STATE_BYTES, SHA256_STATE_BYTES);
  finish(state, innerDigest, KEY_BYTES, HASH_BLOCK_BYTES, schedule, blocks);
  storeDigest(out, state);
}

/** out = HMAC-SHA256(key, message), 32 bytes. `pads` is scratch of HMAC_PADS_BYTES. */
export function hmac(
  out: usize, key: usize, keyBytes: usize,
  message: usize, messageBytes: usize,
  pads: usize, scratch: usize,
): void {
  hmacPads(pads, key, keyBytes, scratch);
  hmacWithPads(out, pads, message, messageBytes, scratch);
}
