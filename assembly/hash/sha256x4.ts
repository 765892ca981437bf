import { HASH_BLOCK_BYTES } from '../abi';
import { INITIAL_STATE, ROUND_CONSTANTS } from './sha256';

// SHA-256 (FIPS 180-4) of four messages at once. Word i of all four is one u32x4 vector: a state is
// eight vectors, a block sixteen, and what HMAC and HKDF pass from one hash to the next never
// leaves that form.

export const WORD_X4_BYTES: usize = 16;
export const STATE_X4_BYTES: usize = 8 * WORD_X4_BYTES;
export const BLOCK_X4_BYTES: usize = 16 * WORD_X4_BYTES;
/**
 * A message schedule: the block's 16 words, and behind them the 48 that {@link compressX4} makes.
 */
export const SCHEDULE_X4_BYTES: usize = 64 * WORD_X4_BYTES;

@inline function rotateRight(x: v128, bits: i32): v128 {
  return v128.or(i32x4.shr_u(x, bits), i32x4.shl(x, 32 - bits));
}
@inline function xor3(a: v128, b: v128, c: v128): v128 {
  return v128.xor(v128.xor(a, b), c);
}
@inline function lowerSigma0(x: v128): v128 {
  return xor3(rotateRight(x, 7), rotateRight(x, 18), i32x4.shr_u(x, 3));
}
@inline function lowerSigma1(x: v128): v128 {
  return xor3(rotateRight(x, 17), rotateRight(x, 19), i32x4.shr_u(x, 10));
}
/** h + Sigma1(e) + Ch(e, f, g) + K[t] + W[t] */
@inline function t1(e: v128, f: v128, g: v128, h: v128, word: v128, constant: usize): v128 {
  const sigma = xor3(rotateRight(e, 6), rotateRight(e, 11), rotateRight(e, 25));
  const choose = v128.xor(g, v128.and(e, v128.xor(f, g)));
  return i32x4.add(i32x4.add(i32x4.add(h, i32x4.add(v128.load32_splat(constant), word)), choose), sigma);
}
/**
 * Sigma0(a) + Maj(a, b, c), of ab = a + b and bc = b + c in GF(2): the next round's bc is this
 * one's ab.
 */
@inline function t2(a: v128, b: v128, ab: v128, bc: v128): v128 {
  const sigma = xor3(rotateRight(a, 2), rotateRight(a, 13), rotateRight(a, 22));
  return i32x4.add(sigma, v128.xor(b, v128.and(ab, bc)));
}
@inline function byteSwap(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

export function initializeX4(state: usize): void {
  for (let i: usize = 0; i < 8; i++) v128.store(state + i * WORD_X4_BYTES, v128.load32_splat(INITIAL_STATE + i * 4));
}

/** out = state. (memory.copy is a call into the engine, which costs more than these few moves.) */
@inline export function copyStateX4(out: usize, state: usize): void {
  for (let at: usize = 0; at < STATE_X4_BYTES; at += WORD_X4_BYTES) v128.store(out + at, v128.load(state + at));
}

/**
 * Takes the block in the first 16 words of `schedule` into the state; the words behind are
 * overwritten.
 *
 * One round a turn, and with it the word of the round 16 later. Registers are renamed for nothing;
 * unrolled, older V8s reorder the rounds and spill a hundred values in eight.
 */
export function compressX4(state: usize, schedule: usize): void {
  let a = v128.load(state), b = v128.load(state, 16), c = v128.load(state, 32), d = v128.load(state, 48);
  let e = v128.load(state, 64), f = v128.load(state, 80), g = v128.load(state, 96), h = v128.load(state, 112);
  let bc = v128.xor(b, c);
  let k = ROUND_CONSTANTS;
  const lastBlock = schedule + (SCHEDULE_X4_BYTES - BLOCK_X4_BYTES);
  // W[t + 14] and W[t + 15] come in registers: their stores are recent.
  let word14 = v128.load(schedule, 14 * WORD_X4_BYTES), word15 = v128.load(schedule, 15 * WORD_X4_BYTES);
  for (let w = schedule; w < lastBlock; w += WORD_X4_BYTES) {
    const old = i32x4.add(v128.load(w), lowerSigma0(v128.load(w, 1 * WORD_X4_BYTES)));
    const word16 = i32x4.add(i32x4.add(old, v128.load(w, 9 * WORD_X4_BYTES)), lowerSigma1(word14));
    v128.store(w, word16, BLOCK_X4_BYTES);
    word14 = word15; word15 = word16;
    const t = t1(e, f, g, h, v128.load(w), k), ab = v128.xor(a, b), next = i32x4.add(t, t2(a, b, ab, bc));
    h = g; g = f; f = e; e = i32x4.add(d, t); d = c; c = b; b = a; a = next; bc = ab; k += 4;
  }
  for (let w = lastBlock; w < schedule + SCHEDULE_X4_BYTES; w += WORD_X4_BYTES) {
    const t = t1(e, f, g, h, v128.load(w), k), ab = v128.xor(a, b), next = i32x4.add(t, t2(a, b, ab, bc));
    h = g; g = f; f = e; e = i32x4.add(d, t); d = c; c = b; b = a; a = next; bc = ab; k += 4;
  }
  v128.store(state, i32x4.add(v128.load(state), a)); v128.store(state, i32x4.add(v128.load(state, 16), b), 16);
  v128.store(state, i32x4.add(v128.load(state, 32), c), 32); v128.store(state, i32x4.add(v128.load(state, 48), d), 48);
  v128.store(state, i32x4.add(v128.load(state, 64), e), 64); v128.store(state, i32x4.add(v128.load(state, 80), f), 80);
  v128.store(state, i32x4.add(v128.load(state, 96), g), 96); v128.store(state, i32x4.add(v128.load(state, 112), h), 112);
}

/** Four words from sixteen bytes of each lane: a 4x4 transposition and a byte swap. */
export function loadWordsX4(words: usize, lane0: usize, lane1: usize, lane2: usize, lane3: usize): void {
  const r0 = byteSwap(v128.load(lane0)), r1 = byteSwap(v128.load(lane1));
  const r2 = byteSwap(v128.load(lane2)), r3 = byteSwap(v128.load(lane3));
  const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7);
  const low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5), high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(words, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(words, i64x2.shuffle(low01, low23, 1, 3), 16);
  v128.store(words, i64x2.shuffle(high01, high23, 0, 2), 32);
  v128.store(words, i64x2.shuffle(high01, high23, 1, 3), 48);
}

/** Eight words from 32 bytes of each lane. */
export function loadKeyX4(words: usize, lane0: usize, lane1: usize, lane2: usize, lane3: usize): void {
  loadWordsX4(words, lane0, lane1, lane2, lane3);
  loadWordsX4(words + 64, lane0 + 16, lane1 + 16, lane2 + 16, lane3 + 16);
}

/** Sixteen words from a 64-byte block of each lane. */
export function loadBlockX4(words: usize, lane0: usize, lane1: usize, lane2: usize, lane3: usize): void {
  for (let i: usize = 0; i < <usize>HASH_BLOCK_BYTES; i += 16) {
    loadWordsX4(words + i * 4, lane0 + i, lane1 + i, lane2 + i, lane3 + i);
  }
}

/** 32 big-endian bytes for each lane from eight words. */
export function storeDigestX4(words: usize, lane0: usize, lane1: usize, lane2: usize, lane3: usize): void {
  for (let i: usize = 0; i < 32; i += 16) {
    const w = words + i * 4;
    const r0 = byteSwap(v128.load(w)), r1 = byteSwap(v128.load(w, 16));
    const r2 = byteSwap(v128.load(w, 32)), r3 = byteSwap(v128.load(w, 48));
    const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7);
    const low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5), high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
    v128.store(lane0 + i, i64x2.shuffle(low01, low23, 0, 2));
    v128.store(lane1 + i, i64x2.shuffle(low01, low23, 1, 3));
    v128.store(lane2 + i, i64x2.shuffle(high01, high23, 0, 2));
    v128.store(lane3 + i, i64x2.shuffle(high01, high23, 1, 3));
  }
}
