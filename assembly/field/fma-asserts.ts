// The bounds of the `fma` field, checked in the debug build; nothing of this is left in a release.

@inline export const TIGHT_LIMB: f64 = 1125899906842624; // 2^50
@inline export const LOOSE_LIMB: f64 = 1125899906859008; // 2^50 + 2^14
@inline export const SUM_LIMB: f64 = 2251799813685248; // 2^51
@inline export const LOOSE_SUM_LIMB: f64 = 2251799813718016; // 2^51 + 2^15
/** The largest product of two limbs that splits exactly. */
@inline const MAX_PRODUCT: f64 = 5070602400912917605986812821504.0; // 2^102

/** Traps unless all limbs are integers of at most `limit` in size. */
export function checkLimbs(pair: usize, limit: f64): void {
  for (let at: usize = 0; at < 80; at += 8) {
    const limb = load<f64>(pair + at);
    assert(limb == Math.trunc(limb) && Math.abs(limb) <= limit, 'a limb left its form');
  }
}
@inline export function assertLimbs(pair: usize, limit: f64): void {
  if (!ASC_NO_ASSERT) checkLimbs(pair, limit);
}

/**
 * Traps unless |a * b| <= 2^102 in both lanes: what the splitting of a product wants. (Rounding
 * keeps the order.)
 */
export function checkProduct(a: v128, b: v128): void {
  const product = f64x2.abs(f64x2.mul(a, b));
  assert(f64x2.extract_lane(product, 0) <= MAX_PRODUCT, 'a product is too large to split');
  assert(f64x2.extract_lane(product, 1) <= MAX_PRODUCT, 'a product is too large to split');
}
@inline export function assertProduct(a: v128, b: v128): void {
  if (!ASC_NO_ASSERT) checkProduct(a, b);
}

/**
 * Traps unless both lanes are below 2^60: a column that has its constant, and did not wrap below
 * zero.
 */
export function checkColumn(column: v128): void {
  assert(<u64>i64x2.extract_lane(column, 0) < 1 << 60, 'a column left its bounds');
  assert(<u64>i64x2.extract_lane(column, 1) < 1 << 60, 'a column left its bounds');
}
@inline export function assertColumn(column: v128): void {
  if (!ASC_NO_ASSERT) checkColumn(column);
}
