// The `int` field's elements in tables: five words of 64 bits, two limbs each, one element, not a
// pair.

const VECTOR_BYTES: usize = 16;
const WORD_BYTES: usize = 8;

/**
 * Vector k of a pair: word number `half` (0 or 1, public) of one lane's vector, and the same of the
 * other lane's.
 */
@inline export function joinLanes(a: v128, b: v128, half: usize): v128 {
  return half == 0 ? i32x4.shuffle(a, b, 0, 4, 1, 5) : i32x4.shuffle(a, b, 2, 6, 3, 7);
}

/** A mask for {@link addWhere}: all ones where the places, the same in all lanes, are equal. */
@inline export function whereEqual(a: v128, b: v128): v128 {
  return i32x4.eq(a, b);
}

/** `words` where the mask is of their place, else `sum`; one of them is zero. Constant time. */
@inline export function addWhere(sum: v128, words: v128, mask: v128): v128 {
  return v128.or(sum, v128.and(words, mask));
}

/** Writes one lane of a tight pair as five words. */
export function storeTableElement(words: usize, pair: usize, lane: usize): void {
  for (let k: usize = 0; k < 5; k++) {
    const limbs = pair + k * VECTOR_BYTES + lane * 4;
    store<u64>(words + k * WORD_BYTES, <u64>load<u32>(limbs) | (<u64>load<u32>(limbs, 8) << 32));
  }
}
