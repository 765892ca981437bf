import { COMB_COLUMNS, COMB_TABLES, COMB_TEETH, KEY_BYTES, TABLE_POINT_BYTES } from '../abi';
import {
  ELEMENT_X2_BYTES,
  addMulSmallX2,
  addX2,
  carryX2,
  copyX2,
  decodeLane,
  encodeLane,
  laneMaskX2,
  mulX2,
  negateWhereX2,
  selectX2,
  setSmallX2,
  squareX2,
  storeTableElement,
  subX2,
} from '../field/field';
import { INVERT_SCRATCH_BYTES, invertX2, powerP58X2 } from '../field/invert';
import { COMB_SCRATCH_BYTES, multiplyByCombX2 } from './comb';
import {
  EDWARDS_SCRATCH_BYTES,
  POINT_X2_BYTES,
  T_OFFSET,
  Y_OFFSET,
  Z_OFFSET,
  addReadyX2,
  doubleX2,
  makeReadyX2,
  setNeutralX2,
} from './edwards';
import { TABLE_ELEMENT_BYTES } from './look-up';

// The tables of a recipient's key R, for the comb of comb.ts: multiples of Q = 8 R. R is public,
// and so is all that happens while tables are built; what multiplies by them is constant time.

/**
 * d = -121665 / 121666 (RFC 7748, section 4.1), 2 d, 4 d, and a square root of -1; 32 bytes each.
 */
const CURVE_CONSTANTS: usize = memory.data<u64>([
  0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898, 0x52036cee2b6ffe73,
  0xebd69b9426b2f159, 0x00e0149a8283b156, 0x198e80f2eef3d130, 0x2406d9dc56dffce7,
  0xd7ad37284d65e2b2, 0x01c02935050762ad, 0x331d01e5dde7a260, 0x480db3b8adbff9ce,
  0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478, 0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b,
], 16);
const D: usize = 0;
const D2: usize = KEY_BYTES;
const D4: usize = 2 * KEY_BYTES;
const SQRT_MINUS_1: usize = 3 * KEY_BYTES;

const TABLES: usize = COMB_TABLES;
const COLUMNS: usize = COMB_COLUMNS;
const TEETH: usize = COMB_TEETH;
const ROW_DIGITS: usize = TABLES * COLUMNS;
const ENTRIES: usize = 1 << (TEETH - 1);

// Scratch of the building, a point's bytes a place: for each table the teeth's points 2^(tooth *
// ROW_DIGITS + ...) Q, ready to be added but for the top tooth's, and their doubles; then every
// entry, X, Y, Z and a running product in the place of T.
const TEETH_PLACES: usize = TABLES * TEETH;
const DOUBLES_OFFSET: usize = TEETH_PLACES * POINT_X2_BYTES;
const ENTRIES_OFFSET: usize = DOUBLES_OFFSET + TEETH_PLACES * POINT_X2_BYTES;
const PRODUCT_OFFSET: usize = T_OFFSET;
const INNER_OFFSET: usize = ENTRIES_OFFSET + TABLES * ENTRIES * POINT_X2_BYTES;
/** Scratch that {@link buildTablesX2} wants. */
export const BUILD_TABLES_SCRATCH_BYTES: usize =
  INNER_OFFSET + 2 * POINT_X2_BYTES + 10 * ELEMENT_X2_BYTES + max(EDWARDS_SCRATCH_BYTES, INVERT_SCRATCH_BYTES);

/** Scratch that {@link multiplyByTablesX2} wants. */
export const TABLES_SCRATCH_BYTES: usize = COMB_SCRATCH_BYTES;

/**
 * One lane each: outX : outZ = the u-coordinate of scalar * R, by the tables of R. See {@link
 * multiplyByCombX2}.
 */
export function multiplyByTablesX2(
  outX: usize, outZ: usize, scalarA: usize, scalarB: usize, tablesA: usize, tablesB: usize, scratch: usize,
): void {
  multiplyByCombX2(outX, outZ, scalarA, scalarB, tablesA, tablesB, TABLES, COLUMNS, TEETH, scratch);
}

@inline function setConstantX2(out: usize, offset: usize): void {
  decodeLane(out, 0, CURVE_CONSTANTS + offset);
  decodeLane(out, 1, CURVE_CONSTANTS + offset);
}

@inline function bytesEqual(a: usize, b: usize): u32 {
  return <u32>(
    (load<u64>(a) ^ load<u64>(b)) == 0 && (load<u64>(a, 8) ^ load<u64>(b, 8)) == 0 &&
    (load<u64>(a, 16) ^ load<u64>(b, 16)) == 0 && (load<u64>(a, 24) ^ load<u64>(b, 24)) == 0
  );
}
/** Whether one lane of f and g, tight or loose, is the same element. */
function laneEquals(f: usize, g: usize, lane: usize, scratch: usize): u32 {
  encodeLane(scratch, f, lane);
  encodeLane(scratch + KEY_BYTES, g, lane);
  return bytesEqual(scratch, scratch + KEY_BYTES);
}

/**
 * point = a point of the Edwards curve with each lane's u-coordinate. Either of the two will do:
 * they are each other's negatives, and every multiple of one has the u of the other's. Bit 0 of the
 * answer: lane a has one, bit 1: lane b. A lane that has none, because u belongs to the twist, gets
 * the neutral element.
 *
 *     y = (u - 1) / (u + 1)          x^2 = (y^2 - 1) / (d y^2 + 1) = n / m,   n = (u - 1)^2 - (u + 1)^2,
 *                                                                             m = d (u - 1)^2 + (u
 *                                                                             + 1)^2
 *
 * m != 0, for -1/d is not a square (and u - 1 = u + 1 = 0 cannot be). The root as in RFC 8032,
 * section 5.1.3: r = n m^3 (n m^7)^((p - 5) / 8) has m r^2 = n, or -n and then r sqrt(-1) is the
 * root, or neither and there is none. u = -1 has y at infinity: then n / m = -1/d, no square, so it
 * takes the twist's way.
 */
function fromMontgomeryX2(point: usize, uA: usize, uB: usize, scratch: usize): u32 {
  const n = scratch;
  const m = n + ELEMENT_X2_BYTES;
  const r = m + ELEMENT_X2_BYTES;
  const s = r + ELEMENT_X2_BYTES;
  const t = s + ELEMENT_X2_BYTES;
  const one = t + ELEMENT_X2_BYTES;
  const inner = one + ELEMENT_X2_BYTES;
  const y = point + Y_OFFSET, z = point + Z_OFFSET;

  decodeLane(t, 0, uA);
  decodeLane(t, 1, uB);
  setSmallX2(one, 1);
  subX2(y, t, one);
  carryX2(y, y); // u - 1
  addX2(z, t, one);
  carryX2(z, z); // u + 1
  squareX2(r, y);
  squareX2(s, z);
  subX2(n, r, s);
  carryX2(n, n);
  setConstantX2(t, D);
  mulX2(m, r, t);
  addX2(m, m, s);
  carryX2(m, m);

  squareX2(s, m); // m^2
  mulX2(t, s, m); // m^3
  mulX2(r, n, t); // n m^3
  mulX2(s, s, s); // m^4
  mulX2(s, s, r); // n m^7
  powerP58X2(s, s, inner);
  mulX2(r, r, s);
  squareX2(s, r);
  mulX2(s, s, m); // m r^2
  negateWhereX2(t, n, laneMaskX2(1, 1));
  carryX2(t, t); // -n
  const rootA = laneEquals(s, n, 0, inner), rootB = laneEquals(s, n, 1, inner);
  const turnedA = laneEquals(s, t, 0, inner), turnedB = laneEquals(s, t, 1, inner);
  setConstantX2(t, SQRT_MINUS_1);
  mulX2(t, r, t);
  selectX2(r, r, t, laneMaskX2(rootA, rootB));

  mulX2(point, r, z); // X = x Z
  mulX2(point + T_OFFSET, r, y); // T = x Y
  const foundA = rootA | turnedA, foundB = rootB | turnedB;
  const found = laneMaskX2(foundA, foundB);
  const neutral = inner;
  setNeutralX2(neutral);
  for (let at: usize = 0; at < POINT_X2_BYTES; at += ELEMENT_X2_BYTES) {
    selectX2(point + at, point + at, neutral + at, found);
  }
  return foundA | (foundB << 1);
}

/** point = 2^times point. */
@inline function doubleTimesX2(point: usize, times: usize, scratch: usize): void {
  for (let i: usize = 1; i <= times; i++) doubleX2(point, point, i == times, scratch);
}

/**
 * Builds the tables of two keys (32 bytes each, u-coordinates). The two may be the same key, at the
 * same place. Bit 0 of the answer says that lane a has tables now, bit 1 lane b; a key on the
 * twist, or of low order, has none, and its tables are zeros or the neutral element's.
 */
export function buildTablesX2(tablesA: usize, tablesB: usize, uA: usize, uB: usize, scratch: usize): u32 {
  const point = scratch + INNER_OFFSET;
  const d2 = point + 2 * POINT_X2_BYTES;
  const d4 = d2 + ELEMENT_X2_BYTES;
  const inner = d4 + ELEMENT_X2_BYTES;
  setConstantX2(d2, D2);
  setConstantX2(d4, D4);

  let found = fromMontgomeryX2(point, uA, uB, scratch);
  doubleTimesX2(point, 3, inner); // Q = 8 R
  // In the group of prime order only the neutral element has X = 0.
  setSmallX2(inner, 0);
  found &= ~(laneEquals(point, inner, 0, inner + ELEMENT_X2_BYTES) | (laneEquals(point, inner, 1, inner + ELEMENT_X2_BYTES) << 1));
  if (found == 0) return 0;

  layTeeth(scratch, point, d2, inner);
  for (let table: usize = 0; table < TABLES; table++) layEntries(scratch, table, inner);
  normalize(tablesA, tablesB, scratch, d4, inner);
  return found;
}

/** The teeth's points and their doubles, one long chain of doublings. */
function layTeeth(scratch: usize, point: usize, d2: usize, inner: usize): void {
  const doubled = point + POINT_X2_BYTES;
  for (let tooth: usize = 0; tooth < TEETH; tooth++) {
    for (let table: usize = 0; table < TABLES; table++) {
      const place = (table * TEETH + tooth) * POINT_X2_BYTES;
      if (tooth == TEETH - 1) {
        memory.copy(scratch + place, point, POINT_X2_BYTES);
        if (table != TABLES - 1) doubleTimesX2(point, COLUMNS, inner);
        continue;
      }
      makeReadyX2(scratch + place, point, d2, inner);
      doubleX2(doubled, point, true, inner);
      makeReadyX2(scratch + DOUBLES_OFFSET + place, doubled, d2, inner);
      memory.copy(point, doubled, POINT_X2_BYTES);
      const gap = table == TABLES - 1 ? ROW_DIGITS - (TABLES - 1) * COLUMNS : COLUMNS;
      doubleTimesX2(point, gap - 1, inner);
    }
  }
}

/**
 * The entries of one table, extended: entry 0 is the top tooth's point less all others; entry i
 * with another bit set is twice that tooth's point more.
 */
function layEntries(scratch: usize, table: usize, inner: usize): void {
  const teeth = scratch + table * TEETH * POINT_X2_BYTES;
  const doubles = teeth + DOUBLES_OFFSET;
  const entries = scratch + ENTRIES_OFFSET + table * ENTRIES * POINT_X2_BYTES;
  memory.copy(entries, teeth + (TEETH - 1) * POINT_X2_BYTES, POINT_X2_BYTES);
  // -top + all others: minus entry 0. It stays so until all others, which begin by turning it, are
  // made.
  for (let tooth: usize = 0; tooth < TEETH - 1; tooth++) {
    addReadyX2(entries, <u32>(tooth == 0), teeth + tooth * POINT_X2_BYTES, inner);
  }
  for (let tooth: usize = 0; tooth < TEETH - 1; tooth++) {
    const half: usize = 1 << tooth;
    for (let i: usize = 0; i < half; i++) {
      const entry = entries + (half + i) * POINT_X2_BYTES;
      memory.copy(entry, entries + i * POINT_X2_BYTES, POINT_X2_BYTES);
      addReadyX2(entry, <u32>(i == 0), doubles + tooth * POINT_X2_BYTES, inner);
    }
  }
  negateWhereX2(entries, entries, laneMaskX2(1, 1));
}

/**
 * Makes all entries affine and writes them to the tables. One inversion serves them all
 * (Montgomery's trick).
 */
function normalize(tablesA: usize, tablesB: usize, scratch: usize, d4: usize, inner: usize): void {
  const first = scratch + ENTRIES_OFFSET;
  const last = first + (TABLES * ENTRIES - 1) * POINT_X2_BYTES;
  const z2 = inner;
  const inverse = z2 + ELEMENT_X2_BYTES;
  const t = inverse + ELEMENT_X2_BYTES;
  const halfX = t + ELEMENT_X2_BYTES;
  const halfY = halfX + ELEMENT_X2_BYTES;
  const out = halfY + ELEMENT_X2_BYTES;

  // Products of all 2 Z: their inverses are those of the halves. No Z is zero, the addition being
  // complete.
  addX2(z2, first + Z_OFFSET, first + Z_OFFSET);
  carryX2(first + PRODUCT_OFFSET, z2);
  for (let entry = first + POINT_X2_BYTES; entry <= last; entry += POINT_X2_BYTES) {
    addX2(z2, entry + Z_OFFSET, entry + Z_OFFSET);
    mulX2(entry + PRODUCT_OFFSET, entry - POINT_X2_BYTES + PRODUCT_OFFSET, z2);
  }
  invertX2(inverse, last + PRODUCT_OFFSET, t);

  let place = (TABLES * ENTRIES - 1) * <usize>TABLE_POINT_BYTES;
  for (let entry = last; entry >= first; entry -= POINT_X2_BYTES) {
    // Here inverse = 1 / (the product up to this entry).
    if (entry == first) copyX2(t, inverse);
    else mulX2(t, inverse, entry - POINT_X2_BYTES + PRODUCT_OFFSET);
    addX2(z2, entry + Z_OFFSET, entry + Z_OFFSET);
    mulX2(inverse, inverse, z2);

    mulX2(halfX, entry, t); // x / 2
    mulX2(halfY, entry + Y_OFFSET, t); // y / 2
    addMulSmallX2(out, halfX, halfY, 1);
    storeElements(tablesA + place, tablesB + place, out);
    mulX2(t, halfX, halfY);
    negateWhereX2(halfY, halfY, laneMaskX2(1, 1));
    addMulSmallX2(out, halfX, halfY, 1);
    storeElements(tablesA + place + TABLE_ELEMENT_BYTES, tablesB + place + TABLE_ELEMENT_BYTES, out);
    mulX2(out, t, d4); // d x y = 4 d (x / 2) (y / 2)
    storeElements(tablesA + place + 2 * TABLE_ELEMENT_BYTES, tablesB + place + 2 * TABLE_ELEMENT_BYTES, out);
    place -= TABLE_POINT_BYTES;
  }
}

@inline function storeElements(wordsA: usize, wordsB: usize, pair: usize): void {
  storeTableElement(wordsA, pair, 0);
  storeTableElement(wordsB, pair, 1);
}
