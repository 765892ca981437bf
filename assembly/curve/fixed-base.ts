import { KEY_BYTES } from '../abi';
import { BASE_TABLE, COLUMN_COUNT, ENTRY_COUNT, TABLE_COUNT } from './base-table';
import {
  EDWARDS_SCRATCH_BYTES,
  POINT_X2_BYTES,
  TABLE_POINT_BYTES,
  addFromTableX2,
  doubleX2,
  setNeutralX2,
  toMontgomeryX2,
} from './edwards';
import { clampScalar } from './scalar';

// Public keys: scalar * 9 by a signed comb (Lim and Lee, 1994; all digits +-1 as in Hedabou, Pinel, Beneteau, 2005).
//
// A clamped scalar is k = 8 k', k' < 2^252, and k B = k' (8B), where 8B has the prime order L. If k' is even, L - k' is odd
// and gives the negative point, which has the same u. For an odd k' and N = 255 digits
//
//     k' = sum of s_i 2^i, s_i = +-1, where s_i = 1 exactly if bit i of (k' >> 1) + 2^(N - 1) is set
//
// because the sum of all 2^i is 2^N - 1. No digit is zero, so every step adds, and an entry and its negative share a place.
// Digits 51 m + 3 j + c, m = 0 .. 4, are looked up together: in table j, in column c. Table j holds
//
//     (2^204 +- 2^153 +- 2^102 +- 2^51 +- 1) 2^(3j) (8B)
//
// with the signs by the bits of the index; when s of m = 4 is -1, all signs turn: the index's complement, negated.

const TEETH: usize = 5;
const ROW_BITS: usize = TABLE_COUNT * COLUMN_COUNT;
const TOP_DIGIT: usize = TEETH * ROW_BITS - 1;

/** Scratch that {@link fixedBaseX2} wants. */
export const FIXED_BASE_SCRATCH_BYTES: usize = POINT_X2_BYTES + EDWARDS_SCRATCH_BYTES + 2 * KEY_BYTES;

/** L = 2^252 + 27742317777372353535851937790883648493 (RFC 7748, section 4.1), little-endian words. */
const ORDER_0: u64 = 0x5812631a5cf5d3ed;
const ORDER_1: u64 = 0x14def9dea2f79cd6;
const ORDER_3: u64 = 0x1000000000000000;

/** signs = (k' >> 1) + 2^254 for the odd one of k' and L - k', k' = the clamped scalar / 8. */
function recode(signs: usize, scalar: usize): void {
  clampScalar(signs, scalar);
  const k0 = load<u64>(signs), k1 = load<u64>(signs, 8), k2 = load<u64>(signs, 16), k3 = load<u64>(signs, 24);
  let a0 = (k0 >> 3) | (k1 << 61), a1 = (k1 >> 3) | (k2 << 61), a2 = (k2 >> 3) | (k3 << 61), a3 = k3 >> 3;

  // L - k' > 0; the third word of L is zero.
  const b0 = ORDER_0 - a0;
  let borrow = <u64>(ORDER_0 < a0);
  const b1 = ORDER_1 - a1 - borrow;
  // a1 + borrow does not wrap where borrow decides: then a1 = ORDER_1, far below 2^64 - 1.
  borrow = <u64>(ORDER_1 < a1) | (<u64>(ORDER_1 == a1) & borrow);
  const b2 = 0 - a2 - borrow;
  borrow = <u64>((a2 | borrow) != 0);
  const b3 = ORDER_3 - a3 - borrow;

  const even = (a0 & 1) - 1; // all ones if k' is even
  a0 ^= (a0 ^ b0) & even;
  a1 ^= (a1 ^ b1) & even;
  a2 ^= (a2 ^ b2) & even;
  a3 ^= (a3 ^ b3) & even;

  store<u64>(signs, (a0 >> 1) | (a1 << 63));
  store<u64>(signs, (a1 >> 1) | (a2 << 63), 8);
  store<u64>(signs, (a2 >> 1) | (a3 << 63), 16);
  // L - k' < 2^253, so its half leaves bit 254 free.
  store<u64>(signs, (a3 >> 1) | (<u64>1 << 62), 24);
}

@inline function signBit(signs: usize, i: usize): u32 {
  return (load<u8>(signs + (i >> 3)) >> <u8>(i & 7)) & 1;
}
/** Five digits as bits: those that choose the entry, and above them the one that decides its sign. */
@inline function digits(signs: usize, first: usize): u32 {
  return (
    signBit(signs, first) |
    (signBit(signs, first + ROW_BITS) << 1) |
    (signBit(signs, first + 2 * ROW_BITS) << 2) |
    (signBit(signs, first + 3 * ROW_BITS) << 3) |
    (signBit(signs, first + 4 * ROW_BITS) << 4)
  );
}

/**
 * One lane each: outX : outZ = the u-coordinate of scalar * 9, for clamped 32-byte scalars. Tight; outZ is never zero, for
 * k' is not a multiple of L.
 *
 * The scalars meet masks and arithmetic only; tables are read from end to end. Leaves secrets in `scratch`.
 */
export function fixedBaseX2(outX: usize, outZ: usize, scalarA: usize, scalarB: usize, scratch: usize): void {
  assert(TOP_DIGIT == 254, 'recode sets bit 254');
  const point = scratch;
  const signsA = point + POINT_X2_BYTES;
  const signsB = signsA + KEY_BYTES;
  const inner = signsB + KEY_BYTES;

  recode(signsA, scalarA);
  recode(signsB, scalarB);
  setNeutralX2(point);
  // The accumulator is kept up to a sign, that of the last entry added: what follows is negated against it. The sign that
  // is left in the end changes no u.
  let previousA: u32 = 1;
  let previousB: u32 = 1;
  for (let c = COLUMN_COUNT; c-- > 0; ) {
    if (c != COLUMN_COUNT - 1) doubleX2(point, inner);
    for (let j: usize = 0; j < TABLE_COUNT; j++) {
      const digitsA = digits(signsA, j * COLUMN_COUNT + c);
      const digitsB = digits(signsB, j * COLUMN_COUNT + c);
      const positiveA = digitsA >> 4;
      const positiveB = digitsB >> 4;
      addFromTableX2(
        point, positiveA ^ previousA, positiveB ^ previousB,
        BASE_TABLE + j * ENTRY_COUNT * TABLE_POINT_BYTES, ENTRY_COUNT,
        (digitsA ^ (positiveA - 1)) & 15, (digitsB ^ (positiveB - 1)) & 15,
        inner,
      );
      previousA = positiveA;
      previousB = positiveB;
    }
  }
  toMontgomeryX2(outX, outZ, point);
}
