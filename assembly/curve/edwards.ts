import {
  ELEMENT_X2_BYTES,
  addMulSmallX2,
  addSubX2,
  addX2,
  laneMaskX2,
  mulLooseX2,
  mulX2,
  negateWhereX2,
  setSmallX2,
  squareX2,
  subX2,
} from '../field/field';
import { TABLE_POINT_X2_BYTES, lookUpPointX2 } from './look-up';

// Points of the twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2, two lanes at a time, in extended
// coordinates (Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", 2008): x = X/Z, y =
// Y/Z, T = XY/Z. d is not a square, so the addition is complete: no point, the neutral one
// included, is a special case.
//
// Z is tight; X, Y and T are loose: they meet single tight factors only, alone or as Y +- X.

export const POINT_X2_BYTES: usize = 4 * ELEMENT_X2_BYTES;
export const Y_OFFSET: usize = ELEMENT_X2_BYTES;
export const Z_OFFSET: usize = 2 * ELEMENT_X2_BYTES;
export const T_OFFSET: usize = 3 * ELEMENT_X2_BYTES;

/** Scratch that the functions here want. */
export const EDWARDS_SCRATCH_BYTES: usize = 8 * ELEMENT_X2_BYTES;

/** point = the neutral element in both lanes. */
export function setNeutralX2(point: usize): void {
  setSmallX2(point, 0);
  setSmallX2(point + Y_OFFSET, 1);
  setSmallX2(point + Z_OFFSET, 1);
  setSmallX2(point + T_OFFSET, 0);
}

/**
 * point = (flip ? -point : point) + an affine point; lane by lane. `addend` has the affine point's
 * (y + x)/2, (x - y)/2, d x y, tight. The halves spare the addition a doubling of Z. The bits that
 * flip are secret.
 *
 * Section 3.2 of the paper, with (x2 - y2)/2 for the second factor of A, so that A' = -A, E = B +
 * A' is a sum and H = B - A' a difference. -(X : Y : Z : T) = (-X : Y : Z : -T): flipping the
 * point, not the addend, exchanges Y - X with Y + X and negates T.
 *
 * Unless `withT` (public) is set, T is left as it was: neither a doubling nor the end wants it.
 */
export function addAffineX2(point: usize, flipA: u32, flipB: u32, addend: usize, withT: bool, scratch: usize): void {
  const difference = scratch;
  const sum = difference + ELEMENT_X2_BYTES;
  const t = sum + ELEMENT_X2_BYTES;
  const a = t + ELEMENT_X2_BYTES;
  const b = a + ELEMENT_X2_BYTES;

  const flip = laneMaskX2(flipA, flipB);
  addSubX2(sum, difference, point + Y_OFFSET, point, flip);
  negateWhereX2(t, point + T_OFFSET, flip);
  mulX2(a, difference, addend + ELEMENT_X2_BYTES); // A' = (Y - X)(x2 - y2)/2
  mulX2(b, sum, addend); // B = (Y + X)(y2 + x2)/2
  mulX2(t, t, addend + 2 * ELEMENT_X2_BYTES); // C = T d x2 y2
  finishAdditionX2(point, a, b, t, point + Z_OFFSET, withT, scratch);
}

/**
 * point = the sum whose A', B, C and D are given, all tight. `scratch` may hold a, b, c and d
 * behind its first two places.
 */
function finishAdditionX2(point: usize, a: usize, b: usize, c: usize, d: usize, withT: bool, scratch: usize): void {
  const e = scratch + 5 * ELEMENT_X2_BYTES;
  const h = e + ELEMENT_X2_BYTES;
  const f = h + ELEMENT_X2_BYTES;
  const g = scratch;
  addX2(e, b, a); // E
  subX2(h, b, a); // H
  subX2(f, d, c); // F = D - C
  addX2(g, d, c); // G = D + C
  mulLooseX2(point, f, e); // X = E F
  mulLooseX2(point + Y_OFFSET, h, g); // Y = G H
  mulX2(point + Z_OFFSET, f, g); // Z = F G
  if (withT) mulLooseX2(point + T_OFFSET, h, e); // T = E H
}

/**
 * point = (flip ? -point : point) + entry of a table, lane by lane: each lane has a table of its
 * own. The bits that flip and the indices are secret; look-up.ts says what a table is.
 */
export function addFromTablesX2(
  point: usize, flipA: u32, flipB: u32,
  tableA: usize, tableB: usize, entryCount: usize, indexA: u32, indexB: u32,
  withT: bool, scratch: usize,
): void {
  const addend = scratch + EDWARDS_SCRATCH_BYTES;
  lookUpPointX2(addend, tableA, tableB, entryCount, indexA, indexB, addend + TABLE_POINT_X2_BYTES);
  addAffineX2(point, flipA, flipB, addend, withT, scratch);
}

/**
 * An extended point for {@link addReadyX2}: (Y + X), (X - Y), 2 d T, 2 Z, in the place of X, Y, Z,
 * T. All tight. `d2`: 2 d in both lanes.
 */
export function makeReadyX2(ready: usize, point: usize, d2: usize, scratch: usize): void {
  const minusY = scratch;
  negateWhereX2(minusY, point + Y_OFFSET, laneMaskX2(1, 1));
  addMulSmallX2(ready, point, point + Y_OFFSET, 1);
  addMulSmallX2(ready + Y_OFFSET, point, minusY, 1);
  addMulSmallX2(ready + T_OFFSET, point + Z_OFFSET, point + Z_OFFSET, 1);
  mulX2(ready + Z_OFFSET, point + T_OFFSET, d2);
}

/** point = (flip ? -point : point) + ready, both lanes alike. `flip` is public. */
export function addReadyX2(point: usize, flip: u32, ready: usize, scratch: usize): void {
  const difference = scratch;
  const sum = difference + ELEMENT_X2_BYTES;
  const t = sum + ELEMENT_X2_BYTES;
  const a = t + ELEMENT_X2_BYTES;
  const b = a + ELEMENT_X2_BYTES;
  const mask = laneMaskX2(flip, flip);
  addSubX2(sum, difference, point + Y_OFFSET, point, mask);
  negateWhereX2(t, point + T_OFFSET, mask);
  mulX2(a, difference, ready + Y_OFFSET); // A' = (Y - X)(X2 - Y2)
  mulX2(b, sum, ready); // B = (Y + X)(Y2 + X2)
  mulX2(t, t, ready + Z_OFFSET); // C = 2 d T T2
  mulX2(sum, ready + T_OFFSET, point + Z_OFFSET); // D = 2 Z Z2
  finishAdditionX2(point, a, b, t, sum, true, scratch);
}

/**
 * out = 2 point, which may be out. Section 3.3 of the paper, with all signs turned, as in ref10.
 * Unless `withT` (public) is set, T is left as it was: another doubling does not want it.
 */
export function doubleX2(out: usize, point: usize, withT: bool, scratch: usize): void {
  const xx = scratch;
  const yy = xx + ELEMENT_X2_BYTES;
  const zz = yy + ELEMENT_X2_BYTES;
  const e = zz + ELEMENT_X2_BYTES;
  const f = e + ELEMENT_X2_BYTES;
  const g = f + ELEMENT_X2_BYTES;
  const h = g + ELEMENT_X2_BYTES;

  squareX2(xx, point);
  squareX2(yy, point + Y_OFFSET);
  squareX2(zz, point + Z_OFFSET);
  // 2 X Y by a product: (X + Y)^2 - H would want two more carries.
  mulX2(e, point, point + Y_OFFSET);
  addX2(e, e, e); // E = 2 X Y
  addX2(h, yy, xx); // H = Y^2 + X^2
  subX2(g, yy, xx); // G = Y^2 - X^2
  subX2(f, xx, yy);
  addMulSmallX2(f, f, zz, 2); // F = 2 Z^2 - G
  mulLooseX2(out, e, f); // X = E F
  mulLooseX2(out + Y_OFFSET, g, h); // Y = G H
  mulX2(out + Z_OFFSET, g, f); // Z = F G
  if (withT) mulLooseX2(out + T_OFFSET, e, h); // T = E H
}

/** outX : outZ = the u-coordinate (Z + Y) : (Z - Y) of the point (RFC 7748, section 4.1). Tight. */
export function toMontgomeryX2(outX: usize, outZ: usize, point: usize, scratch: usize): void {
  negateWhereX2(scratch, point + Y_OFFSET, laneMaskX2(1, 1));
  addMulSmallX2(outX, point + Z_OFFSET, point + Y_OFFSET, 1);
  addMulSmallX2(outZ, point + Z_OFFSET, scratch, 1);
}
