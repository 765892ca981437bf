import { describe, expect, it } from 'vitest';
import { bigIntToLittleEndian, littleEndianToBigInt } from '../reference/bytes.js';
import { P, add, invert, mul, reduce, square, sub } from '../reference/field.js';
import { DebugKernel, readLimbs, valueOfLimbs, writeLimbs } from '../support/debug-kernel.js';
import { seededBytes, seededInteger, type SeededRandom } from '../support/seeded-random.js';

const kernel = new DebugKernel();
const { exports } = kernel;
const [F, G, OUT, SCRATCH, BYTES, TABLE] = [0x20000, 0x20100, 0x20200, 0x20300, 0x21000, 0x22000] as const;
const ROUNDS = 2000;

/** Exclusive ends of even and odd limbs, per form of assembly/field/int.ts. */
const FORMS = {
  tight: { even: 2 ** 26, odd: 2 ** 25 + 2 ** 17 },
  sum: { even: 2 ** 27, odd: 2 ** 26 + 2 ** 18 },
  diff: { even: 1.5 * 2 ** 27, odd: 1.5 * 2 ** 26 + 2 ** 17 },
};
type Form = keyof typeof FORMS;

/** Limbs of a form: mostly random, often at the form's very ends, where a carry or a sum would first go wrong. */
function limbsOf(form: Form, random: SeededRandom): bigint[] {
  const extreme = seededInteger(random, 4);
  return Array.from({ length: 10 }, (_, i) => {
    const end = i % 2 === 0 ? FORMS[form].even : FORMS[form].odd;
    if (extreme === 0) return BigInt(end - 1);
    if (extreme === 1) return BigInt(seededInteger(random, 2) === 0 ? 0 : end - 1);
    return BigInt(seededInteger(random, end));
  });
}

/** Lays two different elements into a pair; gives their values. */
function layPair(ptr: number, form: Form, random: SeededRandom): readonly [bigint, bigint] {
  const a = limbsOf(form, random);
  const b = limbsOf(form, random);
  writeLimbs(kernel, ptr, 0, a);
  writeLimbs(kernel, ptr, 1, b);
  return [valueOfLimbs(a), valueOfLimbs(b)];
}

function expectPair(ptr: number, form: Form, values: readonly [bigint, bigint]): void {
  for (const lane of [0, 1] as const) {
    const limbs = readLimbs(kernel, ptr, lane);
    const ends = FORMS[form];
    const inForm = limbs.every((limb, i) => limb < (i % 2 === 0 ? ends.even : ends.odd));
    // One expectation a lane: thousands of rounds make millions of limbs.
    expect({ value: valueOfLimbs(limbs), inForm }).toEqual({ value: values[lane], inForm: true });
  }
}

describe('the int field', () => {
  it.each([
    ['tight', 'tight'],
    ['sum', 'sum'],
    ['diff', 'sum'],
    ['diff', 'tight'],
  ] as const)('multiplies %s by %s like the twin, and gives tight limbs', (formF, formG) => {
    const random = seededBytes(`mul ${formF} ${formG}`);
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, formF, random);
      const g = layPair(G, formG, random);
      exports.mulX2(OUT, F, G);
      expectPair(OUT, 'tight', [mul(f[0], g[0]), mul(f[1], g[1])]);
    }
  });

  it('multiplies in place', () => {
    const random = seededBytes('mul in place');
    const f = layPair(F, 'tight', random);
    const g = layPair(G, 'tight', random);
    exports.mulX2(F, F, G);
    expectPair(F, 'tight', [mul(f[0], g[0]), mul(f[1], g[1])]);
    exports.mulX2(G, F, G);
    expectPair(G, 'tight', [mul(mul(f[0], g[0]), g[0]), mul(mul(f[1], g[1]), g[1])]);
  });

  it.each(['tight', 'sum', 'diff'] as const)('squares %s like the twin, and gives tight limbs', (form) => {
    const random = seededBytes(`square ${form}`);
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, form, random);
      exports.squareX2(OUT, F);
      expectPair(OUT, 'tight', [square(f[0]), square(f[1])]);
    }
  });

  it('adds and subtracts like the twin, within the bounds of sum and diff', () => {
    const random = seededBytes('add sub');
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, 'tight', random);
      const g = layPair(G, 'tight', random);
      exports.addX2(OUT, F, G);
      expectPair(OUT, 'sum', [add(f[0], g[0]), add(f[1], g[1])]);
      exports.subX2(OUT, F, G);
      expectPair(OUT, 'diff', [sub(f[0], g[0]), sub(f[1], g[1])]);
    }
  });

  it.each([9, 121665, 2 ** 17 - 1])('adds %i times an element like the twin', (factor) => {
    const random = seededBytes(`small ${factor}`);
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, 'tight', random);
      const g = layPair(G, 'diff', random);
      exports.addMulSmallX2(OUT, F, G, factor);
      const small = BigInt(factor);
      expectPair(OUT, 'tight', [add(f[0], mul(g[0], small)), add(f[1], mul(g[1], small))]);
    }
  });

  it.each(['tight', 'sum', 'diff'] as const)('carries %s to tight limbs of the same value', (form) => {
    const random = seededBytes(`carry ${form}`);
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, form, random);
      exports.carryX2(OUT, F);
      expectPair(OUT, 'tight', f);
    }
  });

  it('looks up another entry for each lane, at every pair of indices', () => {
    const random = seededBytes('look up');
    const [entryCount, strideBytes] = [16, 120];
    const elements = Array.from({ length: entryCount }, () => limbsOf('tight', random));
    const view = new DataView(kernel.memory.buffer);
    elements.forEach((limbs, entry) => {
      limbs.forEach((limb, i) => view.setUint32(TABLE + entry * strideBytes + 4 * i, Number(limb), true));
    });
    for (let a = 0; a < entryCount; a++) {
      for (let b = 0; b < entryCount; b++) {
        exports.lookUpX2(OUT, TABLE, strideBytes, entryCount, a, b);
        expect(readLimbs(kernel, OUT, 0)).toEqual(elements[a]);
        expect(readLimbs(kernel, OUT, 1)).toEqual(elements[b]);
      }
    }
  });

  it('inverts like the twin, and 0 gives 0', () => {
    const random = seededBytes('invert');
    for (let round = 0; round < 20; round++) {
      const f = layPair(F, 'tight', random);
      exports.invertX2(OUT, F, SCRATCH);
      expectPair(OUT, 'tight', [invert(f[0]), invert(f[1])]);
    }
    writeLimbs(kernel, F, 0, Array<bigint>(10).fill(0n));
    exports.invertX2(OUT, F, SCRATCH);
    expect(valueOfLimbs(readLimbs(kernel, OUT, 0))).toBe(0n);
  });

  it('decodes any 255 bits as they stand, ignores the top bit, and encodes the value reduced', () => {
    const random = seededBytes('bytes');
    const edges = [0n, 1n, P - 1n, P, P + 1n, P + 18n, 2n ** 255n - 1n, 2n ** 26n - 1n, 2n ** 51n, 2n ** 230n];
    const values = [...edges, ...Array.from({ length: 500 }, () => littleEndianToBigInt(random(32)) % 2n ** 255n)];
    values.forEach((value, i) => {
      const other = values[(i + 1) % values.length] ?? 0n;
      kernel.write(BYTES, bigIntToLittleEndian(value + (BigInt(i % 2) << 255n), 32));
      kernel.write(BYTES + 32, bigIntToLittleEndian(other, 32));
      exports.decodeLane(F, 0, BYTES);
      exports.decodeLane(F, 1, BYTES + 32);
      expectPair(F, 'tight', [reduce(value), reduce(other)]);
      exports.encodeLane(BYTES + 64, F, 0);
      exports.encodeLane(BYTES + 96, F, 1);
      expect(littleEndianToBigInt(kernel.read(BYTES + 64, 32))).toBe(reduce(value));
      expect(littleEndianToBigInt(kernel.read(BYTES + 96, 32))).toBe(reduce(other));
    });
  });

  it('encodes every tight form reduced, those above 2^255 too', () => {
    const random = seededBytes('encode tight');
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, 'tight', random);
      for (const lane of [0, 1] as const) {
        exports.encodeLane(BYTES, F, lane);
        expect(littleEndianToBigInt(kernel.read(BYTES, 32))).toBe(f[lane]);
      }
    }
  });

  it.each([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ])('swaps and selects lane by lane (bits %i, %i)', (bitA, bitB) => {
    const random = seededBytes(`swap ${bitA} ${bitB}`);
    const f = layPair(F, 'tight', random);
    const g = layPair(G, 'tight', random);
    const chosen = [bitA === 1 ? f[0] : g[0], bitB === 1 ? f[1] : g[1]] as const;
    const others = [bitA === 1 ? g[0] : f[0], bitB === 1 ? g[1] : f[1]] as const;
    exports.selectByBitsX2(OUT, F, G, bitA, bitB);
    expectPair(OUT, 'tight', chosen);
    exports.swapByBitsX2(F, G, bitA, bitB);
    expectPair(F, 'tight', others);
    expectPair(G, 'tight', chosen);
  });

  it.each([
    ['mulX2', 'diff', 'diff'],
    ['addX2', 'sum', 'tight'],
    ['subX2', 'tight', 'sum'],
  ] as const)('traps in the debug build when %s is given %s and %s limbs', (name, formF, formG) => {
    const atTheEnd = (form: Form): bigint[] =>
      Array.from({ length: 10 }, (_, i) => BigInt((i % 2 === 0 ? FORMS[form].even : FORMS[form].odd) - 1));
    for (const lane of [0, 1]) {
      writeLimbs(kernel, F, lane, atTheEnd(formF));
      writeLimbs(kernel, G, lane, atTheEnd(formG));
    }
    expect(() => exports[name](OUT, F, G)).toThrow(WebAssembly.RuntimeError);
  });
});
