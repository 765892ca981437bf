import { HASH_BLOCK_BYTES } from '../abi';
import { INITIAL_STATE, ROUND_CONSTANTS } from './sha256';

// SHA-256 (FIPS 180-4) of four messages at once. Word i of all four is one u32x4 vector: a state is eight vectors, a
// block sixteen, and what HMAC and HKDF pass from one hash to the next never leaves that form.

export const WORD_X4_BYTES: usize = 16;
export const STATE_X4_BYTES: usize = 8 * WORD_X4_BYTES;
export const BLOCK_X4_BYTES: usize = 16 * WORD_X4_BYTES;
/** A message schedule: the block's 16 words, and behind them the 48 that {@link compressX4} makes. */
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
@inline function t1(e: v128, f: v128, g: v128, h: v128, schedule: usize, constant: usize): v128 {
  const sigma = xor3(rotateRight(e, 6), rotateRight(e, 11), rotateRight(e, 25));
  const choose = v128.xor(g, v128.and(e, v128.xor(f, g)));
  const input = i32x4.add(v128.load32_splat(constant), v128.load(schedule));
  return i32x4.add(i32x4.add(h, input), i32x4.add(sigma, choose));
}
/** Sigma0(a) + Maj(a, b, c) */
@inline function t2(a: v128, b: v128, c: v128): v128 {
  const sigma = xor3(rotateRight(a, 2), rotateRight(a, 13), rotateRight(a, 22));
  const majority = v128.xor(v128.and(a, b), v128.and(c, v128.xor(a, b)));
  return i32x4.add(sigma, majority);
}
@inline function byteSwap(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

export function initializeX4(state: usize): void {
  for (let i: usize = 0; i < 8; i++) v128.store(state + i * WORD_X4_BYTES, v128.load32_splat(INITIAL_STATE + i * 4));
}

/** Takes the block in the first 16 words of `schedule` into the state; the words behind are overwritten. */
export function compressX4(state: usize, schedule: usize): void {
  for (let w = schedule + BLOCK_X4_BYTES; w < schedule + SCHEDULE_X4_BYTES; w += WORD_X4_BYTES) {
    const recent = i32x4.add(lowerSigma1(v128.load(w - 2 * WORD_X4_BYTES)), v128.load(w - 7 * WORD_X4_BYTES));
    const old = i32x4.add(lowerSigma0(v128.load(w - 15 * WORD_X4_BYTES)), v128.load(w - 16 * WORD_X4_BYTES));
    v128.store(w, i32x4.add(recent, old));
  }
  const a0 = v128.load(state), b0 = v128.load(state, 16), c0 = v128.load(state, 32), d0 = v128.load(state, 48);
  const e0 = v128.load(state, 64), f0 = v128.load(state, 80), g0 = v128.load(state, 96), h0 = v128.load(state, 112);
  let a = a0, b = b0, c = c0, d = d0, e = e0, f = f0, g = g0, h = h0;
  let k = ROUND_CONSTANTS;
  // Eight rounds a turn: after eight, every variable is back in its place and none had to move.
  for (let w = schedule; w < schedule + SCHEDULE_X4_BYTES; w += 8 * WORD_X4_BYTES) {
    h = t1(e, f, g, h, w, k); d = i32x4.add(d, h); h = i32x4.add(h, t2(a, b, c));
    g = t1(d, e, f, g, w + 16, k + 4); c = i32x4.add(c, g); g = i32x4.add(g, t2(h, a, b));
    f = t1(c, d, e, f, w + 32, k + 8); b = i32x4.add(b, f); f = i32x4.add(f, t2(g, h, a));
    e = t1(b, c, d, e, w + 48, k + 12); a = i32x4.add(a, e); e = i32x4.add(e, t2(f, g, h));
    d = t1(a, b, c, d, w + 64, k + 16); h = i32x4.add(h, d); d = i32x4.add(d, t2(e, f, g));
    c = t1(h, a, b, c, w + 80, k + 20); g = i32x4.add(g, c); c = i32x4.add(c, t2(d, e, f));
    b = t1(g, h, a, b, w + 96, k + 24); f = i32x4.add(f, b); b = i32x4.add(b, t2(c, d, e));
    a = t1(f, g, h, a, w + 112, k + 28); e = i32x4.add(e, a); a = i32x4.add(a, t2(b, c, d));
    k += 32;
  }
  v128.store(state, i32x4.add(a0, a)); v128.store(state, i32x4.add(b0, b), 16);
  v128.store(state, i32x4.add(c0, c), 32); v128.store(state, i32x4.add(d0, d), 48);
  v128.store(state, i32x4.add(e0, e), 64); v128.store(state, i32x4.add(f0, f), 80);
  v128.store(state, i32x4.add(g0, g), 96); v128.store(state, i32x4.add(h0, h), 112);
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

/** One lane's state as the eight words that `sha256.ts` works on. */
export function extractLane(out: usize, state: usize, lane: usize): void {
  for (let i: usize = 0; i < 8; i++) store<u32>(out + i * 4, load<u32>(state + i * WORD_X4_BYTES + lane * 4));
}

/** The inverse of {@link extractLane}. */
export function insertLane(state: usize, lane: usize, words: usize): void {
  for (let i: usize = 0; i < 8; i++) store<u32>(state + i * WORD_X4_BYTES + lane * 4, load<u32>(words + i * 4));
}
