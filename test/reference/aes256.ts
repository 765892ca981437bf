// AES-256, FIPS 197, the cipher alone. The S-box is computed from its definition (section 5.1.1),
// not tabulated.
import { byteAt, type Bytes } from './bytes.js';

export const KEY_BYTES = 32;
export const BLOCK_BYTES = 16;

const ROUND_COUNT = 14;
const KEY_WORDS = KEY_BYTES / 4;

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (section 4.2). */
export function gf256Multiply(a: number, b: number): number {
  let product = 0;
  let multiple = a;
  for (let rest = b; rest > 0; rest >>= 1) {
    if (rest & 1) product ^= multiple;
    multiple <<= 1;
    if (multiple & 0x100) multiple ^= 0x11b;
  }
  return product;
}

/** b^254, which is b^-1, and 0 for 0. */
export function gf256Invert(b: number): number {
  let inverse = 1;
  for (let i = 0; i < 254; i++) inverse = gf256Multiply(inverse, b);
  return inverse;
}

/** SubBytes of one byte: the inverse, then the affine map of section 5.1.1. */
function substitute(b: number): number {
  const inverse = gf256Invert(b);
  const rotated = (bits: number): number => ((inverse << bits) | (inverse >> (8 - bits))) & 0xff;
  return inverse ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63;
}

export const S_BOX: Bytes = Uint8Array.from({ length: 256 }, (_, b) => substitute(b));

/** KeyExpansion (section 5.2): 15 round keys of 16 bytes, one after the other. */
export function expandKey(key: Uint8Array): Bytes {
  if (key.length !== KEY_BYTES)
    throw new RangeError(`AES-256 takes a key of ${KEY_BYTES} bytes, not ${key.length}`);
  const w = new Uint8Array(BLOCK_BYTES * (ROUND_COUNT + 1));
  w.set(key);
  let roundConstant = 1;
  for (let i = KEY_WORDS; i < w.length / 4; i++) {
    let word: number[] = [...w.subarray(4 * i - 4, 4 * i)];
    if (i % KEY_WORDS === 0) {
      word = [...word.slice(1), ...word.slice(0, 1)].map((byte) => byteAt(S_BOX, byte));
      word[0] = (word[0] ?? 0) ^ roundConstant;
      roundConstant = gf256Multiply(roundConstant, 2);
    } else if (i % KEY_WORDS === 4) {
      word = word.map((byte) => byteAt(S_BOX, byte));
    }
    for (const [k, byte] of word.entries())
      w[4 * i + k] = byte ^ byteAt(w, 4 * (i - KEY_WORDS) + k);
  }
  return w;
}

/** Cipher (section 5.1) of one block. */
export function aes256EncryptBlock(key: Uint8Array, block: Uint8Array): Bytes {
  if (block.length !== BLOCK_BYTES)
    throw new RangeError(`AES takes blocks of ${BLOCK_BYTES} bytes`);
  const roundKeys = expandKey(key);
  let state = addRoundKey(block, roundKeys, 0);
  for (let round = 1; round < ROUND_COUNT; round++) {
    state = addRoundKey(mixColumns(shiftRows(subBytes(state))), roundKeys, round);
  }
  return addRoundKey(shiftRows(subBytes(state)), roundKeys, ROUND_COUNT);
}

// The state is FIPS 197's: byte i stands in row i % 4 and column i / 4.

function subBytes(state: Uint8Array): Bytes {
  return Uint8Array.from(state, (byte) => byteAt(S_BOX, byte));
}

/** Row r moves r columns to the left. */
function shiftRows(state: Uint8Array): Bytes {
  return Uint8Array.from({ length: BLOCK_BYTES }, (_, i) =>
    byteAt(state, (i + 4 * (i % 4)) % BLOCK_BYTES),
  );
}

/** Each column times {03}x^3 + {01}x^2 + {01}x + {02}. */
function mixColumns(state: Uint8Array): Bytes {
  return Uint8Array.from({ length: BLOCK_BYTES }, (_, i) => {
    const column = i - (i % 4);
    const inRow = (row: number): number => byteAt(state, column + (row % 4));
    return (
      gf256Multiply(inRow(i), 2) ^ gf256Multiply(inRow(i + 1), 3) ^ inRow(i + 2) ^ inRow(i + 3)
    );
  });
}

function addRoundKey(state: Uint8Array, roundKeys: Uint8Array, round: number): Bytes {
  return Uint8Array.from(
    { length: BLOCK_BYTES },
    (_, i) => byteAt(state, i) ^ byteAt(roundKeys, BLOCK_BYTES * round + i),
  );
}
