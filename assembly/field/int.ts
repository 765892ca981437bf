// GF(2^255 - 19), two elements a vector, on SIMD128 integers.
//
// An element has ten unsigned limbs in radix 2^25.5: limb i weighs 2^ceil(25.5 i), even limbs hold
// 26 bits, odd ones 25. A pair of elements (a, b), `X2`, is five u32x4 vectors, 80 bytes:
//
//     vector k = (a[2k], b[2k], a[2k+1], b[2k+1])          k = 0..4
//
// With t = 2^51, E(t) = sum of the even limbs and O(t) = sum of the odd ones, an element is E +
// 2^26 O and t^5 = 19. So `extmul_low` multiplies even limbs with even ones, `extmul_high` odd with
// odd, both lanes at once, and Karatsuba gives the mixed products from (E + O)(E' + O'): 75
// products in place of 100, no limb ever changes its lane.
//
//     (E + 2^26 O)(E' + 2^26 O') = EE' + 2 t OO' + 2^26 ((E + O)(E' + O') - EE' - OO')
//
// Forms that limbs take, and who may take which (every bound below is asserted in the debug build):
//
//     tight   even < 2^26            odd < 2^25 + 2^17            what mul, square, mulSmall and carry return
//     sum     even < 2^27            odd < 2^26 + 2^18            tight + tight
//     diff    even < 1.5 * 2^27      odd < 1.5 * 2^26 + 2^17      tight - tight + 2p
//
//     mul(f, g): f any form, g tight or sum.      square(f): any form.      sub: both tight.

export { decodeLane, encodeLane } from './int-bytes';
export { addWhere, joinLanes, storeTableElement, whereEqual } from './int-table';

/** Bytes of a pair of field elements. */
export const ELEMENT_X2_BYTES: usize = 80;

@inline const V: usize = 16;

// 2p, limb by limb: 2(2^26 - 19), then 2(2^25 - 1) and 2(2^26 - 1) in turn.
@inline const TWO_P_EVEN_0: u32 = 0x7ffffda;
@inline const TWO_P_EVEN: u32 = 0x7fffffe;
@inline const TWO_P_ODD: u32 = 0x3fffffe;

@inline function evens(a: v128, b: v128): v128 {
  return i64x2.extmul_low_i32x4_u(a, b);
}
@inline function odds(a: v128, b: v128): v128 {
  return i64x2.extmul_high_i32x4_u(a, b);
}
@inline function add64(a: v128, b: v128): v128 {
  return i64x2.add(a, b);
}
@inline function add64x5(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  return i64x2.add(i64x2.add(i64x2.add(a, b), i64x2.add(c, d)), e);
}
@inline function times19Wide(x: v128): v128 {
  // 19x = 16x + 2x + x: `i64x2.mul` costs eight instructions on x64, this four.
  return i64x2.add(i64x2.add(i64x2.shl(x, 4), i64x2.shl(x, 1)), x);
}
/** (even + odd) of both lanes, in the low half and again in the high half. */
@inline function foldHalves(v: v128): v128 {
  return i32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
}
@inline function vectorAt(pair: usize, k: i32): v128 {
  return v128.load(pair + <usize>k * V);
}

/**
 * Carries ten columns of two 64-bit lanes to a tight element and stores it.
 *
 * Each column < 2^63. Two chains run side by side (0..4 and 4..9), as in ref10: after 3 -> 4,
 * column 4 < 2^26 + 2^38, so the second 4 -> 5 carries < 2^13 into column 5 < 2^25 (its own 5 -> 6
 * came before); 9 -> 0 carries 19 * (2^38 + 1) < 2^43 into column 0 < 2^26, so the last 0 -> 1
 * carries < 2^17 into column 1 < 2^25. All other limbs are masked to their 26 or 25 bits: the
 * result is tight.
 */
@inline function carryAndStore(
  out: usize,
  z0: v128, z1: v128, z2: v128, z3: v128, z4: v128,
  z5: v128, z6: v128, z7: v128, z8: v128, z9: v128,
): void {
  if (!ASC_NO_ASSERT) {
    const all = v128.or(v128.or(v128.or(z0, z1), v128.or(z2, z3)), v128.or(v128.or(z4, z5), v128.or(v128.or(z6, z7), v128.or(z8, z9))));
    assert(!v128.any_true(i64x2.shr_u(all, 63)), "a column reached 2^63");
  }
  const mask26 = i64x2.splat(0x3ffffff);
  const mask25 = i64x2.splat(0x1ffffff);

  z1 = i64x2.add(z1, i64x2.shr_u(z0, 26)); z0 = v128.and(z0, mask26);
  z5 = i64x2.add(z5, i64x2.shr_u(z4, 26)); z4 = v128.and(z4, mask26);
  z2 = i64x2.add(z2, i64x2.shr_u(z1, 25)); z1 = v128.and(z1, mask25);
  z6 = i64x2.add(z6, i64x2.shr_u(z5, 25)); z5 = v128.and(z5, mask25);
  z3 = i64x2.add(z3, i64x2.shr_u(z2, 26)); z2 = v128.and(z2, mask26);
  z7 = i64x2.add(z7, i64x2.shr_u(z6, 26)); z6 = v128.and(z6, mask26);
  z4 = i64x2.add(z4, i64x2.shr_u(z3, 25)); z3 = v128.and(z3, mask25);
  z8 = i64x2.add(z8, i64x2.shr_u(z7, 25)); z7 = v128.and(z7, mask25);
  z5 = i64x2.add(z5, i64x2.shr_u(z4, 26)); z4 = v128.and(z4, mask26);
  z9 = i64x2.add(z9, i64x2.shr_u(z8, 26)); z8 = v128.and(z8, mask26);
  const top = i64x2.shr_u(z9, 25); z9 = v128.and(z9, mask25);
  z0 = i64x2.add(z0, times19Wide(top));
  z1 = i64x2.add(z1, i64x2.shr_u(z0, 26)); z0 = v128.and(z0, mask26);

  v128.store(out, i32x4.shuffle(z0, z1, 0, 2, 4, 6));
  v128.store(out + V, i32x4.shuffle(z2, z3, 0, 2, 4, 6));
  v128.store(out + 2 * V, i32x4.shuffle(z4, z5, 0, 2, 4, 6));
  v128.store(out + 3 * V, i32x4.shuffle(z6, z7, 0, 2, 4, 6));
  v128.store(out + 4 * V, i32x4.shuffle(z8, z9, 0, 2, 4, 6));
}

/**
 * EE' + 2 t OO' + 2^26 (M - EE' - OO'), M = (E + O)(E' + O'), carried and stored.
 *
 * M - EE' - OO' is a sum of products of limbs, so never negative. 2 t OO' shifts OO' up a column;
 * t^5 = 19 brings the top one to column 0: 38 * OO'[4] <= 38 * 5 * 1.5^2 * 2^52 * (1 + 2^-6) <
 * 2^60.8 in a square of a diff, less in a product, so column 0 < 2^62.2 with EE'[0] <= 77 * 1.5^2 *
 * 2^54 < 2^61.5.
 */
@inline function recombineAndStore(
  out: usize,
  ee0: v128, ee1: v128, ee2: v128, ee3: v128, ee4: v128,
  oo0: v128, oo1: v128, oo2: v128, oo3: v128, oo4: v128,
  m0: v128, m1: v128, m2: v128, m3: v128, m4: v128,
): void {
  carryAndStore(
    out,
    i64x2.add(ee0, times19Wide(i64x2.add(oo4, oo4))), i64x2.sub(m0, i64x2.add(ee0, oo0)),
    i64x2.add(ee1, i64x2.add(oo0, oo0)), i64x2.sub(m1, i64x2.add(ee1, oo1)),
    i64x2.add(ee2, i64x2.add(oo1, oo1)), i64x2.sub(m2, i64x2.add(ee2, oo2)),
    i64x2.add(ee3, i64x2.add(oo2, oo2)), i64x2.sub(m3, i64x2.add(ee3, oo3)),
    i64x2.add(ee4, i64x2.add(oo3, oo3)), i64x2.sub(m4, i64x2.add(ee4, oo4)),
  );
}

/**
 * Debug build only: traps unless both lanes' even limbs are < `evenEnd` and odd ones < `oddEnd`.
 */
function assertForm(pair: usize, evenEnd: u32, oddEnd: u32): void {
  for (let k = 0; k < 5; k++) {
    const v = vectorAt(pair, k);
    assert(<u32>i32x4.extract_lane(v, 0) < evenEnd && <u32>i32x4.extract_lane(v, 1) < evenEnd, "an even limb left its form");
    assert(<u32>i32x4.extract_lane(v, 2) < oddEnd && <u32>i32x4.extract_lane(v, 3) < oddEnd, "an odd limb left its form");
  }
}
@inline function assertTight(pair: usize): void {
  if (!ASC_NO_ASSERT) assertForm(pair, 1 << 26, (1 << 25) + (1 << 17));
}
@inline function assertSum(pair: usize): void {
  if (!ASC_NO_ASSERT) assertForm(pair, 1 << 27, (1 << 26) + (1 << 18));
}
@inline function assertAnyForm(pair: usize): void {
  if (!ASC_NO_ASSERT) assertForm(pair, 3 << 26, (3 << 25) + (1 << 17));
}

/** out = f * g. f any form, g tight or sum; out tight. out may be f or g. */
export function mulX2(out: usize, f: usize, g: usize): void {
  assertAnyForm(f);
  assertSum(g);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  const g0 = vectorAt(g, 0), g1 = vectorAt(g, 1), g2 = vectorAt(g, 2), g3 = vectorAt(g, 3), g4 = vectorAt(g, 4);

  // h = 19 g. Sum form: 19 * 2^27 < 2^31.3.
  const nineteen = i32x4.splat(19);
  const h1 = i32x4.mul(g1, nineteen), h2 = i32x4.mul(g2, nineteen);
  const h3 = i32x4.mul(g3, nineteen), h4 = i32x4.mul(g4, nineteen);

  // Columns of EE' and OO' modulo t^5 - 19. With f diff and g sum, EE'[0] <= (1 + 4 * 19) * 1.5 *
  // 2^54 < 2^60.9.
  const ee0 = add64x5(evens(f0, g0), evens(f1, h4), evens(f2, h3), evens(f3, h2), evens(f4, h1));
  const ee1 = add64x5(evens(f0, g1), evens(f1, g0), evens(f2, h4), evens(f3, h3), evens(f4, h2));
  const ee2 = add64x5(evens(f0, g2), evens(f1, g1), evens(f2, g0), evens(f3, h4), evens(f4, h3));
  const ee3 = add64x5(evens(f0, g3), evens(f1, g2), evens(f2, g1), evens(f3, g0), evens(f4, h4));
  const ee4 = add64x5(evens(f0, g4), evens(f1, g3), evens(f2, g2), evens(f3, g1), evens(f4, g0));

  const oo0 = add64x5(odds(f0, g0), odds(f1, h4), odds(f2, h3), odds(f3, h2), odds(f4, h1));
  const oo1 = add64x5(odds(f0, g1), odds(f1, g0), odds(f2, h4), odds(f3, h3), odds(f4, h2));
  const oo2 = add64x5(odds(f0, g2), odds(f1, g1), odds(f2, g0), odds(f3, h4), odds(f4, h3));
  const oo3 = add64x5(odds(f0, g3), odds(f1, g2), odds(f2, g1), odds(f3, g0), odds(f4, h4));
  const oo4 = add64x5(odds(f0, g4), odds(f1, g3), odds(f2, g2), odds(f3, g1), odds(f4, g0));

  // (E + O)(E' + O'). f diff: E + O < 2.25 * 2^27 + 2^17. g sum: E' + O' < 1.5 * 2^27 + 2^18, and
  // 19 times that < 2^31.9. Column 0 is the largest: 77 * 3.376 * 2^54 < 2^62.1.
  const s0 = foldHalves(f0), s1 = foldHalves(f1), s2 = foldHalves(f2), s3 = foldHalves(f3), s4 = foldHalves(f4);
  const r0 = foldHalves(g0), r1 = foldHalves(g1), r2 = foldHalves(g2), r3 = foldHalves(g3), r4 = foldHalves(g4);
  const q1 = foldHalves(h1), q2 = foldHalves(h2), q3 = foldHalves(h3), q4 = foldHalves(h4);
  const m0 = add64x5(evens(s0, r0), evens(s1, q4), evens(s2, q3), evens(s3, q2), evens(s4, q1));
  const m1 = add64x5(evens(s0, r1), evens(s1, r0), evens(s2, q4), evens(s3, q3), evens(s4, q2));
  const m2 = add64x5(evens(s0, r2), evens(s1, r1), evens(s2, r0), evens(s3, q4), evens(s4, q3));
  const m3 = add64x5(evens(s0, r3), evens(s1, r2), evens(s2, r1), evens(s3, r0), evens(s4, q4));
  const m4 = add64x5(evens(s0, r4), evens(s1, r3), evens(s2, r2), evens(s3, r1), evens(s4, r0));

  recombineAndStore(out, ee0, ee1, ee2, ee3, ee4, oo0, oo1, oo2, oo3, oo4, m0, m1, m2, m3, m4);
}

/**
 * {@link mulX2}: other fields have a product with fewer carries and wider limbs, where that does.
 */
@inline export function mulLooseX2(out: usize, f: usize, g: usize): void {
  mulX2(out, f, g);
}
/** {@link squareX2}, as {@link mulLooseX2}. */
@inline export function squareLooseX2(out: usize, f: usize): void {
  squareX2(out, f);
}

/** out = f * f. f any form; out tight. out may be f. */
export function squareX2(out: usize, f: usize): void {
  assertAnyForm(f);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  const d0 = i32x4.add(f0, f0), d1 = i32x4.add(f1, f1), d2 = i32x4.add(f2, f2), d3 = i32x4.add(f3, f3);

  // diff form: 19 * 1.5 * 2^27 < 2^31.9.
  const nineteen = i32x4.splat(19);
  const h3 = i32x4.mul(f3, nineteen), h4 = i32x4.mul(f4, nineteen);

  const ee0 = add64(add64(evens(f0, f0), evens(d1, h4)), evens(d2, h3));
  const ee1 = add64(add64(evens(d0, f1), evens(d2, h4)), evens(f3, h3));
  const ee2 = add64(add64(evens(d0, f2), evens(f1, f1)), evens(d3, h4));
  const ee3 = add64(add64(evens(d0, f3), evens(d1, f2)), evens(f4, h4));
  const ee4 = add64(add64(evens(d0, f4), evens(d1, f3)), evens(f2, f2));

  const oo0 = add64(add64(odds(f0, f0), odds(d1, h4)), odds(d2, h3));
  const oo1 = add64(add64(odds(d0, f1), odds(d2, h4)), odds(f3, h3));
  const oo2 = add64(add64(odds(d0, f2), odds(f1, f1)), odds(d3, h4));
  const oo3 = add64(add64(odds(d0, f3), odds(d1, f2)), odds(f4, h4));
  const oo4 = add64(add64(odds(d0, f4), odds(d1, f3)), odds(f2, f2));

  // (E + O)^2. diff form: E + O < 2.25 * 2^27 + 2^17; 19 times that would not fit 32 bits, so here
  // the fold by 19 comes after the products. Column 0 is the largest: 77 * (2.25 * 2^27 + 2^17)^2 <
  // 2^62.7.
  const s0 = foldHalves(f0), s1 = foldHalves(f1), s2 = foldHalves(f2), s3 = foldHalves(f3), s4 = foldHalves(f4);
  const t0 = i32x4.add(s0, s0), t1 = i32x4.add(s1, s1), t2 = i32x4.add(s2, s2), t3 = i32x4.add(s3, s3);
  const m0 = add64(evens(s0, s0), times19Wide(add64(evens(t1, s4), evens(t2, s3))));
  const m1 = add64(evens(t0, s1), times19Wide(add64(evens(t2, s4), evens(s3, s3))));
  const m2 = add64(add64(evens(t0, s2), evens(s1, s1)), times19Wide(evens(t3, s4)));
  const m3 = add64(add64(evens(t0, s3), evens(t1, s2)), times19Wide(evens(s4, s4)));
  const m4 = add64(add64(evens(t0, s4), evens(t1, s3)), evens(s2, s2));

  recombineAndStore(out, ee0, ee1, ee2, ee3, ee4, oo0, oo1, oo2, oo3, oo4, m0, m1, m2, m3, m4);
}

/** out = f + c * g for a small public constant. Any forms, c < 2^17; out tight. */
export function addMulSmallX2(out: usize, f: usize, g: usize, c: u32): void {
  assertAnyForm(f);
  assertAnyForm(g);
  // Every column < 2^28 * 2^17 + 2^28 < 2^46.
  const factor = i32x4.splat(c), one = i32x4.splat(1);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  const g0 = vectorAt(g, 0), g1 = vectorAt(g, 1), g2 = vectorAt(g, 2), g3 = vectorAt(g, 3), g4 = vectorAt(g, 4);
  carryAndStore(
    out,
    add64(evens(f0, one), evens(g0, factor)), add64(odds(f0, one), odds(g0, factor)),
    add64(evens(f1, one), evens(g1, factor)), add64(odds(f1, one), odds(g1, factor)),
    add64(evens(f2, one), evens(g2, factor)), add64(odds(f2, one), odds(g2, factor)),
    add64(evens(f3, one), evens(g3, factor)), add64(odds(f3, one), odds(g3, factor)),
    add64(evens(f4, one), evens(g4, factor)), add64(odds(f4, one), odds(g4, factor)),
  );
}

/** out = f, tight. f any form. out may be f. */
export function carryX2(out: usize, f: usize): void {
  assertAnyForm(f);
  const one = i32x4.splat(1);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  carryAndStore(
    out,
    evens(f0, one), odds(f0, one), evens(f1, one), odds(f1, one), evens(f2, one),
    odds(f2, one), evens(f3, one), odds(f3, one), evens(f4, one), odds(f4, one),
  );
}

/** out = f + g. Both tight; out sum. */
@inline export function addX2(out: usize, f: usize, g: usize): void {
  assertTight(f);
  assertTight(g);
  v128.store(out, i32x4.add(vectorAt(f, 0), vectorAt(g, 0)));
  v128.store(out + V, i32x4.add(vectorAt(f, 1), vectorAt(g, 1)));
  v128.store(out + 2 * V, i32x4.add(vectorAt(f, 2), vectorAt(g, 2)));
  v128.store(out + 3 * V, i32x4.add(vectorAt(f, 3), vectorAt(g, 3)));
  v128.store(out + 4 * V, i32x4.add(vectorAt(f, 4), vectorAt(g, 4)));
}

/**
 * out = f - g, as f - g + 2p. Both tight; out diff. No limb is negative: tight even < 2^26 <= 2^27
 * - 38, odd < 2^26 - 2.
 */
@inline export function subX2(out: usize, f: usize, g: usize): void {
  assertTight(f);
  assertTight(g);
  const twoP0 = i32x4(TWO_P_EVEN_0, TWO_P_EVEN_0, TWO_P_ODD, TWO_P_ODD);
  const twoP = i32x4(TWO_P_EVEN, TWO_P_EVEN, TWO_P_ODD, TWO_P_ODD);
  v128.store(out, i32x4.sub(i32x4.add(vectorAt(f, 0), twoP0), vectorAt(g, 0)));
  v128.store(out + V, i32x4.sub(i32x4.add(vectorAt(f, 1), twoP), vectorAt(g, 1)));
  v128.store(out + 2 * V, i32x4.sub(i32x4.add(vectorAt(f, 2), twoP), vectorAt(g, 2)));
  v128.store(out + 3 * V, i32x4.sub(i32x4.add(vectorAt(f, 3), twoP), vectorAt(g, 3)));
  v128.store(out + 4 * V, i32x4.sub(i32x4.add(vectorAt(f, 4), twoP), vectorAt(g, 4)));
}

/**
 * sum, difference = f + g, f - g, exchanged in the lanes where mask is all ones. Constant time.
 * Both tight; out any.
 */
export function addSubX2(sum: usize, difference: usize, f: usize, g: usize, mask: v128): void {
  addX2(sum, f, g);
  subX2(difference, f, g);
  swapX2(sum, difference, mask);
}

/** out = mask ? -f : f, lane by lane, in constant time. f tight; out diff. out may be f. */
export function negateWhereX2(out: usize, f: usize, mask: v128): void {
  assertTight(f);
  const twoP0 = i32x4(TWO_P_EVEN_0, TWO_P_EVEN_0, TWO_P_ODD, TWO_P_ODD);
  const twoP = i32x4(TWO_P_EVEN, TWO_P_EVEN, TWO_P_ODD, TWO_P_ODD);
  const f0 = vectorAt(f, 0), f1 = vectorAt(f, 1), f2 = vectorAt(f, 2), f3 = vectorAt(f, 3), f4 = vectorAt(f, 4);
  v128.store(out, v128.bitselect(i32x4.sub(twoP0, f0), f0, mask));
  v128.store(out + V, v128.bitselect(i32x4.sub(twoP, f1), f1, mask));
  v128.store(out + 2 * V, v128.bitselect(i32x4.sub(twoP, f2), f2, mask));
  v128.store(out + 3 * V, v128.bitselect(i32x4.sub(twoP, f3), f3, mask));
  v128.store(out + 4 * V, v128.bitselect(i32x4.sub(twoP, f4), f4, mask));
}

/** out = f. */
@inline export function copyX2(out: usize, f: usize): void {
  for (let k = 0; k < 5; k++) v128.store(out + <usize>k * V, vectorAt(f, k));
}

/** out = (c, c) for a small public constant c < 2^26. */
export function setSmallX2(out: usize, c: u32): void {
  v128.store(out, i32x4(c, c, 0, 0));
  for (let k = 1; k < 5; k++) v128.store(out + <usize>k * V, i32x4.splat(0));
}

/**
 * A mask for {@link swapX2} and {@link selectX2}: lane a all ones where `bitA` is 1, all zeros
 * where it is 0, and so b. The bits are secret; they meet arithmetic only.
 */
@inline export function laneMaskX2(bitA: u32, bitB: u32): v128 {
  const a = 0 - bitA, b = 0 - bitB;
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(a), 1, b), 2, a), 3, b);
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
  for (let k = 0; k < 5; k++) v128.store(out + <usize>k * V, v128.bitselect(vectorAt(f, k), vectorAt(g, k), mask));
}
