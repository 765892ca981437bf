// AssemblyScript, in the place of assembly/field/field.ts: the `fma` field's formulas on bounds in place of limbs.
//
// A "limb" here is the most that the limb can be in size. The curve's own code, run on this field, walks through every formula
// with the worst that can come of what went before; what a product returns does not depend on what it was given, so one
// run proves the bounds for all inputs. `mulX2`, `squareX2` and the like trap where a bound does not hold.

export const ELEMENT_X2_BYTES: usize = 80;

const TIGHT: f64 = 1125899906842624.0; // 2^50
const LOOSE: f64 = 1125899906859008.0; // 2^50 + 2^14
const SUM: f64 = 2251799813685248.0; // 2^51
const MAX_PRODUCT: f64 = 5070602400912917605986812821504.0; // 2^102

/** The largest product of limbs so far, for the host to see. */
const WORST: usize = memory.data(8, 8);
export function worstProduct(): f64 {
  return load<f64>(WORST);
}

function boundOf(pair: usize): f64 {
  let bound: f64 = 0;
  for (let at: usize = 0; at < ELEMENT_X2_BYTES; at += 8) bound = max(bound, abs(load<f64>(pair + at)));
  return bound;
}
function setBound(out: usize, bound: f64): void {
  for (let at: usize = 0; at < ELEMENT_X2_BYTES; at += 8) store<f64>(out + at, bound);
}
function multiply(out: usize, f: f64, g: f64, bound: f64): void {
  assert(f * g <= MAX_PRODUCT, 'a product is too large to split');
  store<f64>(WORST, max(load<f64>(WORST), f * g));
  setBound(out, bound);
}

export function mulX2(out: usize, f: usize, g: usize): void {
  multiply(out, boundOf(f), boundOf(g), TIGHT);
}
export function mulLooseX2(out: usize, f: usize, g: usize): void {
  multiply(out, boundOf(f), boundOf(g), LOOSE);
}
export function squareX2(out: usize, f: usize): void {
  multiply(out, boundOf(f), boundOf(f), TIGHT);
}
export function squareLooseX2(out: usize, f: usize): void {
  multiply(out, boundOf(f), boundOf(f), LOOSE);
}
export function addMulSmallX2(out: usize, f: usize, g: usize, c: u32): void {
  assert(boundOf(f) <= SUM && boundOf(g) <= 2 * SUM && c < 1 << 17, 'a limb left its form');
  setBound(out, TIGHT);
}
export function carryX2(out: usize, f: usize): void {
  assert(boundOf(f) <= SUM, 'a limb left its form');
  setBound(out, TIGHT);
}
export function addX2(out: usize, f: usize, g: usize): void {
  setBound(out, boundOf(f) + boundOf(g));
}
export function subX2(out: usize, f: usize, g: usize): void {
  setBound(out, boundOf(f) + boundOf(g));
}
export function addSubX2(sum: usize, difference: usize, f: usize, g: usize, mask: v128): void {
  const bound = boundOf(f) + boundOf(g);
  setBound(sum, bound);
  setBound(difference, bound);
}
export function negateWhereX2(out: usize, f: usize, mask: v128): void {
  setBound(out, boundOf(f));
}
export function copyX2(out: usize, f: usize): void {
  setBound(out, boundOf(f));
}
export function setSmallX2(out: usize, c: u32): void {
  setBound(out, <f64>c);
}
export function laneMaskX2(bitA: u32, bitB: u32): v128 {
  return i64x2.splat(0);
}
export function swapX2(f: usize, g: usize, mask: v128): void {
  const bound = max(boundOf(f), boundOf(g));
  setBound(f, bound);
  setBound(g, bound);
}
export function selectX2(out: usize, f: usize, g: usize, mask: v128): void {
  setBound(out, max(boundOf(f), boundOf(g)));
}
/** Any bytes may come. */
export function decodeLane(pair: usize, lane: usize, bytes: usize): void {
  setBound(pair, TIGHT);
}
/** The same bytes for all elements but zero: whoever compares finds what lets him go on. */
export function encodeLane(bytes: usize, pair: usize, lane: usize): void {
  assert(boundOf(pair) <= LOOSE, 'a limb left its form');
  memory.fill(bytes, <u8>(boundOf(pair) != 0), 32);
}
export function joinLanes(a: v128, b: v128, half: usize): v128 {
  return f64x2.max(f64x2.abs(a), f64x2.abs(b));
}
export function whereEqual(a: v128, b: v128): v128 {
  return i32x4.eq(a, b);
}
export function addWhere(sum: v128, words: v128, mask: v128): v128 {
  return v128.or(sum, v128.and(words, mask));
}
export function storeTableElement(words: usize, pair: usize, lane: usize): void {
  assert(boundOf(pair) <= TIGHT, 'a limb left its form');
  for (let at: usize = 0; at < 40; at += 8) store<f64>(words + at, boundOf(pair));
}
