import { TABLE_POINT_BYTES } from '../abi';
import { ELEMENT_X2_BYTES, addWhere, joinLanes, whereEqual } from '../field/field';

// Tables of affine points. An entry is 16 words of 64 bits, two cache lines: (y + x)/2, (x - y)/2
// and d x y in five words each, laid out by the field, and one that is not used.

const WORD_BYTES: usize = 8;
const VECTOR_BYTES: usize = 16;

/** Where an entry has its second and its third element. */
export const TABLE_ELEMENT_BYTES: usize = 5 * WORD_BYTES;
/**
 * Bytes of the three pairs that {@link lookUpPointX2} makes. It wants TABLE_POINT_BYTES of scratch.
 */
export const TABLE_POINT_X2_BYTES: usize = 3 * ELEMENT_X2_BYTES;

/** sum, zero so far, or what `vector` of the entry holds where the mask is of its place. */
@inline function pick(sum: v128, entry: usize, vector: usize, mask: v128): v128 {
  return addWhere(sum, v128.load(entry + vector * VECTOR_BYTES), mask);
}

/**
 * out = entry `indexA` of table a in lane a, `indexB` of table b in lane b. Three tight pairs. The
 * indices are secret: every entry of both tables is read, from end to end, and masks decide.
 */
export function lookUpPointX2(
  out: usize, tableA: usize, tableB: usize, entryCount: usize, indexA: u32, indexB: u32, scratch: usize,
): void {
  scanTable(scratch, tableA, entryCount, indexA);

  const index = i32x4.splat(indexB);
  let v0 = i32x4.splat(0), v1 = v0, v2 = v0, v3 = v0, v4 = v0, v5 = v0, v6 = v0, v7 = v0;
  let entry = tableB;
  for (let i: usize = 0; i < entryCount; i++) {
    const mask = whereEqual(index, i32x4.splat(<i32>i));
    v0 = pick(v0, entry, 0, mask);
    v1 = pick(v1, entry, 1, mask);
    v2 = pick(v2, entry, 2, mask);
    v3 = pick(v3, entry, 3, mask);
    v4 = pick(v4, entry, 4, mask);
    v5 = pick(v5, entry, 5, mask);
    v6 = pick(v6, entry, 6, mask);
    v7 = pick(v7, entry, 7, mask);
    entry += TABLE_POINT_BYTES;
  }
  const w0 = v128.load(scratch), w1 = v128.load(scratch + VECTOR_BYTES), w2 = v128.load(scratch + 2 * VECTOR_BYTES);
  const w3 = v128.load(scratch + 3 * VECTOR_BYTES), w4 = v128.load(scratch + 4 * VECTOR_BYTES);
  const w5 = v128.load(scratch + 5 * VECTOR_BYTES), w6 = v128.load(scratch + 6 * VECTOR_BYTES);
  const w7 = v128.load(scratch + 7 * VECTOR_BYTES);
  storeFive(out, joinLanes(w0, v0, 0), joinLanes(w0, v0, 1), joinLanes(w1, v1, 0), joinLanes(w1, v1, 1), joinLanes(w2, v2, 0));
  storeFive(
    out + ELEMENT_X2_BYTES,
    joinLanes(w2, v2, 1), joinLanes(w3, v3, 0), joinLanes(w3, v3, 1), joinLanes(w4, v4, 0), joinLanes(w4, v4, 1),
  );
  storeFive(
    out + 2 * ELEMENT_X2_BYTES,
    joinLanes(w5, v5, 0), joinLanes(w5, v5, 1), joinLanes(w6, v6, 0), joinLanes(w6, v6, 1), joinLanes(w7, v7, 0),
  );
}

/** out = entry `index` of the table, in the table's own form. */
function scanTable(out: usize, table: usize, entryCount: usize, secretIndex: u32): void {
  const index = i32x4.splat(secretIndex);
  let v0 = i32x4.splat(0), v1 = v0, v2 = v0, v3 = v0, v4 = v0, v5 = v0, v6 = v0, v7 = v0;
  let entry = table;
  for (let i: usize = 0; i < entryCount; i++) {
    const mask = whereEqual(index, i32x4.splat(<i32>i));
    v0 = pick(v0, entry, 0, mask);
    v1 = pick(v1, entry, 1, mask);
    v2 = pick(v2, entry, 2, mask);
    v3 = pick(v3, entry, 3, mask);
    v4 = pick(v4, entry, 4, mask);
    v5 = pick(v5, entry, 5, mask);
    v6 = pick(v6, entry, 6, mask);
    v7 = pick(v7, entry, 7, mask);
    entry += TABLE_POINT_BYTES;
  }
  storeFive(out, v0, v1, v2, v3, v4);
  v128.store(out + 5 * VECTOR_BYTES, v5);
  v128.store(out + 6 * VECTOR_BYTES, v6);
  v128.store(out + 7 * VECTOR_BYTES, v7);
}

@inline function storeFive(out: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128): void {
  v128.store(out, v0);
  v128.store(out + VECTOR_BYTES, v1);
  v128.store(out + 2 * VECTOR_BYTES, v2);
  v128.store(out + 3 * VECTOR_BYTES, v3);
  v128.store(out + 4 * VECTOR_BYTES, v4);
}
