import { CIPHER_BLOCK_BYTES, KEY_BYTES } from '../abi';
import { substituteBytes } from './sbox';

// AES-256 (FIPS 197), eight blocks at once, bitsliced: no look-up, no branch, no address depends on key or data.
//
// The state is eight vectors. Bit j of byte i of vector k is bit k of byte i of block j, so that AddRoundKey is an XOR,
// ShiftRows and MixColumns move whole bytes by constant shuffles, and SubBytes is a circuit of ANDs and XORs.

export const SLICED_STATE_BYTES: usize = 128;
const ROUNDS: usize = 14;
const EXPANDED_KEY_BYTES: usize = (ROUNDS + 1) * CIPHER_BLOCK_BYTES;
/** A sliced round key: bit k of byte i of the key, eight times, in byte i of vector k. */
export const ROUND_KEYS_BYTES: usize = (ROUNDS + 1) * SLICED_STATE_BYTES;
/** Scratch that {@link expandKey} wants. */
export const EXPAND_KEY_SCRATCH_BYTES: usize = EXPANDED_KEY_BYTES + SLICED_STATE_BYTES;

/** 1 << k in every byte. */
@inline function bitMask(k: i32): v128 {
  return i8x16.splat(<i8>(<u8>1 << <u8>k));
}
/** All ones in the bytes of x that have bit k, zeros in the others. */
@inline function bitPlane(x: v128, k: i32): v128 {
  const mask = bitMask(k);
  return i8x16.eq(v128.and(x, mask), mask);
}

/** SubWord of FIPS 197, section 5.2, through the same circuit as the rounds. */
function substituteWord(word: u32, state: usize): u32 {
  const spread = i32x4.splat(word);
  for (let k = 0; k < 8; k++) v128.store(state + (<usize>k << 4), bitPlane(spread, k));
  substituteBytes(state);
  let out = i32x4.splat(0);
  for (let k = 0; k < 8; k++) out = v128.or(out, v128.and(v128.load(state + (<usize>k << 4)), bitMask(k)));
  return i32x4.extract_lane(out, 0);
}

/** roundKeys = the 15 sliced round keys of the 32-byte key (FIPS 197, section 5.2). Leaves secrets in `scratch`. */
export function expandKey(roundKeys: usize, key: usize, scratch: usize): void {
  const expanded = scratch;
  const state = scratch + EXPANDED_KEY_BYTES;
  memory.copy(expanded, key, KEY_BYTES);
  let roundConstant: u32 = 1;
  for (let at: usize = KEY_BYTES; at < EXPANDED_KEY_BYTES; at += 16) {
    // Words are little-endian here, so RotWord turns right and the round constant sits in the low byte. Even rows of
    // four words take RotWord and the constant, odd ones take SubWord alone.
    let word = load<u32>(expanded + at - 4);
    if (at & 16) {
      word = substituteWord(word, state);
    } else {
      word = substituteWord(rotr<u32>(word, 8), state) ^ roundConstant;
      roundConstant <<= 1;
    }
    for (let i: usize = 0; i < 16; i += 4) {
      word ^= load<u32>(expanded + at + i - KEY_BYTES);
      store<u32>(expanded + at + i, word);
    }
  }
  for (let round: usize = 0; round <= ROUNDS; round++) {
    const roundKey = v128.load(expanded + round * CIPHER_BLOCK_BYTES);
    const out = roundKeys + round * SLICED_STATE_BYTES;
    for (let k = 0; k < 8; k++) v128.store(out + (<usize>k << 4), bitPlane(roundKey, k));
  }
}

/** One level of the 8x8 bit transposition: swaps the bits of x that `mask << bits` names with those of y that `mask` names. */
@inline function swapBits(state: usize, x: usize, y: usize, bits: i32, mask: v128): void {
  const a = v128.load(state + (x << 4)), b = v128.load(state + (y << 4));
  const t = v128.and(v128.xor(i64x2.shr_u(a, bits), b), mask);
  v128.store(state + (y << 4), v128.xor(b, t));
  v128.store(state + (x << 4), v128.xor(a, i64x2.shl(t, bits)));
}

/** Eight blocks to a sliced state, or back: the transposition is its own inverse. */
export function transposeBits(state: usize): void {
  const mask1 = i8x16.splat(0x55), mask2 = i8x16.splat(0x33), mask4 = i8x16.splat(0x0f);
  swapBits(state, 0, 1, 1, mask1); swapBits(state, 2, 3, 1, mask1);
  swapBits(state, 4, 5, 1, mask1); swapBits(state, 6, 7, 1, mask1);
  swapBits(state, 0, 2, 2, mask2); swapBits(state, 1, 3, 2, mask2);
  swapBits(state, 4, 6, 2, mask2); swapBits(state, 5, 7, 2, mask2);
  swapBits(state, 0, 4, 4, mask4); swapBits(state, 1, 5, 4, mask4);
  swapBits(state, 2, 6, 4, mask4); swapBits(state, 3, 7, 4, mask4);
}

@inline function addRoundKey(state: usize, roundKey: usize): void {
  for (let at: usize = 0; at < SLICED_STATE_BYTES; at += 16) {
    v128.store(state + at, v128.xor(v128.load(state + at), v128.load(roundKey + at)));
  }
}

// Byte 4c + r of a block is row r of column c. ShiftRows takes row r from column c + r.
@inline function shiftRows(x: v128): v128 {
  return i8x16.shuffle(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}
/** ShiftRows, then every row moved up by one: what MixColumns multiplies by 3. */
@inline function shiftRowsUp(x: v128): v128 {
  return i8x16.shuffle(x, x, 5, 10, 15, 0, 9, 14, 3, 4, 13, 2, 7, 8, 1, 6, 11, 12);
}
@inline function upTwoRows(x: v128): v128 {
  return i8x16.shuffle(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}
/** One plane of MixColumns and AddRoundKey: `doubled` is the plane of 2 (a + a_up). */
@inline function mixPlane(state: usize, roundKey: usize, k: usize, doubled: v128, up: v128, sum: v128): void {
  const mixed = v128.xor(v128.xor(doubled, up), upTwoRows(sum));
  v128.store(state + (k << 4), v128.xor(mixed, v128.load(roundKey + (k << 4))));
}

/**
 * ShiftRows, MixColumns, AddRoundKey. With a the shifted state, a_up its rows moved up by one and s = a + a_up,
 * MixColumns is 2 s + a_up + (s moved up by two): 2 a0 + 3 a1 + a2 + a3 = 2 (a0 + a1) + a1 + (a2 + a3).
 * Doubling in GF(2^8) shifts the planes by one and adds plane 7 to planes 0, 1, 3 and 4 (x^8 = x^4 + x^3 + x + 1).
 */
function mixColumns(state: usize, roundKey: usize): void {
  const x0 = v128.load(state), x1 = v128.load(state, 16), x2 = v128.load(state, 32), x3 = v128.load(state, 48);
  const x4 = v128.load(state, 64), x5 = v128.load(state, 80), x6 = v128.load(state, 96), x7 = v128.load(state, 112);
  const up7 = shiftRowsUp(x7);
  const s7 = v128.xor(shiftRows(x7), up7);
  const up0 = shiftRowsUp(x0);
  const s0 = v128.xor(shiftRows(x0), up0);
  mixPlane(state, roundKey, 0, s7, up0, s0);
  const up1 = shiftRowsUp(x1);
  const s1 = v128.xor(shiftRows(x1), up1);
  mixPlane(state, roundKey, 1, v128.xor(s0, s7), up1, s1);
  const up2 = shiftRowsUp(x2);
  const s2 = v128.xor(shiftRows(x2), up2);
  mixPlane(state, roundKey, 2, s1, up2, s2);
  const up3 = shiftRowsUp(x3);
  const s3 = v128.xor(shiftRows(x3), up3);
  mixPlane(state, roundKey, 3, v128.xor(s2, s7), up3, s3);
  const up4 = shiftRowsUp(x4);
  const s4 = v128.xor(shiftRows(x4), up4);
  mixPlane(state, roundKey, 4, v128.xor(s3, s7), up4, s4);
  const up5 = shiftRowsUp(x5);
  const s5 = v128.xor(shiftRows(x5), up5);
  mixPlane(state, roundKey, 5, s4, up5, s5);
  const up6 = shiftRowsUp(x6);
  const s6 = v128.xor(shiftRows(x6), up6);
  mixPlane(state, roundKey, 6, s5, up6, s6);
  mixPlane(state, roundKey, 7, s6, up7, s7);
}

function lastRound(state: usize, roundKey: usize): void {
  for (let at: usize = 0; at < SLICED_STATE_BYTES; at += 16) {
    v128.store(state + at, v128.xor(shiftRows(v128.load(state + at)), v128.load(roundKey + at)));
  }
}

/** Encrypts the eight blocks of a sliced state in place. */
export function encryptSliced(state: usize, roundKeys: usize): void {
  addRoundKey(state, roundKeys);
  for (let round: usize = 1; round < ROUNDS; round++) {
    substituteBytes(state);
    mixColumns(state, roundKeys + round * SLICED_STATE_BYTES);
  }
  substituteBytes(state);
  lastRound(state, roundKeys + ROUNDS * SLICED_STATE_BYTES);
}
