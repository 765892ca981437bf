import type { DebugKernel } from './debug-kernel.js';
import type { SeededRandom } from './seeded-random.js';

/**
 * What a field calls the ranges that its limbs take (the head of its file in assembly/field). Where
 * a field has no products with loose limbs, loose is tight.
 */
export type Form = 'tight' | 'loose' | 'sum' | 'diff' | 'looseSum' | 'looseDiff';
export const FORMS: readonly Form[] = ['tight', 'loose', 'sum', 'diff', 'looseSum', 'looseDiff'];
/** What a square, a carry and the first summand of addMulSmallX2 may be. */
export const SINGLE_FORMS: readonly Form[] = ['tight', 'loose', 'sum', 'diff'];

/** Ends of a limb, both inclusive. */
interface Range {
  readonly lowest: bigint;
  readonly highest: bigint;
}
/** By the limb's index. */
type Ranges = (i: number) => Range;

export type AssertedName =
  'mulX2' | 'mulLooseX2' | 'squareX2' | 'squareLooseX2' | 'carryX2' | 'addX2' | 'subX2';

/** How a kernel's field holds an element, and which forms its functions take. */
export interface Field {
  readonly limbCount: number;
  /** Limb i is multiplied by 2 to this power. */
  readonly weightBits: (i: number) => bigint;
  readonly ranges: Readonly<Record<Form, Ranges>>;
  /** Forms that a product takes. */
  readonly products: readonly (readonly [Form, Form])[];
  /** The widest limbs that the debug build lets through, operand by operand. */
  readonly asserted: Readonly<Record<AssertedName, readonly Ranges[]>>;
  /** Offset of limb i in a pair of elements. */
  readonly offset: (lane: number, i: number) => number;
  readonly write: (view: DataView, ptr: number, limb: bigint) => void;
  readonly read: (view: DataView, ptr: number) => bigint;
}

/** assembly/field/int.ts: ten u32 in radix 2^25.5; exclusive ends of even and odd limbs. */
const below =
  (even: number, odd: number): Ranges =>
  (i) => ({ lowest: 0n, highest: BigInt(i % 2 === 0 ? even : odd) - 1n });
const intTight = below(2 ** 26, 2 ** 25 + 2 ** 17);
const intSum = below(2 ** 27, 2 ** 26 + 2 ** 18);
const intDiff = below(1.5 * 2 ** 27, 1.5 * 2 ** 26 + 2 ** 17);
const int: Field = {
  limbCount: 10,
  weightBits: (i) => BigInt(Math.ceil(25.5 * i)),
  ranges: {
    tight: intTight,
    loose: intTight,
    sum: intSum,
    diff: intDiff,
    looseSum: intSum,
    looseDiff: intDiff,
  },
  products: [
    ['tight', 'tight'],
    ['sum', 'tight'],
    ['sum', 'sum'],
    ['diff', 'tight'],
    ['diff', 'sum'],
  ],
  asserted: {
    mulX2: [intDiff, intSum],
    mulLooseX2: [intDiff, intSum],
    squareX2: [intDiff],
    squareLooseX2: [intDiff],
    carryX2: [intDiff],
    addX2: [intTight, intTight],
    subX2: [intTight, intTight],
  },
  offset: (lane, i) => (i >> 1) * 16 + (i & 1) * 8 + lane * 4,
  write: (view, ptr, limb) => view.setUint32(ptr, Number(limb), true),
  read: (view, ptr) => BigInt(view.getUint32(ptr, true)),
};

/** assembly/field/fma.ts: five f64 that hold integers of either sign, in radix 2^51. */
const between =
  (lowest: bigint, highest: bigint): Ranges =>
  () => ({ lowest, highest });
const within = (end: bigint): Ranges => between(-end, end);
const [TIGHT_END, LOOSE_END] = [2n ** 50n, 2n ** 50n + 2n ** 14n] as const;
const fma: Field = {
  limbCount: 5,
  weightBits: (i) => 51n * BigInt(i),
  ranges: {
    tight: within(TIGHT_END),
    loose: between(-TIGHT_END, LOOSE_END),
    sum: within(2n * TIGHT_END),
    diff: within(2n * TIGHT_END),
    looseSum: between(-2n * TIGHT_END, 2n * LOOSE_END),
    looseDiff: within(TIGHT_END + LOOSE_END),
  },
  products: [
    ['tight', 'tight'],
    ['sum', 'diff'],
    ['diff', 'diff'],
    ['looseSum', 'loose'],
    ['loose', 'looseDiff'],
  ],
  // A product's operands are bounded by their product, 2^102; a sum's by the sum, of two loose
  // elements.
  asserted: {
    mulX2: [within(2n ** 51n), within(2n ** 51n)],
    mulLooseX2: [within(2n ** 50n), within(2n ** 52n)],
    squareX2: [within(2n ** 51n)],
    squareLooseX2: [within(2n ** 51n)],
    carryX2: [within(2n ** 51n)],
    addX2: [within(LOOSE_END), within(LOOSE_END)],
    subX2: [within(LOOSE_END), within(LOOSE_END)],
  },
  offset: (lane, i) => i * 16 + lane * 8,
  write: (view, ptr, limb) => view.setFloat64(ptr, Number(limb), true),
  // Throws for what is no integer.
  read: (view, ptr) => BigInt(view.getFloat64(ptr, true)),
};

export const FIELDS = { int, fma } as const;

export type Limbs = readonly bigint[];

/** The integer that limbs stand for, not reduced. */
export function joinLimbs(field: Field, limbs: Limbs): bigint {
  return limbs.reduce((sum, limb, i) => sum + limb * 2n ** field.weightBits(i), 0n);
}

export function writeLimbs(
  field: Field,
  kernel: DebugKernel,
  pair: number,
  lane: number,
  limbs: Limbs,
): void {
  const view = new DataView(kernel.memory.buffer);
  limbs.forEach((limb, i) => field.write(view, pair + field.offset(lane, i), limb));
}

export function readLimbs(field: Field, kernel: DebugKernel, pair: number, lane: number): bigint[] {
  const view = new DataView(kernel.memory.buffer);
  return Array.from({ length: field.limbCount }, (_, i) =>
    field.read(view, pair + field.offset(lane, i)),
  );
}

export function isInForm(field: Field, form: Form, limbs: Limbs): boolean {
  return limbs.every((limb, i) => {
    const { lowest, highest } = field.ranges[form](i);
    return limb >= lowest && limb <= highest;
  });
}

/**
 * One of the values at and around the ends and zero, where a carry or a rounding would first go
 * wrong.
 */
function edgeOf({ lowest, highest }: Range, pick: number): bigint {
  const edges = [lowest, lowest + 1n, -1n, 0n, 1n, highest - 1n, highest];
  const inside = edges.filter((edge) => edge >= lowest && edge <= highest);
  return inside[pick % inside.length] ?? 0n;
}

/**
 * Limbs of a form: half of them random, half at the form's ends: all, alternating, mixed, and next
 * to them.
 */
export function limbsOf(field: Field, form: Form, random: SeededRandom): bigint[] {
  const bytes = new DataView(random(1 + 8 * field.limbCount).buffer);
  const pattern = bytes.getUint8(0) % 12;
  return Array.from({ length: field.limbCount }, (_, i) => {
    const { lowest, highest } = field.ranges[form](i);
    const drawn = bytes.getBigUint64(1 + 8 * i);
    if (pattern === 0) return highest;
    if (pattern === 1) return lowest;
    if (pattern === 2 || pattern === 3) return (i + pattern) % 2 === 0 ? lowest : highest;
    if (pattern === 4) return (drawn & 1n) === 0n ? lowest : highest;
    if (pattern === 5) return edgeOf({ lowest, highest }, Number(drawn & 0xffffn));
    return lowest + (drawn % (highest - lowest + 1n));
  });
}
