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

/** Writes one lane of a tight pair as five words. */
export function storeTableElement(words: usize, pair: usize, lane: usize): void {
  for (let k: usize = 0; k < 5; k++) {
    store<u64>(words + k * WORD_BYTES, load<u64>(pair + k * VECTOR_BYTES + lane * WORD_BYTES));
  }
}
