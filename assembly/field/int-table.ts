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

/** Writes one lane of a tight pair as five words. */
export function storeTableElement(words: usize, pair: usize, lane: usize): void {
  for (let k: usize = 0; k < 5; k++) {
    const limbs = pair + k * VECTOR_BYTES + lane * 4;
    store<u64>(words + k * WORD_BYTES, <u64>load<u32>(limbs) | (<u64>load<u32>(limbs, 8) << 32));
  }
}
