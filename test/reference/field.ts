// GF(2^255 - 19), RFC 7748 section 4.1, one bigint an element, always in [0, P).

export const P = 2n ** 255n - 19n;

export function reduce(value: bigint): bigint {
  const remainder = value % P;
  return remainder < 0n ? remainder + P : remainder;
}

export const add = (a: bigint, b: bigint): bigint => reduce(a + b);
export const sub = (a: bigint, b: bigint): bigint => reduce(a - b);
export const mul = (a: bigint, b: bigint): bigint => reduce(a * b);
export const square = (a: bigint): bigint => mul(a, a);

export function pow(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let power = reduce(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mul(result, power);
    power = square(power);
  }
  return result;
}

/**
 * a^(p-2): the inverse of a by Fermat's little theorem; 0 for 0, as RFC 7748 section 5 needs it.
 */
export const invert = (a: bigint): bigint => pow(a, P - 2n);

// The kernel's form of an element: ten limbs of alternately 26 and 25 bits, limb i of weight
// 2^ceil(25.5 * i).

export const LIMB_COUNT = 10;

/** Power of two that limb `index` is multiplied by. */
export const limbShiftBits = (index: number): bigint => BigInt(Math.ceil(25.5 * index));

/** Bits of limb `index` in its carried form: 26, 25, 26, 25, ... */
export const limbBits = (index: number): bigint => limbShiftBits(index + 1) - limbShiftBits(index);

/** The ten carried limbs of a value in [0, 2^255). */
export function splitLimbs(value: bigint): bigint[] {
  if (value < 0n || value >> 255n !== 0n)
    throw new RangeError('a field element has at most 255 bits');
  return Array.from(
    { length: LIMB_COUNT },
    (_, i) => (value >> limbShiftBits(i)) & ((1n << limbBits(i)) - 1n),
  );
}

/** The integer that limbs of any size and sign stand for, not reduced: `reduce` it to compare. */
export function joinLimbs(limbs: readonly bigint[]): bigint {
  if (limbs.length !== LIMB_COUNT) throw new RangeError(`an element has ${LIMB_COUNT} limbs`);
  return limbs.reduce((value, limb, i) => value + limb * 2n ** limbShiftBits(i), 0n);
}
