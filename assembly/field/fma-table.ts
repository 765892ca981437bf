// The `fma` field's elements in tables: five words of 64 bits, one limb each, one element, not a
// pair.

const VECTOR_BYTES: usize = 16;
const WORD_BYTES: usize = 8;

/**
 * Vector k of a pair: word number `half` (0 or 1, public) of one lane's vector, and the same of the
 * other lane's.
 */
@inline export function joinLanes(a: v128, b: v128, half: usize): v128 {
  return half == 0 ? i64x2.shuffle(a, b, 0, 2) : i64x2.shuffle(a, b, 1, 3);
}

/** A mask for {@link addWhere}: 1 where the places, the same in all lanes, are equal, else 0. */
@inline export function whereEqual(a: v128, b: v128): v128 {
  return v128.and(i32x4.eq(a, b), f64x2.splat(1));
}

/**
 * `words` where the mask is of their place, else `sum`; one of them is zero. Constant time.
 *
 * One instruction in place of two. It is exact, fused or not: limbs are integers, times 1 or 0. A
 * negative limb times 0 is -0, which added to 0 is 0.
 */
@inline export function addWhere(sum: v128, words: v128, mask: v128): v128 {
  return f64x2.relaxed_madd(words, mask, sum);
}

/** Writes one lane of a tight pair as five words. */
export function storeTableElement(words: usize, pair: usize, lane: usize): void {
  for (let k: usize = 0; k < 5; k++) {
    store<u64>(words + k * WORD_BYTES, load<u64>(pair + k * VECTOR_BYTES + lane * WORD_BYTES));
  }
}
