import {
  ELEMENT_X2_BYTES,
  TABLE_ELEMENT_BYTES,
  addX2,
  carryX2,
  laneMaskX2,
  lookUpX2,
  mulX2,
  selectX2,
  setSmallX2,
  squareX2,
  subX2,
  swapX2,
} from '../field/field';

// Points of the twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2, two lanes at a time, in extended coordinates
// (Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 2008): x = X/Z, y = Y/Z, T = XY/Z. All tight.
// d is not a square, so the addition is complete: no point, the neutral one included, is a special case.

export const POINT_X2_BYTES: usize = 4 * ELEMENT_X2_BYTES;
const Y: usize = ELEMENT_X2_BYTES;
const Z: usize = 2 * ELEMENT_X2_BYTES;
const T: usize = 3 * ELEMENT_X2_BYTES;

/** An affine point in a table: (y + x)/2, (x - y)/2, d x y. The halves spare the addition a doubling of Z. */
export const TABLE_POINT_BYTES: usize = 3 * TABLE_ELEMENT_BYTES;

/** Scratch that the functions here want. */
export const EDWARDS_SCRATCH_BYTES: usize = 9 * ELEMENT_X2_BYTES;

/** point = the neutral element in both lanes. */
export function setNeutralX2(point: usize): void {
  setSmallX2(point, 0);
  setSmallX2(point + Y, 1);
  setSmallX2(point + Z, 1);
  setSmallX2(point + T, 0);
}

/**
 * point = (flip ? -point : point) + entry of the table, lane by lane. The bits that flip and the indices are secret.
 *
 * Section 3.2 of the paper, with q = (x2 - y2)/2 for the second factor of A, so that A' = -A, E = B + A' is a sum and
 * H = B - A' a diff, and every product is one of a diff by a sum. -(X : Y : Z : T) = (-X : Y : Z : -T): flipping the
 * accumulator, not the entry, exchanges Y - X with Y + X and negates T.
 */
export function addFromTableX2(
  point: usize, flipA: u32, flipB: u32,
  table: usize, entryCount: usize, indexA: u32, indexB: u32,
  scratch: usize,
): void {
  const p = scratch;
  const q = p + ELEMENT_X2_BYTES;
  const r = q + ELEMENT_X2_BYTES;
  const difference = r + ELEMENT_X2_BYTES;
  const sum = difference + ELEMENT_X2_BYTES;
  const t = sum + ELEMENT_X2_BYTES;
  const a = t + ELEMENT_X2_BYTES;
  const b = a + ELEMENT_X2_BYTES;
  const zero = b + ELEMENT_X2_BYTES;

  const flip = laneMaskX2(flipA, flipB);
  lookUpX2(p, table, TABLE_POINT_BYTES, entryCount, indexA, indexB);
  lookUpX2(q, table + TABLE_ELEMENT_BYTES, TABLE_POINT_BYTES, entryCount, indexA, indexB);
  lookUpX2(r, table + 2 * TABLE_ELEMENT_BYTES, TABLE_POINT_BYTES, entryCount, indexA, indexB);

  subX2(difference, point + Y, point); // Y - X: diff
  addX2(sum, point + Y, point); // Y + X: sum
  swapX2(difference, sum, flip); // either form
  setSmallX2(zero, 0);
  subX2(t, zero, point + T); // -T: diff
  selectX2(t, t, point + T, flip);

  mulX2(a, difference, q); // A' = (Y - X)(x2 - y2)/2
  mulX2(b, sum, p); // B = (Y + X)(y2 + x2)/2
  mulX2(t, t, r); // C = T d x2 y2
  addX2(p, b, a); // E: sum
  subX2(q, b, a); // H: diff
  subX2(difference, point + Z, t); // F: diff
  addX2(sum, point + Z, t); // G: sum
  mulX2(point, difference, p); // X = E F
  mulX2(point + Y, q, sum); // Y = G H
  mulX2(point + Z, difference, sum); // Z = F G
  mulX2(point + T, q, p); // T = E H
}

/** point = 2 point. Section 3.3 of the paper, with all signs turned where that spares a negation (as in ref10). */
export function doubleX2(point: usize, scratch: usize): void {
  const xx = scratch;
  const yy = xx + ELEMENT_X2_BYTES;
  const zz2 = yy + ELEMENT_X2_BYTES;
  const e = zz2 + ELEMENT_X2_BYTES;
  const f = e + ELEMENT_X2_BYTES;
  const g = f + ELEMENT_X2_BYTES;
  const h = g + ELEMENT_X2_BYTES;

  squareX2(xx, point);
  squareX2(yy, point + Y);
  squareX2(zz2, point + Z);
  addX2(zz2, zz2, zz2);
  carryX2(zz2, zz2);
  addX2(e, point, point + Y);
  squareX2(e, e); // (X + Y)^2
  addX2(h, yy, xx);
  carryX2(h, h); // H = Y^2 + X^2
  subX2(g, yy, xx);
  carryX2(g, g); // G = Y^2 - X^2
  subX2(e, e, h); // E = 2 X Y: diff
  subX2(f, zz2, g); // F = 2 Z^2 - G: diff
  carryX2(f, f);
  mulX2(point, e, f);
  mulX2(point + Y, g, h);
  mulX2(point + Z, f, g);
  mulX2(point + T, e, h);
}

/** outX : outZ = the u-coordinate (Z + Y) : (Z - Y) of the point (RFC 7748, section 4.1). Tight. */
export function toMontgomeryX2(outX: usize, outZ: usize, point: usize): void {
  addX2(outX, point + Z, point + Y);
  carryX2(outX, outX);
  subX2(outZ, point + Z, point + Y);
  carryX2(outZ, outZ);
}
