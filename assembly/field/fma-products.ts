// The `fma` field's products: the hot code of the kernel, straight-line.
//
// A product of two limbs is split at 2^51, exactly, by two fused multiply-adds that round to
// nearest:
//
//     c1  = 1.5 * 2^103            hi = fma(a, b, c1)        = c1 + H * 2^51
//     c12 = c1 + 1.5 * 2^52        lo = fma(a, b, c12 - hi)  = 1.5 * 2^52 + L          a * b = H * 2^51 + L
//
// For |a * b| <= 2^102 hi stays in [2^103, 2^104], whose numbers are 2^51 apart: its bits, as an
// integer, are bits(c1) + H, |H| <= 2^51. (At 2^104 itself the carry runs into the exponent, as it
// should.) c12 - hi, 1.5 * 2^52 less a multiple of 2^51 of at most 2^102, is exact; |L| <= 2^50, so
// lo stays in [2^52, 2^53) and its bits are bits(1.5 * 2^52) + L. An engine that rounds a * b
// before it adds loses the lower half of it, and fails the known answers that `auto` asks for.
//
// L of f[i] g[j] belongs to column i + j, H to the next one. Columns add up bits as integers modulo
// 2^64; columns 5 to 9 fold into 0 to 4 times 19; then one constant a column takes the offsets off
// again, and adds 2^8 p, so that no column is negative, and 2^50: the mask of the carry leaves a
// limb + 2^50.
//
// With |H| <= 2^51 and |L| <= 2^50 a folded column is at most (1 + 19 * 4) 2^50 + 19 * 5 * 2^51 =
// 267 * 2^50 < 2^58.1 in size, that is column 0; 2^8 p has limbs of 2^59 less at most 2^8 * 19. So
// 0 < column < 2^60.

import { LOOSE_LIMB, SUM_LIMB, TIGHT_LIMB, assertColumn, assertLimbs, assertProduct } from './fma-asserts';

@inline const V: usize = 16;

@inline const BITS_C1: u64 = 0x4668000000000000;
@inline const BITS_LO: u64 = 0x4338000000000000; // 1.5 * 2^52
@inline const P_0: u64 = ((1 << 51) - 19) << 8;
@inline const P_K: u64 = ((1 << 51) - 1) << 8;
@inline const HALF_LIMB: u64 = 1 << 50;

// A product's column c has min(c, 8 - c) + 1 terms lo, and as many hi as column c - 1 has lo;
// folded, with 19 times those of column c + 5: 77, 59, 41, 23, 5 lo and 95, 77, 59, 41, 23 hi.
@inline const OFFSET_0: u64 = P_0 + HALF_LIMB - 77 * BITS_LO - 95 * BITS_C1;
@inline const OFFSET_1: u64 = P_K + HALF_LIMB - 59 * BITS_LO - 77 * BITS_C1;
@inline const OFFSET_2: u64 = P_K + HALF_LIMB - 41 * BITS_LO - 59 * BITS_C1;
@inline const OFFSET_3: u64 = P_K + HALF_LIMB - 23 * BITS_LO - 41 * BITS_C1;
@inline const OFFSET_4: u64 = P_K + HALF_LIMB - 5 * BITS_LO - 23 * BITS_C1;
// f + c g: two lo a column (f's limb is one), one hi, in column 0 times 19.
@inline const SMALL_OFFSET_0: u64 = P_0 + HALF_LIMB - 2 * BITS_LO - 19 * BITS_C1;
@inline const SMALL_OFFSET_K: u64 = P_K + HALF_LIMB - 2 * BITS_LO - BITS_C1;
// A limb by itself.
@inline const CARRY_OFFSET_0: u64 = P_0 + HALF_LIMB - BITS_LO;
@inline const CARRY_OFFSET_K: u64 = P_K + HALF_LIMB - BITS_LO;

/**
 * Every constant twice, a vector each: a load costs V8 one instruction, a splat three, at every
 * use.
 */
const CONSTANTS: usize = memory.data<u64>([
  BITS_C1, BITS_C1,
  BITS_C1 + 3, BITS_C1 + 3, // c12: 1.5 * 2^52 is three times the 2^51 between c1's neighbors
  OFFSET_0, OFFSET_0, OFFSET_1, OFFSET_1, OFFSET_2, OFFSET_2, OFFSET_3, OFFSET_3, OFFSET_4, OFFSET_4,
  SMALL_OFFSET_0, SMALL_OFFSET_0, SMALL_OFFSET_K, SMALL_OFFSET_K,
  CARRY_OFFSET_0, CARRY_OFFSET_0, CARRY_OFFSET_K, CARRY_OFFSET_K,
  (1 << 51) - 1, (1 << 51) - 1,
  0x4330000000000000, 0x4330000000000000, // 2^52
  0x4334000000000000, 0x4334000000000000, // 2^52 + 2^50
  BITS_LO, BITS_LO,
], 16);
@inline const C1: usize = 0;
@inline const C12: usize = V;
@inline const COLUMN_0: usize = 2 * V;
@inline const COLUMN_1: usize = 3 * V;
@inline const COLUMN_2: usize = 4 * V;
@inline const COLUMN_3: usize = 5 * V;
@inline const COLUMN_4: usize = 6 * V;
@inline const SMALL_0: usize = 7 * V;
@inline const SMALL_K: usize = 8 * V;
@inline const CARRY_0: usize = 9 * V;
@inline const CARRY_K: usize = 10 * V;
@inline const LIMB_MASK: usize = 11 * V;
@inline const INTEGER: usize = 12 * V;
@inline const INTEGER_AND_HALF: usize = 13 * V;
@inline const SIGNED_INTEGER: usize = 14 * V;

/** bits(c1) + H. */
@inline function high(a: v128, b: v128, c1: v128): v128 {
  assertProduct(a, b);
  return f64x2.relaxed_madd(a, b, c1);
}
/** bits(1.5 * 2^52) + L. */
@inline function low(a: v128, b: v128, hi: v128, c12: v128): v128 {
  return f64x2.relaxed_madd(a, b, f64x2.sub(c12, hi));
}
/** x + 19 y: two shifts in place of a multiplication, which SIMD does not have for 64 bits. */
@inline function add19(x: v128, y: v128): v128 {
  return i64x2.add(i64x2.add(x, y), i64x2.add(i64x2.shl(y, 4), i64x2.shl(y, 1)));
}
/** Column c with column c + 5 folded in, and its constant. */
@inline function fold(column: v128, above: v128, offset: usize): v128 {
  return i64x2.add(add19(column, above), v128.load(CONSTANTS + offset));
}
@inline function doubled(cross: v128, square: v128): v128 {
  return i64x2.add(i64x2.shl(cross, 1), square);
}
/**
 * A limb + 2^50, at most 2^51, as f64 and without the 2^50: put behind the exponent of 2^52, it is
 * the last digits.
 */
@inline function toLimb(column: v128, integer: v128, integerAndHalf: v128): v128 {
  return f64x2.sub(i64x2.add(column, integer), integerAndHalf);
}

/**
 * Carries five columns, 0 <= column < 2^60, to a tight element and stores it. Two chains run side
 * by side: 0 1 2 and 3 4 0 3.
 *
 * 4 -> 0 carries less than 2^9.1, so it adds less than 2^13.4 to limb 0 < 2^51, and the second 0 ->
 * 1 carries at most 1; so does the second 3 -> 4, after 2 -> 3 brought less than 2^9.1. Limbs 1 and
 * 4 are at most 2^51 in the end, the others below.
 */
@inline function carryAndStore(out: usize, r0: v128, r1: v128, r2: v128, r3: v128, r4: v128): void {
  assertColumn(r0);
  assertColumn(r1);
  assertColumn(r2);
  assertColumn(r3);
  assertColumn(r4);
  const mask = v128.load(CONSTANTS + LIMB_MASK);
  const t0 = i64x2.shr_u(r0, 51);
  const t3 = i64x2.shr_u(r3, 51);
  const s1 = i64x2.add(r1, t0);
  const s4 = i64x2.add(r4, t3);
  const m0 = v128.and(r0, mask);
  const m3 = v128.and(r3, mask);
  const t1 = i64x2.shr_u(s1, 51);
  const t4 = i64x2.shr_u(s4, 51);
  const s2 = i64x2.add(r2, t1);
  const s0 = add19(m0, t4);
  const m1 = v128.and(s1, mask);
  const m4 = v128.and(s4, mask);
  const t2 = i64x2.shr_u(s2, 51);
  const u0 = i64x2.shr_u(s0, 51);
  const s3 = i64x2.add(m3, t2);
  const u3 = i64x2.shr_u(s3, 51);
  const integer = v128.load(CONSTANTS + INTEGER), integerAndHalf = v128.load(CONSTANTS + INTEGER_AND_HALF);
  v128.store(out, toLimb(v128.and(s0, mask), integer, integerAndHalf));
  v128.store(out + V, toLimb(i64x2.add(m1, u0), integer, integerAndHalf));
  v128.store(out + 2 * V, toLimb(v128.and(s2, mask), integer, integerAndHalf));
  v128.store(out + 3 * V, toLimb(v128.and(s3, mask), integer, integerAndHalf));
  v128.store(out + 4 * V, toLimb(i64x2.add(m4, u3), integer, integerAndHalf));
  assertLimbs(out, TIGHT_LIMB);
}

/**
 * One parallel round of carries: each is less than 2^9, and 19 times one less than 2^13.3, so the
 * element is loose.
 */
@inline function carryLooseAndStore(out: usize, r0: v128, r1: v128, r2: v128, r3: v128, r4: v128): void {
  assertColumn(r0);
  assertColumn(r1);
  assertColumn(r2);
  assertColumn(r3);
  assertColumn(r4);
  const mask = v128.load(CONSTANTS + LIMB_MASK);
  const t4 = i64x2.shr_u(r4, 51);
  const s0 = add19(v128.and(r0, mask), t4);
  const s1 = i64x2.add(v128.and(r1, mask), i64x2.shr_u(r0, 51));
  const s2 = i64x2.add(v128.and(r2, mask), i64x2.shr_u(r1, 51));
  const s3 = i64x2.add(v128.and(r3, mask), i64x2.shr_u(r2, 51));
  const s4 = i64x2.add(v128.and(r4, mask), i64x2.shr_u(r3, 51));
  const integer = v128.load(CONSTANTS + INTEGER), integerAndHalf = v128.load(CONSTANTS + INTEGER_AND_HALF);
  v128.store(out, toLimb(s0, integer, integerAndHalf));
  v128.store(out + V, toLimb(s1, integer, integerAndHalf));
  v128.store(out + 2 * V, toLimb(s2, integer, integerAndHalf));
  v128.store(out + 3 * V, toLimb(s3, integer, integerAndHalf));
  v128.store(out + 4 * V, toLimb(s4, integer, integerAndHalf));
  assertLimbs(out, LOOSE_LIMB);
}

/** The five columns of f * g, folded, with their constants; `carried` carries and stores them. */
@inline function multiply(out: usize, f: usize, g: usize, loose: bool): void {
  const f0 = v128.load(f), f1 = v128.load(f + V), f2 = v128.load(f + 2 * V), f3 = v128.load(f + 3 * V), f4 = v128.load(f + 4 * V);
  const g0 = v128.load(g), g1 = v128.load(g + V), g2 = v128.load(g + 2 * V), g3 = v128.load(g + 3 * V), g4 = v128.load(g + 4 * V);
  const c1 = v128.load(CONSTANTS + C1), c12 = v128.load(CONSTANTS + C12);

  const h44 = high(f4, g4, c1);
  let a8 = low(f4, g4, h44, c12);
  let a9 = h44;

  const h34 = high(f3, g4, c1);
  let a7 = low(f3, g4, h34, c12);
  a8 = i64x2.add(a8, h34);
  const h43 = high(f4, g3, c1);
  a7 = i64x2.add(a7, low(f4, g3, h43, c12));
  a8 = i64x2.add(a8, h43);

  const h24 = high(f2, g4, c1);
  let a6 = low(f2, g4, h24, c12);
  a7 = i64x2.add(a7, h24);
  const h33 = high(f3, g3, c1);
  a6 = i64x2.add(a6, low(f3, g3, h33, c12));
  a7 = i64x2.add(a7, h33);
  const h42 = high(f4, g2, c1);
  a6 = i64x2.add(a6, low(f4, g2, h42, c12));
  a7 = i64x2.add(a7, h42);

  const h14 = high(f1, g4, c1);
  let a5 = low(f1, g4, h14, c12);
  a6 = i64x2.add(a6, h14);
  const h23 = high(f2, g3, c1);
  a5 = i64x2.add(a5, low(f2, g3, h23, c12));
  a6 = i64x2.add(a6, h23);
  const h32 = high(f3, g2, c1);
  a5 = i64x2.add(a5, low(f3, g2, h32, c12));
  a6 = i64x2.add(a6, h32);
  const h41 = high(f4, g1, c1);
  a5 = i64x2.add(a5, low(f4, g1, h41, c12));
  a6 = i64x2.add(a6, h41);

  const h04 = high(f0, g4, c1);
  let a4 = low(f0, g4, h04, c12);
  a5 = i64x2.add(a5, h04);
  const h13 = high(f1, g3, c1);
  a4 = i64x2.add(a4, low(f1, g3, h13, c12));
  a5 = i64x2.add(a5, h13);
  const h22 = high(f2, g2, c1);
  a4 = i64x2.add(a4, low(f2, g2, h22, c12));
  a5 = i64x2.add(a5, h22);
  const h31 = high(f3, g1, c1);
  a4 = i64x2.add(a4, low(f3, g1, h31, c12));
  a5 = i64x2.add(a5, h31);
  const h40 = high(f4, g0, c1);
  a4 = i64x2.add(a4, low(f4, g0, h40, c12));
  a5 = i64x2.add(a5, h40);

  const h03 = high(f0, g3, c1);
  let a3 = low(f0, g3, h03, c12);
  a4 = i64x2.add(a4, h03);
  const h12 = high(f1, g2, c1);
  a3 = i64x2.add(a3, low(f1, g2, h12, c12));
  a4 = i64x2.add(a4, h12);
  const h21 = high(f2, g1, c1);
  a3 = i64x2.add(a3, low(f2, g1, h21, c12));
  a4 = i64x2.add(a4, h21);
  const h30 = high(f3, g0, c1);
  a3 = i64x2.add(a3, low(f3, g0, h30, c12));
  a4 = i64x2.add(a4, h30);

  const h02 = high(f0, g2, c1);
  let a2 = low(f0, g2, h02, c12);
  a3 = i64x2.add(a3, h02);
  const h11 = high(f1, g1, c1);
  a2 = i64x2.add(a2, low(f1, g1, h11, c12));
  a3 = i64x2.add(a3, h11);
  const h20 = high(f2, g0, c1);
  a2 = i64x2.add(a2, low(f2, g0, h20, c12));
  a3 = i64x2.add(a3, h20);

  const h01 = high(f0, g1, c1);
  let a1 = low(f0, g1, h01, c12);
  a2 = i64x2.add(a2, h01);
  const h10 = high(f1, g0, c1);
  a1 = i64x2.add(a1, low(f1, g0, h10, c12));
  a2 = i64x2.add(a2, h10);

  const h00 = high(f0, g0, c1);
  let a0 = low(f0, g0, h00, c12);
  a1 = i64x2.add(a1, h00);

  const r0 = fold(a0, a5, COLUMN_0);
  const r1 = fold(a1, a6, COLUMN_1);
  const r2 = fold(a2, a7, COLUMN_2);
  const r3 = fold(a3, a8, COLUMN_3);
  const r4 = fold(a4, a9, COLUMN_4);
  if (loose) carryLooseAndStore(out, r0, r1, r2, r3, r4);
  else carryAndStore(out, r0, r1, r2, r3, r4);
}

/**
 * The same of f * f. Cross terms x are doubled as integers: doubled limbs would make products
 * beyond 2^102.
 */
@inline function multiplyBySelf(out: usize, f: usize, loose: bool): void {
  const f0 = v128.load(f), f1 = v128.load(f + V), f2 = v128.load(f + 2 * V), f3 = v128.load(f + 3 * V), f4 = v128.load(f + 4 * V);
  const c1 = v128.load(CONSTANTS + C1), c12 = v128.load(CONSTANTS + C12);

  const h44 = high(f4, f4, c1);
  let a8 = low(f4, f4, h44, c12);
  let a9 = h44;

  const h34 = high(f3, f4, c1);
  let x7 = low(f3, f4, h34, c12);
  let x8 = h34;

  const h24 = high(f2, f4, c1);
  let x6 = low(f2, f4, h24, c12);
  x7 = i64x2.add(x7, h24);
  const h33 = high(f3, f3, c1);
  let a6 = low(f3, f3, h33, c12);
  let a7 = h33;

  const h14 = high(f1, f4, c1);
  let x5 = low(f1, f4, h14, c12);
  x6 = i64x2.add(x6, h14);
  const h23 = high(f2, f3, c1);
  x5 = i64x2.add(x5, low(f2, f3, h23, c12));
  x6 = i64x2.add(x6, h23);

  const h04 = high(f0, f4, c1);
  let x4 = low(f0, f4, h04, c12);
  x5 = i64x2.add(x5, h04);
  const h13 = high(f1, f3, c1);
  x4 = i64x2.add(x4, low(f1, f3, h13, c12));
  x5 = i64x2.add(x5, h13);
  const h22 = high(f2, f2, c1);
  let a4 = low(f2, f2, h22, c12);
  let a5 = h22;

  const h03 = high(f0, f3, c1);
  let x3 = low(f0, f3, h03, c12);
  x4 = i64x2.add(x4, h03);
  const h12 = high(f1, f2, c1);
  x3 = i64x2.add(x3, low(f1, f2, h12, c12));
  x4 = i64x2.add(x4, h12);

  const h02 = high(f0, f2, c1);
  let x2 = low(f0, f2, h02, c12);
  x3 = i64x2.add(x3, h02);
  const h11 = high(f1, f1, c1);
  let a2 = low(f1, f1, h11, c12);
  let a3 = h11;

  const h01 = high(f0, f1, c1);
  let x1 = low(f0, f1, h01, c12);
  x2 = i64x2.add(x2, h01);

  const h00 = high(f0, f0, c1);
  let a0 = low(f0, f0, h00, c12);
  let a1 = h00;

  const r0 = fold(a0, doubled(x5, a5), COLUMN_0);
  const r1 = fold(doubled(x1, a1), doubled(x6, a6), COLUMN_1);
  const r2 = fold(doubled(x2, a2), doubled(x7, a7), COLUMN_2);
  const r3 = fold(doubled(x3, a3), doubled(x8, a8), COLUMN_3);
  const r4 = fold(doubled(x4, a4), a9, COLUMN_4);
  if (loose) carryLooseAndStore(out, r0, r1, r2, r3, r4);
  else carryAndStore(out, r0, r1, r2, r3, r4);
}

/** out = f * g, tight. |f| * |g| <= 2^102. out may be f or g. */
export function mulX2(out: usize, f: usize, g: usize): void {
  multiply(out, f, g, false);
}
/** out = f * g, loose. |f| * |g| <= 2^102. out may be f or g. */
export function mulLooseX2(out: usize, f: usize, g: usize): void {
  multiply(out, f, g, true);
}
/** out = f * f, tight. |f| <= 2^51. out may be f. */
export function squareX2(out: usize, f: usize): void {
  multiplyBySelf(out, f, false);
}
/** out = f * f, loose. |f| <= 2^51. out may be f. */
export function squareLooseX2(out: usize, f: usize): void {
  multiplyBySelf(out, f, true);
}

/** Column k of f + c g: f[k], L of c g[k], and H of c g[k - 1]. */
@inline function smallColumn(f: v128, g: v128, hi: v128, factor: v128, c12: v128, integer: v128): v128 {
  return i64x2.add(low(g, factor, hi, c12), f64x2.add(f, integer));
}

/**
 * out = f + c * g for a small public constant, tight. |f| <= 2^51, |g| <= 2^52, c < 2^17. out may
 * be f or g.
 */
export function addMulSmallX2(out: usize, f: usize, g: usize, c: u32): void {
  assertLimbs(f, SUM_LIMB);
  const factor = f64x2.splat(<f64>c);
  const c1 = v128.load(CONSTANTS + C1), c12 = v128.load(CONSTANTS + C12);
  // |f| <= 2^51: 1.5 * 2^52 + f stays in [2^52, 2^53].
  const integer = v128.load(CONSTANTS + SIGNED_INTEGER);
  const g0 = v128.load(g), g1 = v128.load(g + V), g2 = v128.load(g + 2 * V), g3 = v128.load(g + 3 * V), g4 = v128.load(g + 4 * V);
  const h0 = high(g0, factor, c1), h1 = high(g1, factor, c1), h2 = high(g2, factor, c1);
  const h3 = high(g3, factor, c1), h4 = high(g4, factor, c1);
  const k = v128.load(CONSTANTS + SMALL_K);
  carryAndStore(
    out,
    fold(smallColumn(v128.load(f), g0, h0, factor, c12, integer), h4, SMALL_0),
    i64x2.add(i64x2.add(smallColumn(v128.load(f + V), g1, h1, factor, c12, integer), h0), k),
    i64x2.add(i64x2.add(smallColumn(v128.load(f + 2 * V), g2, h2, factor, c12, integer), h1), k),
    i64x2.add(i64x2.add(smallColumn(v128.load(f + 3 * V), g3, h3, factor, c12, integer), h2), k),
    i64x2.add(i64x2.add(smallColumn(v128.load(f + 4 * V), g4, h4, factor, c12, integer), h3), k),
  );
}

/** out = f, tight. |f| <= 2^51. out may be f. */
export function carryX2(out: usize, f: usize): void {
  assertLimbs(f, SUM_LIMB);
  const integer = v128.load(CONSTANTS + SIGNED_INTEGER), k = v128.load(CONSTANTS + CARRY_K);
  carryAndStore(
    out,
    i64x2.add(f64x2.add(v128.load(f), integer), v128.load(CONSTANTS + CARRY_0)),
    i64x2.add(f64x2.add(v128.load(f + V), integer), k),
    i64x2.add(f64x2.add(v128.load(f + 2 * V), integer), k),
    i64x2.add(f64x2.add(v128.load(f + 3 * V), integer), k),
    i64x2.add(f64x2.add(v128.load(f + 4 * V), integer), k),
  );
}
