// The twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2 (RFC 7748, section 4.1) in BigInt, affine:
// what the kernel's tables hold, and keys of every kind.
import { bigIntToLittleEndian, littleEndianToBigInt, type Bytes } from '../reference/bytes.js';
import { P, add, invert, mul, pow, reduce, square, sub } from '../reference/field.js';
import type { SeededRandom } from './seeded-random.js';

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const D = mul(reduce(-121665n), invert(121666n));
/** Order of the large subgroup. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;
export const NEUTRAL: Point = { x: 0n, y: 1n };
const SQRT_MINUS_1 = pow(2n, (P - 1n) / 4n);
const MONTGOMERY_A = 486662n;

export function addPoints(f: Point, g: Point): Point {
  const product = mul(D, mul(mul(f.x, g.x), mul(f.y, g.y)));
  return {
    x: mul(add(mul(f.x, g.y), mul(f.y, g.x)), invert(add(1n, product))),
    y: mul(add(mul(f.y, g.y), mul(f.x, g.x)), invert(sub(1n, product))),
  };
}

export const negatePoint = ({ x, y }: Point): Point => ({ x: reduce(-x), y });

export function multiplyPoint(factor: bigint, point: Point): Point {
  const [absolute, base] = factor < 0n ? [-factor, negatePoint(point)] : [factor, point];
  let sum: Projective = [0n, 1n, 1n];
  let power: Projective = [base.x, base.y, 1n];
  for (let rest = absolute; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = addProjective(sum, power);
    power = addProjective(power, power);
  }
  const inverse = invert(sum[2]);
  return { x: mul(sum[0], inverse), y: mul(sum[1], inverse) };
}

/** X, Y, Z with x = X/Z, y = Y/Z: {@link addPoints} without its inversions. */
type Projective = readonly [bigint, bigint, bigint];

function addProjective([x1, y1, z1]: Projective, [x2, y2, z2]: Projective): Projective {
  const [xx, yy, zz] = [mul(x1, x2), mul(y1, y2), mul(z1, z2)];
  const [product, square2] = [mul(D, mul(xx, yy)), square(zz)];
  const [plus, minus] = [add(square2, product), sub(square2, product)];
  const crossed = sub(mul(add(x1, y1), add(x2, y2)), add(xx, yy));
  return [mul(mul(zz, crossed), minus), mul(mul(zz, add(yy, xx)), plus), mul(plus, minus)];
}

/** A root of a square, or null. */
function squareRoot(value: bigint): bigint | null {
  const root = pow(value, (P + 3n) / 8n);
  if (square(root) === value) return root;
  const turned = mul(root, SQRT_MINUS_1);
  return square(turned) === value ? turned : null;
}

/**
 * One of the two points whose u-coordinate on the Montgomery curve is u; null on the twist, for
 * which -1 counts here.
 */
export function pointOfU(u: bigint): Point | null {
  const y = mul(sub(u, 1n), invert(add(u, 1n)));
  const root = squareRoot(mul(sub(square(y), 1n), invert(add(mul(D, square(y)), 1n))));
  return root === null || reduce(u) === P - 1n ? null : { x: root, y };
}

/** The point's u-coordinate (RFC 7748, section 4.1). */
export const uOfPoint = ({ y }: Point): bigint => mul(add(1n, y), invert(sub(1n, y)));

/** Whether u^3 + A u^2 + u has no root: then u belongs to the twist. */
export const isOnTwist = (u: bigint): boolean =>
  pow(add(mul(add(square(u), mul(MONTGOMERY_A, u)), u), u), (P - 1n) / 2n) === P - 1n;

/** A key as it stands in a record: 32 bytes of u. */
export const keyOfU = (u: bigint): Bytes => bigIntToLittleEndian(u, 32);

function drawU(random: SeededRandom, wanted: (u: bigint) => boolean): bigint {
  for (;;) {
    const u = reduce(littleEndianToBigInt(random(32)));
    if (wanted(u)) return u;
  }
}
/** Any u on the curve: prime order or, seven times of eight, with a torsion component. */
export const drawCurveU = (random: SeededRandom): bigint => drawU(random, (u) => !isOnTwist(u));
export const drawTwistU = (random: SeededRandom): bigint => drawU(random, isOnTwist);
/** A point of order L. */
export const drawPrimePoint = (random: SeededRandom): Point =>
  multiplyPoint(8n, pointOfU(drawCurveU(random))!);

/** The eight points whose order divides 8: the multiples of one of order 8. */
export function torsionPoints(random: SeededRandom): readonly Point[] {
  for (;;) {
    const generator = multiplyPoint(L, pointOfU(drawCurveU(random))!);
    const points = Array.from({ length: 8 }, (_, i) => multiplyPoint(BigInt(i), generator));
    if (new Set(points.map(({ x, y }) => `${x} ${y}`)).size === 8) return points;
  }
}
