import { describe, expect, it } from 'vitest';
import { TABLE_POINT_BYTES } from '#dist/assembly/abi.js';
import { bigIntToLittleEndian, littleEndianToBigInt } from '../reference/bytes.js';
import { P, add, invert, mul, pow, reduce, square, sub } from '../reference/field.js';
import { debugKernels, innerKernels } from '../harness/debug-kernel.js';
import {
  FIELDS,
  FORMS,
  SINGLE_FORMS,
  isInForm,
  joinLimbs,
  limbsOf,
  readLimbs,
  writeLimbs,
} from '../harness/field-forms.js';
import type { Form, Limbs } from '../harness/field-forms.js';
import { seededBytes, type SeededRandom } from '../harness/seeded-random.js';

const [F, G, OUT, OUT_2, SCRATCH, BYTES] = [
  0x20000, 0x20100, 0x20200, 0x20400, 0x20600, 0x21000,
] as const;
const TABLES = [0x22000, 0x24000] as const;
/** Each has two lanes, and so two different inputs. */
const ROUNDS = 1200;
const LANES = [0, 1] as const;

type Pair = readonly [bigint, bigint];

describe.each([...debugKernels(), ...innerKernels()])('the field of $title', (kernel) => {
  const { exports } = kernel;
  const field = FIELDS[kernel.name];

  const valueOf = (limbs: Limbs): bigint => reduce(joinLimbs(field, limbs));

  /** Lays two different elements into a pair; gives their values. */
  function layPair(ptr: number, form: Form, random: SeededRandom): Pair {
    const [a, b] = [limbsOf(field, form, random), limbsOf(field, form, random)];
    writeLimbs(field, kernel, ptr, 0, a);
    writeLimbs(field, kernel, ptr, 1, b);
    return [valueOf(a), valueOf(b)];
  }

  function expectPair(ptr: number, form: Form, values: Pair): void {
    for (const lane of LANES) {
      const limbs = readLimbs(field, kernel, ptr, lane);
      const inForm = isInForm(field, form, limbs);
      const value = valueOf(limbs);
      // An expectation costs more than the rest of a round.
      if (inForm && value === values[lane]) continue;
      expect({ lane, limbs, value, inForm }).toEqual({
        lane,
        limbs,
        value: values[lane],
        inForm: true,
      });
    }
  }

  /** A function of the twin's, lane by lane. */
  const both = (step: (f: bigint, g: bigint) => bigint, f: Pair, g: Pair = f): Pair => [
    step(f[0], g[0]),
    step(f[1], g[1]),
  ];

  it('multiplies whatever forms it takes like the twin, and gives tight limbs, or loose ones for fewer carries', () => {
    for (const [formF, formG] of field.products) {
      const random = seededBytes(`mul ${formF} ${formG}`);
      for (let round = 0; round < ROUNDS; round++) {
        const f = layPair(F, formF, random);
        const g = layPair(G, formG, random);
        const product = both(mul, f, g);
        exports.mulX2(OUT, F, G);
        expectPair(OUT, 'tight', product);
        exports.mulLooseX2(OUT, F, G);
        expectPair(OUT, 'loose', product);
      }
    }
  });

  it('multiplies and squares in place', () => {
    const random = seededBytes('in place');
    const f = layPair(F, 'tight', random);
    const g = layPair(G, 'tight', random);
    exports.mulX2(F, F, G);
    expectPair(F, 'tight', both(mul, f, g));
    exports.mulX2(G, F, G);
    expectPair(G, 'tight', both(mul, both(mul, f, g), g));
    exports.squareX2(F, F);
    expectPair(F, 'tight', both(square, both(mul, f, g)));
  });

  it.each(SINGLE_FORMS)(
    'squares %s like the twin, and gives tight limbs, or loose ones',
    (form) => {
      const random = seededBytes(`square ${form}`);
      for (let round = 0; round < ROUNDS; round++) {
        const f = layPair(F, form, random);
        exports.squareX2(OUT, F);
        expectPair(OUT, 'tight', both(square, f));
        exports.squareLooseX2(OUT, F);
        expectPair(OUT, 'loose', both(square, f));
      }
    },
  );

  it.each([
    ['tight', 'sum', 'diff'],
    ['loose', 'looseSum', 'looseDiff'],
  ] as const)(
    'adds and subtracts %s like the twin, within the bounds of %s and %s',
    (form, sumForm, diffForm) => {
      const random = seededBytes(`add sub ${form}`);
      for (let round = 0; round < ROUNDS; round++) {
        const f = layPair(F, form, random);
        const g = layPair(G, form, random);
        exports.addX2(OUT, F, G);
        expectPair(OUT, sumForm, both(add, f, g));
        exports.subX2(OUT, F, G);
        expectPair(OUT, diffForm, both(sub, f, g));
      }
    },
  );

  it.each([0, 9, 121665, 121666, 2 ** 17 - 1])(
    'adds %i times an element of any form like the twin',
    (factor) => {
      for (const [i, formG] of FORMS.entries()) {
        const formF = SINGLE_FORMS[i % SINGLE_FORMS.length] ?? 'tight';
        const random = seededBytes(`small ${factor} ${formG}`);
        for (let round = 0; round < ROUNDS; round += FORMS.length) {
          const f = layPair(F, formF, random);
          const g = layPair(G, formG, random);
          const expected = both((a, b) => add(a, mul(b, BigInt(factor))), f, g);
          exports.addMulSmallX2(OUT, F, G, factor);
          expectPair(OUT, 'tight', expected);
        }
      }
    },
  );

  it.each(SINGLE_FORMS)('carries %s to tight limbs of the same value', (form) => {
    const random = seededBytes(`carry ${form}`);
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, form, random);
      exports.carryX2(OUT, F);
      expectPair(OUT, 'tight', f);
    }
  });

  it('stays exact and tight over long chains of products, squares, sums and differences', () => {
    const random = seededBytes('chain');
    let f = layPair(F, 'tight', random);
    let g = layPair(G, 'tight', random);
    for (let round = 0; round < ROUNDS; round++) {
      // (f + g)(f - g) and (f - g)^2: one product and one square of the widest limbs, over and
      // over.
      const [s, d] = [OUT, OUT_2];
      exports.addX2(s, F, G);
      exports.subX2(d, F, G);
      exports.mulX2(F, d, s);
      exports.squareX2(G, d);
      [f, g] = [
        both((a, b) => mul(sub(a, b), add(a, b)), f, g),
        both((a, b) => square(sub(a, b)), f, g),
      ];
      expectPair(F, 'tight', f);
      expectPair(G, 'tight', g);
    }
  });

  it('looks up another entry of another table for each lane, at every pair of indices', () => {
    const random = seededBytes('look up');
    const entryCount = 8;
    // Two tables of entries of three elements each.
    const tables = TABLES.map((table) =>
      Array.from({ length: entryCount }, (_, entry) =>
        [0, 1, 2].map((element) => {
          const limbs = limbsOf(field, 'tight', random);
          const lane = (entry + element) % 2;
          writeLimbs(field, kernel, F, lane, limbs);
          exports.storeTableElement(table + entry * TABLE_POINT_BYTES + 40 * element, F, lane);
          return limbs;
        }),
      ),
    );
    for (let a = 0; a < entryCount; a++) {
      for (let b = 0; b < entryCount; b++) {
        exports.lookUpPointX2(OUT, ...TABLES, entryCount, a, b, SCRATCH);
        const found = LANES.map((lane) =>
          [0, 1, 2].map((element) => readLimbs(field, kernel, OUT + 80 * element, lane)),
        );
        expect(found).toEqual([tables[0]?.[a], tables[1]?.[b]]);
      }
    }
  });

  it('inverts, and takes the power of (p - 5) / 8, like the twin; 0 gives 0, in whichever of its forms', () => {
    const random = seededBytes('invert');
    const powerP58 = (f: bigint): bigint => pow(f, (P - 5n) / 8n);
    const expectPowers = (f: Pair): void => {
      exports.invertX2(OUT, F, SCRATCH);
      expectPair(OUT, 'tight', both(invert, f));
      exports.powerP58X2(OUT, F, SCRATCH);
      expectPair(OUT, 'tight', both(powerP58, f));
    };
    for (let round = 0; round < 10; round++)
      expectPowers(layPair(F, round % 2 === 0 ? 'tight' : 'loose', random));
    layPair(F, 'tight', random);
    exports.subX2(G, F, F);
    exports.carryX2(F, G);
    writeLimbs(field, kernel, F, 1, Array<bigint>(field.limbCount).fill(0n));
    expectPowers([0n, 0n]);
  });

  it('decodes any 255 bits as they stand, ignores the top bit, and encodes the value reduced', () => {
    const random = seededBytes('bytes');
    const powers = Array.from({ length: 255 }, (_, bit) => 2n ** BigInt(bit));
    // Next to every power of two: next to the ends of every limb, in whatever radix.
    const edges = [
      0n,
      P,
      P + 1n,
      P + 18n,
      2n ** 255n - 1n,
      P >> 1n,
      ...powers.flatMap((x) => [x - 1n, x, P - x]),
    ];
    const values = [
      ...edges,
      ...Array.from({ length: ROUNDS }, () => littleEndianToBigInt(random(32)) % 2n ** 255n),
    ];
    values.forEach((value, i) => {
      const other = values[(i + 1) % values.length] ?? 0n;
      kernel.write(BYTES, bigIntToLittleEndian(value + (BigInt(i % 2) << 255n), 32));
      kernel.write(BYTES + 32, bigIntToLittleEndian(other, 32));
      exports.decodeLane(F, 0, BYTES);
      exports.decodeLane(F, 1, BYTES + 32);
      expectPair(F, 'tight', [reduce(value), reduce(other)]);
      exports.encodeLane(BYTES + 64, F, 0);
      exports.encodeLane(BYTES + 96, F, 1);
      const encoded = [BYTES + 64, BYTES + 96].map((ptr) =>
        littleEndianToBigInt(kernel.read(ptr, 32)),
      );
      if (encoded[0] !== reduce(value) || encoded[1] !== reduce(other)) {
        expect(encoded).toEqual([reduce(value), reduce(other)]);
      }
    });
  });

  it('encodes tight and loose elements reduced, those of values below 0 or above p too', () => {
    const random = seededBytes('encode');
    for (let round = 0; round < ROUNDS; round++) {
      const f = layPair(F, round % 2 === 0 ? 'tight' : 'loose', random);
      for (const lane of LANES) {
        exports.encodeLane(BYTES, F, lane);
        const encoded = littleEndianToBigInt(kernel.read(BYTES, 32));
        if (encoded !== f[lane]) expect(encoded).toBe(f[lane]);
      }
    }
  });

  describe.each([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const)('lane by lane, where the bits are %i and %i,', (bitA, bitB) => {
    const random = seededBytes(`bits ${bitA} ${bitB}`);
    const select = (where: Pair, elsewhere: Pair): Pair => [
      bitA === 1 ? where[0] : elsewhere[0],
      bitB === 1 ? where[1] : elsewhere[1],
    ];

    it('selects and swaps', () => {
      const f = layPair(F, 'tight', random);
      const g = layPair(G, 'tight', random);
      exports.selectByBitsX2(OUT, F, G, bitA, bitB);
      expectPair(OUT, 'tight', select(f, g));
      exports.swapByBitsX2(F, G, bitA, bitB);
      expectPair(F, 'tight', select(g, f));
      expectPair(G, 'tight', select(f, g));
    });

    it('gives sum and difference, exchanged', () => {
      for (let round = 0; round < 200; round++) {
        const f = layPair(F, 'tight', random);
        const g = layPair(G, 'tight', random);
        exports.addSubByBitsX2(OUT, OUT_2, F, G, bitA, bitB);
        const [sum, difference] = [both(add, f, g), both(sub, f, g)];
        // Whichever it is, it is in the wider form.
        expectPair(OUT, 'diff', select(difference, sum));
        expectPair(OUT_2, 'diff', select(sum, difference));
      }
    });

    it('turns signs, those of zeros too, of what goes on into products and sums', () => {
      for (let round = 0; round < 200; round++) {
        let f = layPair(F, 'tight', random);
        if (round === 0) {
          for (const lane of LANES)
            writeLimbs(field, kernel, F, lane, Array<bigint>(field.limbCount).fill(0n));
          f = [0n, 0n];
        }
        const g = layPair(G, 'tight', random);
        exports.negateByBitsX2(F, F, bitA, bitB);
        const turned = select(
          both((x) => sub(0n, x), f),
          f,
        );
        expectPair(F, 'diff', turned);
        exports.mulX2(OUT, F, G);
        expectPair(OUT, 'tight', both(mul, turned, g));
        exports.addMulSmallX2(OUT, F, G, 1);
        expectPair(OUT, 'tight', both(add, turned, g));
        exports.carryX2(F, F);
        expectPair(F, 'tight', turned);
      }
    });
  });
});
