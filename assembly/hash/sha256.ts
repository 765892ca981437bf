import { HASH_BLOCK_BYTES } from '../abi';

// SHA-256 (FIPS 180-4), one message at a time. The state is eight u32 words.

/**
 * FIPS 180-4, section 4.2.2: 32 bits of the fractional parts of the cube roots of the first 64
 * primes.
 */
export const ROUND_CONSTANTS: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
], 16);

/** FIPS 180-4, section 5.3.3. */
export const INITIAL_STATE: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
], 16);

export const SHA256_STATE_BYTES: usize = 32;
/** Scratch that {@link compress} wants: the message schedule. */
export const SHA256_SCHEDULE_BYTES: usize = 256;
/** Scratch that {@link sha256} wants: schedule, state, two padded blocks. */
export const SHA256_SCRATCH_BYTES: usize = SHA256_SCHEDULE_BYTES + SHA256_STATE_BYTES + 2 * HASH_BLOCK_BYTES;

@inline function loadWord(bytes: usize): u32 {
  return bswap<u32>(load<u32>(bytes));
}
@inline function upperSigma0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}
@inline function upperSigma1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}
@inline function lowerSigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}
@inline function lowerSigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}
/** h + Sigma1(e) + Ch(e, f, g) + K[t] + W[t] */
@inline function t1(e: u32, f: u32, g: u32, h: u32, schedule: usize, constants: usize): u32 {
  return h + upperSigma1(e) + (g ^ (e & (f ^ g))) + load<u32>(constants) + load<u32>(schedule);
}
/** Sigma0(a) + Maj(a, b, c) */
@inline function t2(a: u32, b: u32, c: u32): u32 {
  return upperSigma0(a) + ((a & b) ^ (c & (a ^ b)));
}

export function initialize(state: usize): void {
  memory.copy(state, INITIAL_STATE, SHA256_STATE_BYTES);
}

/**
 * Takes one 64-byte block into the state (FIPS 180-4, section 6.2.2). Leaves the message schedule
 * in `schedule`.
 */
export function compress(state: usize, block: usize, schedule: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(schedule + i, loadWord(block + i));
  // W[t - 2] comes in a register: its store is recent.
  let even = load<u32>(schedule, 56), odd = load<u32>(schedule, 60);
  for (let w = schedule; w < schedule + 192; w += 8) {
    even = lowerSigma1(even) + load<u32>(w, 36) + lowerSigma0(load<u32>(w, 4)) + load<u32>(w);
    store<u32>(w, even, 64);
    odd = lowerSigma1(odd) + load<u32>(w, 40) + lowerSigma0(load<u32>(w, 8)) + load<u32>(w, 4);
    store<u32>(w, odd, 68);
  }
  let a = load<u32>(state), b = load<u32>(state, 4), c = load<u32>(state, 8), d = load<u32>(state, 12);
  let e = load<u32>(state, 16), f = load<u32>(state, 20), g = load<u32>(state, 24), h = load<u32>(state, 28);
  // Eight rounds a turn: after eight, every variable is back in its place and none had to move.
  for (let i: usize = 0; i < 256; i += 32) {
    const w = schedule + i, k = ROUND_CONSTANTS + i;
    h = t1(e, f, g, h, w, k); d += h; h += t2(a, b, c);
    g = t1(d, e, f, g, w + 4, k + 4); c += g; g += t2(h, a, b);
    f = t1(c, d, e, f, w + 8, k + 8); b += f; f += t2(g, h, a);
    e = t1(b, c, d, e, w + 12, k + 12); a += e; e += t2(f, g, h);
    d = t1(a, b, c, d, w + 16, k + 16); h += d; d += t2(e, f, g);
    c = t1(h, a, b, c, w + 20, k + 20); g += c; c += t2(d, e, f);
    b = t1(g, h, a, b, w + 24, k + 24); f += b; b += t2(c, d, e);
    a = t1(f, g, h, a, w + 28, k + 28); e += a; a += t2(b, c, d);
  }
  store<u32>(state, load<u32>(state) + a); store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8); store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16); store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24); store<u32>(state, load<u32>(state, 28) + h, 28);
}

/**
 * Writes the end of a message as whole blocks at `blocks` (FIPS 180-4, section 5.1.1): the bytes
 * behind the last full block, 0x80, zeros, and the bit length of `totalBytes`, big-endian. Gives
 * the number of blocks, 1 or 2.
 */
export function padTail(blocks: usize, message: usize, messageBytes: usize, totalBytes: u64): usize {
  const tailBytes = messageBytes & (HASH_BLOCK_BYTES - 1);
  const blockCount: usize = tailBytes < <usize>HASH_BLOCK_BYTES - 8 ? 1 : 2;
  const zero = i64x2.splat(0);
  for (let at: usize = 0; at < blockCount * HASH_BLOCK_BYTES; at += 16) v128.store(blocks + at, zero);
  memory.copy(blocks, message + (messageBytes - tailBytes), tailBytes);
  store<u8>(blocks + tailBytes, 0x80);
  store<u64>(blocks + blockCount * HASH_BLOCK_BYTES - 8, bswap<u64>(totalBytes << 3));
  return blockCount;
}

/**
 * Takes the rest of a message into a state and makes the state final. The state has taken
 * `prefixBytes` (whole blocks) before.
 */
export function finish(state: usize, message: usize, messageBytes: usize, prefixBytes: u64, schedule: usize, blocks: usize): void {
  const fullBytes = messageBytes & ~(<usize>HASH_BLOCK_BYTES - 1);
  for (let i: usize = 0; i < fullBytes; i += HASH_BLOCK_BYTES) compress(state, message + i, schedule);
  const blockCount = padTail(blocks, message, messageBytes, prefixBytes + messageBytes);
  for (let i: usize = 0; i < blockCount; i++) compress(state, blocks + i * HASH_BLOCK_BYTES, schedule);
}

/** out = the state as 32 big-endian bytes. out may be the state. */
export function storeDigest(out: usize, state: usize): void {
  for (let i: usize = 0; i < SHA256_STATE_BYTES; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(state + i)));
}

/** out = SHA-256 of the message, 32 bytes. */
export function sha256(out: usize, message: usize, messageBytes: usize, scratch: usize): void {
  const state = scratch + SHA256_SCHEDULE_BYTES;
  initialize(state);
  finish(state, message, messageBytes, 0, scratch, state + SHA256_STATE_BYTES);
  storeDigest(out, state);
}
