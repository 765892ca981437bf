import { KEY_BYTES, TABLE_POINT_BYTES } from '../abi';
import { EDWARDS_SCRATCH_BYTES, POINT_X2_BYTES, addFromTablesX2, doubleX2, setNeutralX2, toMontgomeryX2 } from './edwards';
import { TABLE_POINT_X2_BYTES } from './look-up';
import { clampScalar } from './scalar';

// Scalar multiplication by a signed comb (Lim and Lee, 1994; all digits +-1 as in Hedabou, Pinel,
// Beneteau, 2005).
//
// A clamped scalar is k = 8 k', 2^251 <= k' < 2^252, and k R = k' Q with Q = 8 R, which is in the
// group of prime order L whatever R is. If k' is even, L - k' is odd, below 2^252 too, and gives
// the negative point, which has the same u. For an odd k' and N >= 252 digits
//
//     k' = sum of s_i 2^i, s_i = +-1, where s_i = 1 exactly if bit i of (k' >> 1) + 2^(N - 1) is
//     set
//
// because the sum of all 2^i is 2^N - 1. No digit is zero, so every step adds, and an entry and its
// negative share a place.
//
// A comb has `teeth` rows of N / teeth = `tables` * `columns` digits. The digits in one place of
// all rows are looked up together: place j * columns + c in table j, in pass c over all tables;
// between the passes the sum is doubled. Table j holds
//
//     (2^(m (teeth - 1)) +- ... +- 2^m +- 1) 2^(j * columns) Q          m = tables * columns
//
// with the signs by the bits of the index, the top one always +; where the top digit is -1, all
// signs turn: the index's complement, negated.

/** Digits of a row, one a byte. */
const DIGITS_BYTES: usize = 64;
/** (k' >> 1) + 2^(N - 1), 256 bits. Zeros follow, for reads of 64 bits from anywhere in it. */
const SIGNS_BYTES: usize = KEY_BYTES + 16;

/** Scratch that {@link multiplyByCombX2} wants. */
export const COMB_SCRATCH_BYTES: usize =
  POINT_X2_BYTES + EDWARDS_SCRATCH_BYTES + TABLE_POINT_X2_BYTES + TABLE_POINT_BYTES + 2 * DIGITS_BYTES + SIGNS_BYTES;

/**
 * L = 2^252 + 27742317777372353535851937790883648493, little-endian words. See RFC 7748, section
 * 4.1.
 */
const ORDER_0: u64 = 0x5812631a5cf5d3ed;
const ORDER_1: u64 = 0x14def9dea2f79cd6;
const ORDER_3: u64 = 0x1000000000000000;

/**
 * signs = (k' >> 1) + 2^topDigit for the odd one of k' and L - k'.
 *
 * k' = the clamped scalar / 8. topDigit >= 251.
 */
function recode(signs: usize, scalar: usize, topDigit: u64): void {
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
  // k' < 2^252 and L - k' <= L - 2^251 < 2^252, so the half leaves bits 251 and up free.
  store<u64>(signs, (a3 >> 1) | (<u64>1 << (topDigit - 192)), 24);
  v128.store(signs, i32x4.splat(0), KEY_BYTES);
}

/** 64 bits from bit `first` (public) on. */
@inline function bitsFrom(signs: usize, first: usize): u64 {
  const ptr = signs + (first >> 3);
  const shift = <u64>(first & 7);
  // The second word goes up by 64 - shift, in two steps because it may be 64.
  return (load<u64>(ptr) >> shift) | ((load<u64>(ptr, 8) << 1) << (63 - shift));
}

/**
 * `value` in every byte of 16 whose bit of the two bytes that were spread is set: byte i has bit i
 * of them.
 */
@inline function whereSet(spread: v128, value: v128): v128 {
  const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(spread, bits), bits), value);
}
/**
 * digits[i] = the bits i, i + rowDigits, i + 2 rowDigits, ... of `signs`, lowest first: what is
 * looked up together.
 */
function gatherDigits(digits: usize, signs: usize, teeth: usize, rowDigits: usize): void {
  let v0 = i8x16.splat(0), v1 = v0, v2 = v0, v3 = v0;
  for (let tooth: usize = 0; tooth < teeth; tooth++) {
    const row = i64x2.splat(bitsFrom(signs, tooth * rowDigits));
    const value = i8x16.splat(<i8>(<u32>1 << <u32>tooth));
    v0 = v128.or(v0, whereSet(i8x16.shuffle(row, row, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), value));
    v1 = v128.or(v1, whereSet(i8x16.shuffle(row, row, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3), value));
    v2 = v128.or(v2, whereSet(i8x16.shuffle(row, row, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5), value));
    v3 = v128.or(v3, whereSet(i8x16.shuffle(row, row, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7), value));
  }
  v128.store(digits, v0);
  v128.store(digits, v1, 16);
  v128.store(digits, v2, 32);
  v128.store(digits, v3, 48);
}

/**
 * One lane each: outX : outZ = the u-coordinate of scalar * R, for 32-byte scalars, by the tables
 * of R at `tablesA` and `tablesB`. Tight; outZ is never zero, for k' is not a multiple of L. The
 * shape of the comb is public, and the same for both; teeth * tables * columns is from 252 to 256,
 * tables * columns at most 64, teeth at most 8.
 *
 * The scalars meet masks and arithmetic only; tables are read from end to end. Leaves secrets in
 * `scratch`.
 */
export function multiplyByCombX2(
  outX: usize, outZ: usize, scalarA: usize, scalarB: usize,
  tablesA: usize, tablesB: usize, tableCount: usize, columnCount: usize, teeth: usize,
  scratch: usize,
): void {
  const rowDigits = tableCount * columnCount;
  const entryCount: usize = 1 << (teeth - 1);
  const tableBytes = entryCount * TABLE_POINT_BYTES;
  const point = scratch;
  const digitsA = point + POINT_X2_BYTES;
  const digitsB = digitsA + DIGITS_BYTES;
  const signs = digitsB + DIGITS_BYTES;
  const inner = signs + SIGNS_BYTES;

  recode(signs, scalarA, teeth * rowDigits - 1);
  gatherDigits(digitsA, signs, teeth, rowDigits);
  recode(signs, scalarB, teeth * rowDigits - 1);
  gatherDigits(digitsB, signs, teeth, rowDigits);
  setNeutralX2(point);
  // The sum is kept up to a sign, that of the last entry added: what follows is negated against it.
  // The sign that is left in the end changes no u.
  const topTooth = <u32>teeth - 1;
  const indexMask = <u32>entryCount - 1;
  let previousA: u32 = 1;
  let previousB: u32 = 1;
  for (let c = columnCount; c-- > 0; ) {
    if (c != columnCount - 1) doubleX2(point, point, true, inner);
    for (let j: usize = 0; j < tableCount; j++) {
      const digitA = <u32>load<u8>(digitsA + j * columnCount + c);
      const digitB = <u32>load<u8>(digitsB + j * columnCount + c);
      const positiveA = digitA >> topTooth;
      const positiveB = digitB >> topTooth;
      addFromTablesX2(
        point, positiveA ^ previousA, positiveB ^ previousB,
        tablesA + j * tableBytes, tablesB + j * tableBytes, entryCount,
        (digitA ^ (positiveA - 1)) & indexMask, (digitB ^ (positiveB - 1)) & indexMask,
        j + 1 < tableCount, inner,
      );
      previousA = positiveA;
      previousB = positiveB;
    }
  }
  toMontgomeryX2(outX, outZ, point, inner);
}
