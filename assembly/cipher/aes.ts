import { CIPHER_BLOCK_BYTES, KEY_BYTES } from '../abi';
import { ROW_BYTES, substituteBytes } from './sbox';

// AES-256 (FIPS 197) on 32 blocks at once, each under its own key, bitsliced: no look-up, no
// branch, no address depends on key or data.
//
// The state is four rows of eight planes. Bit j of lane c of plane k of row r is bit k of byte 4c +
// r of block j: row and column as FIPS 197 has them. So SubBytes is a circuit of ANDs and XORs,
// ShiftRows turns lanes, which is one instruction without a mask, and MixColumns moves nothing: it
// adds rows.

/** Blocks of a sliced state. */
export const SLICED_BLOCKS: usize = 32;
export const SLICED_STATE_BYTES: usize = SLICED_BLOCKS * CIPHER_BLOCK_BYTES;
const PLANE_BYTES: usize = 16;
const ROUNDS: usize = 14;
/** 15 sliced states: every block has its own round key. */
export const ROUND_KEYS_BYTES: usize = (ROUNDS + 1) * SLICED_STATE_BYTES;
/** Scratch that {@link expandKeys} wants. */
export const EXPAND_KEYS_SCRATCH_BYTES: usize = ROW_BYTES;

// --- Slicing -------------------------------------------------------------------------------------

/**
 * The lower bits of the pairs that each level of {@link transposeBlocks} swaps: 1, 2, 4, 8 and 16
 * apart. In memory, since newer V8s make a constant vector again at every use, in three
 * instructions.
 */
const LEVEL_MASKS: usize = memory.data<u32>([0x55555555, 0x33333333, 0x0f0f0f0f, 0x00ff00ff, 0x0000ffff]);

/** The bits that a level moves from x to y, and y's to x. */
@inline function crossing(x: v128, y: v128, bits: i32, mask: v128): v128 {
  return v128.and(v128.xor(i32x4.shr_u(x, bits), y), mask);
}

/**
 * 32 blocks to a sliced state, or back: a 32x32 bit transposition of each column, its own inverse.
 * Every level swaps the bits that `mask << bits` names of one vector with those that `mask` names
 * of another.
 */
export function transposeBlocks(state: usize): void {
  const mask1 = v128.load32_splat(LEVEL_MASKS), mask2 = v128.load32_splat(LEVEL_MASKS, 4);
  const mask4 = v128.load32_splat(LEVEL_MASKS, 8);
  for (let row = state; row < state + SLICED_STATE_BYTES; row += ROW_BYTES) {
    let v0 = v128.load(row), v1 = v128.load(row, 16), v2 = v128.load(row, 32), v3 = v128.load(row, 48);
    let v4 = v128.load(row, 64), v5 = v128.load(row, 80), v6 = v128.load(row, 96), v7 = v128.load(row, 112);
    let t = crossing(v0, v1, 1, mask1); v1 = v128.xor(v1, t); v0 = v128.xor(v0, i32x4.shl(t, 1));
    t = crossing(v2, v3, 1, mask1); v3 = v128.xor(v3, t); v2 = v128.xor(v2, i32x4.shl(t, 1));
    t = crossing(v4, v5, 1, mask1); v5 = v128.xor(v5, t); v4 = v128.xor(v4, i32x4.shl(t, 1));
    t = crossing(v6, v7, 1, mask1); v7 = v128.xor(v7, t); v6 = v128.xor(v6, i32x4.shl(t, 1));
    t = crossing(v0, v2, 2, mask2); v2 = v128.xor(v2, t); v0 = v128.xor(v0, i32x4.shl(t, 2));
    t = crossing(v1, v3, 2, mask2); v3 = v128.xor(v3, t); v1 = v128.xor(v1, i32x4.shl(t, 2));
    t = crossing(v4, v6, 2, mask2); v6 = v128.xor(v6, t); v4 = v128.xor(v4, i32x4.shl(t, 2));
    t = crossing(v5, v7, 2, mask2); v7 = v128.xor(v7, t); v5 = v128.xor(v5, i32x4.shl(t, 2));
    t = crossing(v0, v4, 4, mask4); v4 = v128.xor(v4, t); v0 = v128.xor(v0, i32x4.shl(t, 4));
    t = crossing(v1, v5, 4, mask4); v5 = v128.xor(v5, t); v1 = v128.xor(v1, i32x4.shl(t, 4));
    t = crossing(v2, v6, 4, mask4); v6 = v128.xor(v6, t); v2 = v128.xor(v2, i32x4.shl(t, 4));
    t = crossing(v3, v7, 4, mask4); v7 = v128.xor(v7, t); v3 = v128.xor(v3, i32x4.shl(t, 4));
    v128.store(row, v0); v128.store(row, v1, 16); v128.store(row, v2, 32); v128.store(row, v3, 48);
    v128.store(row, v4, 64); v128.store(row, v5, 80); v128.store(row, v6, 96); v128.store(row, v7, 112);
  }
  const mask8 = v128.load32_splat(LEVEL_MASKS, 12), mask16 = v128.load32_splat(LEVEL_MASKS, 16);
  for (let plane = state; plane < state + ROW_BYTES; plane += PLANE_BYTES) {
    let v0 = v128.load(plane), v1 = v128.load(plane, ROW_BYTES);
    let v2 = v128.load(plane, 2 * ROW_BYTES), v3 = v128.load(plane, 3 * ROW_BYTES);
    let t = crossing(v0, v1, 8, mask8); v1 = v128.xor(v1, t); v0 = v128.xor(v0, i32x4.shl(t, 8));
    t = crossing(v2, v3, 8, mask8); v3 = v128.xor(v3, t); v2 = v128.xor(v2, i32x4.shl(t, 8));
    t = crossing(v0, v2, 16, mask16); v2 = v128.xor(v2, t); v0 = v128.xor(v0, i32x4.shl(t, 16));
    t = crossing(v1, v3, 16, mask16); v3 = v128.xor(v3, t); v1 = v128.xor(v1, i32x4.shl(t, 16));
    v128.store(plane, v0); v128.store(plane, v1, ROW_BYTES);
    v128.store(plane, v2, 2 * ROW_BYTES); v128.store(plane, v3, 3 * ROW_BYTES);
  }
}

// --- Key schedule --------------------------------------------------------------------------------

/** Puts the halves of a 32-byte key where {@link expandKeys} reads those of block `block`. */
@inline export function layKey(roundKeys: usize, block: usize, key: usize): void {
  const out = roundKeys + block * CIPHER_BLOCK_BYTES;
  v128.store(out, v128.load(key));
  v128.store(out, v128.load(key, CIPHER_BLOCK_BYTES), SLICED_STATE_BYTES);
}

/** Lane 3, the last word, of four vectors. */
@inline function lastLanes(a: usize, b: usize, c: usize, d: usize): v128 {
  const ab = i32x4.shuffle(v128.load(a), v128.load(b), 2, 6, 3, 7);
  const cd = i32x4.shuffle(v128.load(c), v128.load(d), 2, 6, 3, 7);
  return i64x2.shuffle(ab, cd, 1, 3);
}
/**
 * One plane of the next round key, in all four lanes.
 *
 * Made of the round key before the last and of the word that joins them.
 */
@inline function nextPlane(plane: usize, joint: v128, upperHalf: v128): void {
  // Each word is the sum of the old words up to its own, and the joint: prefix sums in two steps.
  const old = v128.load(plane);
  const pairs = v128.xor(old, i64x2.shl(old, 32));
  const sums = v128.xor(pairs, v128.and(i32x4.shuffle(pairs, pairs, 1, 1, 1, 1), upperHalf));
  v128.store(plane, v128.xor(sums, joint), 2 * SLICED_STATE_BYTES);
}

/**
 * The 15 sliced round keys of 32 keys (FIPS 197, section 5.2). {@link layKey} wrote the keys'
 * halves. All but the first come with the 0x63 that {@link substituteBytes} leaves out: ShiftRows
 * and MixColumns (2 + 3 + 1 + 1 = 1) leave a state of equal bytes as it is. Leaves secrets in
 * `scratch`.
 */
export function expandKeys(roundKeys: usize, scratch: usize): void {
  transposeBlocks(roundKeys);
  transposeBlocks(roundKeys + SLICED_STATE_BYTES);
  const upperHalf = i32x4(0, 0, -1, -1);
  for (let round: usize = 2; round <= ROUNDS; round++) {
    const last = roundKeys + (round - 1) * SLICED_STATE_BYTES;
    const row0 = last, row1 = last + ROW_BYTES, row2 = last + 2 * ROW_BYTES, row3 = last + 3 * ROW_BYTES;
    // SubWord of the last word, its four rows side by side; in even rounds after RotWord, which
    // moves them up by one.
    for (let at: usize = 0; at < ROW_BYTES; at += PLANE_BYTES) {
      const word = round & 1
        ? lastLanes(row0 + at, row1 + at, row2 + at, row3 + at)
        : lastLanes(row1 + at, row2 + at, row3 + at, row0 + at);
      v128.store(scratch + at, word);
    }
    substituteBytes(scratch, scratch + ROW_BYTES);
    complement63(scratch);
    if (!(round & 1)) {
      // The round constant, 1 << (round / 2 - 1), in row 0.
      const plane = scratch + (round / 2 - 1) * PLANE_BYTES;
      v128.store(plane, v128.xor(v128.load(plane), i32x4(-1, 0, 0, 0)));
    }
    const old = last - SLICED_STATE_BYTES;
    for (let at: usize = 0; at < ROW_BYTES; at += PLANE_BYTES) {
      const word = v128.load(scratch + at);
      nextPlane(old + at, i32x4.shuffle(word, word, 0, 0, 0, 0), upperHalf);
      nextPlane(old + ROW_BYTES + at, i32x4.shuffle(word, word, 1, 1, 1, 1), upperHalf);
      nextPlane(old + 2 * ROW_BYTES + at, i32x4.shuffle(word, word, 2, 2, 2, 2), upperHalf);
      nextPlane(old + 3 * ROW_BYTES + at, i32x4.shuffle(word, word, 3, 3, 3, 3), upperHalf);
    }
  }
  for (let row = roundKeys + SLICED_STATE_BYTES; row < roundKeys + ROUND_KEYS_BYTES; row += ROW_BYTES) complement63(row);
}

/** Adds 0x63 to all bytes of a row: bits 0, 1, 5 and 6. */
@inline function complement63(row: usize): void {
  v128.store(row, v128.not(v128.load(row)));
  v128.store(row, v128.not(v128.load(row, PLANE_BYTES)), PLANE_BYTES);
  v128.store(row, v128.not(v128.load(row, 5 * PLANE_BYTES)), 5 * PLANE_BYTES);
  v128.store(row, v128.not(v128.load(row, 6 * PLANE_BYTES)), 6 * PLANE_BYTES);
}

// --- Rounds --------------------------------------------------------------------------------------

// ShiftRows takes row r of column c from column c + r. These load one plane of a row, shifted.
@inline function shiftedRow0(plane: usize): v128 {
  return v128.load(plane);
}
@inline function shiftedRow1(plane: usize): v128 {
  const x = v128.load(plane, ROW_BYTES);
  return i32x4.shuffle(x, x, 1, 2, 3, 0);
}
@inline function shiftedRow2(plane: usize): v128 {
  const x = v128.load(plane, 2 * ROW_BYTES);
  return i32x4.shuffle(x, x, 2, 3, 0, 1);
}
@inline function shiftedRow3(plane: usize): v128 {
  const x = v128.load(plane, 3 * ROW_BYTES);
  return i32x4.shuffle(x, x, 3, 0, 1, 2);
}
/** One plane of MixColumns and AddRoundKey, all rows: doubled sums d, rows a, sums s. */
@inline function mixPlane(
  plane: usize, key: usize,
  d0: v128, d1: v128, d2: v128, d3: v128,
  a0: v128, a1: v128, a2: v128, a3: v128,
  s0: v128, s1: v128, s2: v128, s3: v128,
): void {
  v128.store(plane, v128.xor(v128.xor(v128.xor(d0, a1), s2), v128.load(key)));
  v128.store(plane, v128.xor(v128.xor(v128.xor(d1, a2), s3), v128.load(key, ROW_BYTES)), ROW_BYTES);
  v128.store(plane, v128.xor(v128.xor(v128.xor(d2, a3), s0), v128.load(key, 2 * ROW_BYTES)), 2 * ROW_BYTES);
  v128.store(plane, v128.xor(v128.xor(v128.xor(d3, a0), s1), v128.load(key, 3 * ROW_BYTES)), 3 * ROW_BYTES);
}

/**
 * ShiftRows, MixColumns, AddRoundKey. With rows a0 .. a3, shifted, and sums s0 = a0 + a1, s1 = a1 +
 * a2 and so on in a ring, MixColumns of row 0 is 2 a0 + 3 a1 + a2 + a3 = 2 s0 + a1 + s2, and of the
 * others likewise. Doubling in GF(2^8) moves the planes up by one and adds plane 7 to planes 0, 1,
 * 3 and 4 (x^8 = x^4 + x^3 + x + 1).
 *
 * Plane k needs the sums of planes k, k - 1 and 7. Plane 7 is written last, so it can be read
 * again: with it, at most 16 values are alive.
 */
function mixColumns(state: usize, roundKey: usize): void {
  let p = state + 7 * PLANE_BYTES;
  let a0 = shiftedRow0(p), a1 = shiftedRow1(p), a2 = shiftedRow2(p), a3 = shiftedRow3(p);
  const top0 = v128.xor(a0, a1), top1 = v128.xor(a1, a2), top2 = v128.xor(a2, a3), top3 = v128.xor(a3, a0);

  p = state;
  let key = roundKey;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  let s0 = v128.xor(a0, a1), s1 = v128.xor(a1, a2), s2 = v128.xor(a2, a3), s3 = v128.xor(a3, a0);
  mixPlane(p, key, top0, top1, top2, top3, a0, a1, a2, a3, s0, s1, s2, s3);

  let d0 = v128.xor(s0, top0), d1 = v128.xor(s1, top1), d2 = v128.xor(s2, top2), d3 = v128.xor(s3, top3);
  p = state + 1 * PLANE_BYTES; key = roundKey + 1 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  d0 = s0; d1 = s1; d2 = s2; d3 = s3;
  p = state + 2 * PLANE_BYTES; key = roundKey + 2 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  d0 = v128.xor(s0, top0); d1 = v128.xor(s1, top1); d2 = v128.xor(s2, top2); d3 = v128.xor(s3, top3);
  p = state + 3 * PLANE_BYTES; key = roundKey + 3 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  d0 = v128.xor(s0, top0); d1 = v128.xor(s1, top1); d2 = v128.xor(s2, top2); d3 = v128.xor(s3, top3);
  p = state + 4 * PLANE_BYTES; key = roundKey + 4 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  d0 = s0; d1 = s1; d2 = s2; d3 = s3;
  p = state + 5 * PLANE_BYTES; key = roundKey + 5 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  d0 = s0; d1 = s1; d2 = s2; d3 = s3;
  p = state + 6 * PLANE_BYTES; key = roundKey + 6 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  s0 = v128.xor(a0, a1); s1 = v128.xor(a1, a2); s2 = v128.xor(a2, a3); s3 = v128.xor(a3, a0);
  mixPlane(p, key, d0, d1, d2, d3, a0, a1, a2, a3, s0, s1, s2, s3);

  p = state + 7 * PLANE_BYTES; key = roundKey + 7 * PLANE_BYTES;
  a0 = shiftedRow0(p); a1 = shiftedRow1(p); a2 = shiftedRow2(p); a3 = shiftedRow3(p);
  mixPlane(p, key, s0, s1, s2, s3, a0, a1, a2, a3, top0, top1, top2, top3);
}

/** state = input + roundKey */
@inline function addRoundKey(state: usize, input: usize, roundKey: usize): void {
  for (let at: usize = 0; at < SLICED_STATE_BYTES; at += PLANE_BYTES) {
    v128.store(state + at, v128.xor(v128.load(input + at), v128.load(roundKey + at)));
  }
}

/** ShiftRows, AddRoundKey. */
function lastRound(state: usize, roundKey: usize): void {
  for (let at: usize = 0; at < ROW_BYTES; at += PLANE_BYTES) {
    const p = state + at, key = roundKey + at;
    v128.store(p, v128.xor(shiftedRow0(p), v128.load(key)));
    v128.store(p, v128.xor(shiftedRow1(p), v128.load(key, ROW_BYTES)), ROW_BYTES);
    v128.store(p, v128.xor(shiftedRow2(p), v128.load(key, 2 * ROW_BYTES)), 2 * ROW_BYTES);
    v128.store(p, v128.xor(shiftedRow3(p), v128.load(key, 3 * ROW_BYTES)), 3 * ROW_BYTES);
  }
}

/** state = the 32 sliced blocks at `input`, encrypted. */
export function encryptSliced(state: usize, input: usize, roundKeys: usize): void {
  addRoundKey(state, input, roundKeys);
  const stateEnd = state + SLICED_STATE_BYTES;
  const lastRoundKey = roundKeys + ROUNDS * SLICED_STATE_BYTES;
  for (let roundKey = roundKeys + SLICED_STATE_BYTES; roundKey < lastRoundKey; roundKey += SLICED_STATE_BYTES) {
    substituteBytes(state, stateEnd);
    mixColumns(state, roundKey);
  }
  substituteBytes(state, stateEnd);
  lastRound(state, lastRoundKey);
}
