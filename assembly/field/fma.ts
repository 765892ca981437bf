// GF(2^255 - 19), two elements a vector, on fused multiply-adds (relaxed SIMD).
//
// An element has five balanced limbs in radix 2^51, integers held as f64; 255 = 5 * 51, so what
// overflows comes back times 19. A pair of elements (a, b), `X2`, is five f64x2 vectors, 80 bytes:
//
//     vector k = (a[k], b[k])          k = 0..4
//
// Forms that limbs take, and who may take which (every bound is asserted in the debug build):
//
//     tight   |limb| <= 2^50                      what mul, square, addMulSmall and carry return
//     loose   -2^50 <= limb <= 2^50 + 2^14        what mulLoose and squareLoose return, for some carries less
//     sum     |limb| <= 2^51                      tight +- tight; loose +- loose goes beyond it by 2^15
//
//     mul(f, g), square(f): |f| * |g| <= 2^102: sum by sum, or loose +- loose by loose.
//
// Limbs are integers of normal size, or zero: no subnormals anywhere, on which processors take
// their time.

import { LOOSE_SUM_LIMB, assertLimbs } from './fma-asserts';

export { decodeLane, encodeLane } from './fma-bytes';
export { addMulSmallX2, carryX2, mulLooseX2, mulX2, squareLooseX2, squareX2 } from './fma-products';
export { addWhere, joinLanes, storeTableElement, whereEqual } from './fma-table';

/** Bytes of a pair of field elements. */
export const ELEMENT_X2_BYTES: usize = 80;

@inline const V: usize = 16;

@inline function vectorAt(pair: usize, k: usize): v128 {
  return v128.load(pair + k * V);
}
@inline function storeVectors(out: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128): void {
  v128.store(out, v0);
  v128.store(out + V, v1);
  v128.store(out + 2 * V, v2);
  v128.store(out + 3 * V, v3);
  v128.store(out + 4 * V, v4);
}

/** out = f + g. Both tight, for a sum; or both loose. */
@inline export function addX2(out: usize, f: usize, g: usize): void {
  storeVectors(
    out,
    f64x2.add(vectorAt(f, 0), vectorAt(g, 0)), f64x2.add(vectorAt(f, 1), vectorAt(g, 1)),
    f64x2.add(vectorAt(f, 2), vectorAt(g, 2)), f64x2.add(vectorAt(f, 3), vectorAt(g, 3)),
    f64x2.add(vectorAt(f, 4), vectorAt(g, 4)),
  );
  assertLimbs(out, LOOSE_SUM_LIMB);
}

/** out = f - g. Both tight, for a sum; or both loose. */
@inline export function subX2(out: usize, f: usize, g: usize): void {
  storeVectors(
    out,
    f64x2.sub(vectorAt(f, 0), vectorAt(g, 0)), f64x2.sub(vectorAt(f, 1), vectorAt(g, 1)),
    f64x2.sub(vectorAt(f, 2), vectorAt(g, 2)), f64x2.sub(vectorAt(f, 3), vectorAt(g, 3)),
    f64x2.sub(vectorAt(f, 4), vectorAt(g, 4)),
  );
  assertLimbs(out, LOOSE_SUM_LIMB);
}

/** The sign bits of both lanes where mask is all ones. */
@inline function signsWhere(mask: v128): v128 {
  return v128.and(mask, i64x2.splat(0x8000000000000000));
}

/**
 * sum, difference = f + g, f - g, exchanged in the lanes where mask is all ones. Constant time.
 * Both tight or loose. Exchanging them is turning the sign of g.
 */
export function addSubX2(sum: usize, difference: usize, f: usize, g: usize, mask: v128): void {
  const signs = signsWhere(mask);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  const g0 = v128.xor(vectorAt(g, 0), signs), g1 = v128.xor(vectorAt(g, 1), signs);
  const g2 = v128.xor(vectorAt(g, 2), signs), g3 = v128.xor(vectorAt(g, 3), signs);
  const g4 = v128.xor(vectorAt(g, 4), signs);
  storeVectors(sum, f64x2.add(f0, g0), f64x2.add(f1, g1), f64x2.add(f2, g2), f64x2.add(f3, g3), f64x2.add(f4, g4));
  storeVectors(difference, f64x2.sub(f0, g0), f64x2.sub(f1, g1), f64x2.sub(f2, g2), f64x2.sub(f3, g3), f64x2.sub(f4, g4));
  assertLimbs(sum, LOOSE_SUM_LIMB);
  assertLimbs(difference, LOOSE_SUM_LIMB);
}

/**
 * out = mask ? -f : f, lane by lane, in constant time. f tight or loose; out of its size. out may
 * be f.
 */
@inline export function negateWhereX2(out: usize, f: usize, mask: v128): void {
  const signs = signsWhere(mask);
  storeVectors(
    out,
    v128.xor(vectorAt(f, 0), signs), v128.xor(vectorAt(f, 1), signs), v128.xor(vectorAt(f, 2), signs),
    v128.xor(vectorAt(f, 3), signs), v128.xor(vectorAt(f, 4), signs),
  );
}

/** out = f. */
@inline export function copyX2(out: usize, f: usize): void {
  storeVectors(out, vectorAt(f, 0), vectorAt(f, 1), vectorAt(f, 2), vectorAt(f, 3), vectorAt(f, 4));
}

/** out = (c, c) for a small public constant c < 2^26. */
export function setSmallX2(out: usize, c: u32): void {
  const zero = f64x2.splat(0);
  storeVectors(out, f64x2.splat(<f64>c), zero, zero, zero, zero);
}

/**
 * A mask for the functions that take one: lane a all ones where `bitA` is 1, all zeros where it is
 * 0, and so b. The bits are secret; they meet arithmetic only.
 */
@inline export function laneMaskX2(bitA: u32, bitB: u32): v128 {
  return i64x2.replace_lane(i64x2.splat(0 - <u64>bitA), 1, 0 - <u64>bitB);
}

/** Swaps f and g in the lanes where mask is all ones, in constant time. */
@inline export function swapX2(f: usize, g: usize, mask: v128): void {
  swapVector(f, g, mask);
  swapVector(f + V, g + V, mask);
  swapVector(f + 2 * V, g + 2 * V, mask);
  swapVector(f + 3 * V, g + 3 * V, mask);
  swapVector(f + 4 * V, g + 4 * V, mask);
}
@inline function swapVector(f: usize, g: usize, mask: v128): void {
  const x = v128.load(f), y = v128.load(g);
  const difference = v128.and(v128.xor(x, y), mask);
  v128.store(f, v128.xor(x, difference));
  v128.store(g, v128.xor(y, difference));
}

/** out = mask ? f : g, lane by lane, in constant time. */
@inline export function selectX2(out: usize, f: usize, g: usize, mask: v128): void {
  storeVectors(
    out,
    v128.bitselect(vectorAt(f, 0), vectorAt(g, 0), mask), v128.bitselect(vectorAt(f, 1), vectorAt(g, 1), mask),
    v128.bitselect(vectorAt(f, 2), vectorAt(g, 2), mask), v128.bitselect(vectorAt(f, 3), vectorAt(g, 3), mask),
    v128.bitselect(vectorAt(f, 4), vectorAt(g, 4), mask),
  );
}
