// The `int` field's look-up in tables of field elements: ten u32 limbs each, one element, not a pair.

const VECTOR_BYTES: usize = 16;
/** An element in a table. */
export const TABLE_ELEMENT_BYTES: usize = 40;

/** Limbs 2k and 2k+1 of the element at `element`, each twice: what both lanes of a pair have in vector k. */
@inline function bothLanes(element: usize, k: usize): v128 {
  const limbs = v128.load64_splat(element + k * 8);
  return i32x4.shuffle(limbs, limbs, 0, 0, 1, 1);
}

/**
 * out = element number `indexA` of the table in lane a, number `indexB` in lane b; entries are `stride` bytes apart.
 * The indices are secret: every entry is read, and masks decide. Tight, as the table's limbs are.
 */
export function lookUpX2(out: usize, table: usize, stride: usize, entryCount: usize, indexA: u32, indexB: u32): void {
  const indices = i32x4(indexA, indexB, indexA, indexB);
  let v0 = i32x4.splat(0), v1 = v0, v2 = v0, v3 = v0, v4 = v0;
  let element = table;
  for (let i: usize = 0; i < entryCount; i++) {
    const mask = i32x4.eq(indices, i32x4.splat(<i32>i));
    v0 = v128.or(v0, v128.and(bothLanes(element, 0), mask));
    v1 = v128.or(v1, v128.and(bothLanes(element, 1), mask));
    v2 = v128.or(v2, v128.and(bothLanes(element, 2), mask));
    v3 = v128.or(v3, v128.and(bothLanes(element, 3), mask));
    v4 = v128.or(v4, v128.and(bothLanes(element, 4), mask));
    element += stride;
  }
  v128.store(out, v0);
  v128.store(out + VECTOR_BYTES, v1);
  v128.store(out + 2 * VECTOR_BYTES, v2);
  v128.store(out + 3 * VECTOR_BYTES, v3);
  v128.store(out + 4 * VECTOR_BYTES, v4);
}
