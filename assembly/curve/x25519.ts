import { BY_BASE, BY_LADDER, KEY_BYTES, PAIR_BYTES } from '../abi';
import {
  ELEMENT_X2_BYTES,
  copyX2,
  encodeLane,
  laneMaskX2,
  mulX2,
  selectX2,
  setSmallX2,
} from '../field/field';
import { INVERT_SCRATCH_BYTES, invertX2 } from '../field/invert';
import { FIXED_BASE_SCRATCH_BYTES, fixedBaseX2 } from './fixed-base';
import { LADDER_SCRATCH_BYTES, ladderX2 } from './montgomery';
import { TABLES_SCRATCH_BYTES, multiplyByTablesX2 } from './recipient-tables';

// X25519 (RFC 7748, section 5) of a batch: two lanes a ladder, one inversion for all (Montgomery's
// trick).

// A pair of entries keeps X, Z, the product of all Z up to its own, and the mask of its lanes with
// Z != 0.
const X_OFFSET: usize = 0;
const Z_OFFSET: usize = ELEMENT_X2_BYTES;
const PRODUCT_OFFSET: usize = 2 * ELEMENT_X2_BYTES;
const MASK_OFFSET: usize = 3 * ELEMENT_X2_BYTES;

/** The largest of what ladder, combs and inversion use, one after the other. */
const PRODUCT_SCRATCH_BYTES: usize = max(
  max(LADDER_SCRATCH_BYTES, INVERT_SCRATCH_BYTES),
  max(FIXED_BASE_SCRATCH_BYTES, TABLES_SCRATCH_BYTES),
);

/** Scratch that {@link x25519Batch} wants. */
export const X25519_SCRATCH_BYTES: usize = PRODUCT_SCRATCH_BYTES + 3 * ELEMENT_X2_BYTES + KEY_BYTES;

/** 1 if any of the 32 bytes is not zero, else 0, without a branch. */
export function nonZero(bytes: usize): u32 {
  const any = load<u64>(bytes) | load<u64>(bytes, 8) | load<u64>(bytes, 16) | load<u64>(bytes, 24);
  return <u32>((any | (0 - any)) >> 63);
}

/** Entry number j of the batch: itself, or what the list of u32 says. */
@inline function entryAt(list: usize, j: usize): usize {
  return list == 0 ? j : load<u32>(list + (j << 2));
}

/**
 * out[i] = X25519(scalar[i], u[i]) for `count` >= 1 entries, or those that `list` names. `list` has
 * u32 indices; 0 stands for no list. The arrays begin at `scalars`, `points`, `outs` and advance by
 * their strides; a stride of 0 gives all entries the same. Points of low order give 32 zeros. The
 * way of multiplying is public: BY_LADDER; BY_BASE, for public keys, reads no points; BY_TABLES
 * reads at `points` the addresses (u32) of the points' tables.
 *
 * `pairs` has PAIR_BYTES for each two entries. Leaves secrets in `pairs` and `scratch`: the caller
 * wipes them.
 */
export function x25519Batch(
  list: usize, count: usize,
  scalars: usize, scalarStride: usize,
  points: usize, pointStride: usize,
  outs: usize, outStride: usize,
  how: u32,
  pairs: usize, scratch: usize,
): void {
  const inverse = scratch + PRODUCT_SCRATCH_BYTES;
  const constant = inverse + ELEMENT_X2_BYTES;
  const t = constant + ELEMENT_X2_BYTES;
  const encoded = t + ELEMENT_X2_BYTES;
  const pairCount = (count + 1) >> 1;

  setSmallX2(constant, 1);
  for (let j: usize = 0; j < pairCount; j++) {
    const pair = pairs + j * PAIR_BYTES;
    const z = pair + Z_OFFSET;
    const a = entryAt(list, j << 1);
    // The last lane of an odd batch does its neighbor's work again.
    const b = entryAt(list, min<usize>((j << 1) + 1, count - 1));
    const scalarA = scalars + a * scalarStride;
    const scalarB = scalars + b * scalarStride;
    const pointA = points + a * pointStride;
    const pointB = points + b * pointStride;
    if (how == BY_LADDER) ladderX2(pair + X_OFFSET, z, scalarA, scalarB, pointA, pointB, scratch);
    else if (how == BY_BASE) fixedBaseX2(pair + X_OFFSET, z, scalarA, scalarB, scratch);
    else multiplyByTablesX2(pair + X_OFFSET, z, scalarA, scalarB, load<u32>(pointA), load<u32>(pointB), scratch);
    // One zero would make every product zero: put 1 in its place, and remember to answer zero for
    // it.
    encodeLane(encoded, z, 0);
    const nonZeroA = nonZero(encoded);
    encodeLane(encoded, z, 1);
    const nonZeroB = nonZero(encoded);
    const mask = laneMaskX2(nonZeroA, nonZeroB);
    v128.store(pair + MASK_OFFSET, mask);
    selectX2(z, z, constant, mask);
    if (j == 0) copyX2(pair + PRODUCT_OFFSET, z);
    else mulX2(pair + PRODUCT_OFFSET, pair - PAIR_BYTES + PRODUCT_OFFSET, z);
  }

  invertX2(inverse, pairs + (pairCount - 1) * PAIR_BYTES + PRODUCT_OFFSET, scratch);

  setSmallX2(constant, 0);
  for (let j = pairCount; j-- > 0; ) {
    const pair = pairs + j * PAIR_BYTES;
    // Here inverse = 1 / (Z_0 ... Z_j).
    if (j == 0) copyX2(t, inverse);
    else mulX2(t, inverse, pair - PAIR_BYTES + PRODUCT_OFFSET);
    mulX2(inverse, inverse, pair + Z_OFFSET);
    mulX2(t, t, pair + X_OFFSET);
    selectX2(t, t, constant, v128.load(pair + MASK_OFFSET));
    encodeLane(outs + entryAt(list, j << 1) * outStride, t, 0);
    if ((j << 1) + 1 < count) encodeLane(outs + entryAt(list, (j << 1) + 1) * outStride, t, 1);
  }
}
