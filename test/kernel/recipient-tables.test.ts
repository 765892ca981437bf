import { describe, expect, it } from 'vitest';
import {
  COMB_COLUMNS,
  COMB_TABLES,
  COMB_TEETH,
  MAX_CHUNK_PAIRS,
  PAIR_BYTES,
} from '#dist/assembly/abi.js';
import { bigIntToLittleEndian, fromHex, littleEndianToBigInt, toHex } from '../reference/bytes.js';
import { P, add, invert, mul, sub } from '../reference/field.js';
import { clampScalar, x25519 } from '../reference/x25519.js';
import { debugKernels, innerKernels } from '../harness/debug-kernel.js';
import {
  D,
  L,
  NEUTRAL,
  addPoints,
  drawCurveU,
  drawPrimePoint,
  drawTwistU,
  isOnTwist,
  keyOfU,
  multiplyPoint,
  negatePoint,
  pointOfU,
  torsionPoints,
  uOfPoint,
  type Point,
} from '../harness/edwards.js';
import { cyclic } from '../harness/opening.js';
import { seededBytes } from '../harness/seeded-random.js';
import { TablesBench } from '../harness/tables-bench.js';
import { x25519Points } from '../vectors/index.js';

const ENTRIES = 1 << (COMB_TEETH - 1);
const BOTH = 3;

/** The scalar that is clamped to 8 k', for 2^251 <= k' < 2^252. */
const scalarOf = (k: bigint): Uint8Array => bigIntToLittleEndian(8n * k, 32);

/** Scalars at the ends of what clamping, the odd one of k' and L - k', and its borrows can meet. */
function edgeScalars(): Uint8Array[] {
  const [low, middle, high] = [2n ** 251n, L - 2n ** 251n, 2n ** 252n - 1n];
  const near = [
    low,
    low + 1n,
    low + 2n,
    middle - 1n,
    middle,
    middle + 1n,
    high - 2n,
    high - 1n,
    high,
  ];
  // L - k' borrows from word to word: words of k' just below, at and above those of L, ends, and
  // all their mixtures.
  const lowWords = [
    0n,
    1n,
    (L & (2n ** 64n - 1n)) - 1n,
    L & (2n ** 64n - 1n),
    (L & (2n ** 64n - 1n)) + 1n,
    2n ** 64n - 1n,
  ];
  const second = (L >> 64n) & (2n ** 64n - 1n);
  const secondWords = [0n, second - 1n, second, second + 1n, 2n ** 64n - 1n];
  const borrows = lowWords.flatMap((a, i) =>
    secondWords.map(
      (b, j) =>
        low + a + (b << 64n) + (cyclic([0n, 1n, 2n ** 59n, 2n ** 123n - 1n], i + j) << 128n),
    ),
  );
  const plain = [0, 0xff, 0x55, 0xaa, 7, 0xf8].map((byte) => new Uint8Array(32).fill(byte));
  // What clamping clears and sets.
  const ends = [1, 7, 8].map((byte) =>
    Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? byte : i === 31 ? 0x80 : 0)),
  );
  return [...plain, ...ends, ...[...near, ...borrows].map((k) => scalarOf(k))];
}

/**
 * The entry of a table for signs by the bits of `index`, the top one +: the sum of +-2^(rowDigits
 * tooth + column) Q.
 */
function expectedEntry(q: Point, table: number, index: number): Point {
  const rowDigits = COMB_TABLES * COMB_COLUMNS;
  let factor = 0n;
  for (let tooth = 0; tooth < COMB_TEETH; tooth++) {
    const isPlus = tooth === COMB_TEETH - 1 || ((index >> tooth) & 1) === 1;
    factor += (isPlus ? 1n : -1n) << BigInt(rowDigits * tooth + COMB_COLUMNS * table);
  }
  return multiplyPoint(((factor % L) + L) % L, q);
}

const elementsOf = ({ x, y }: Point): bigint[] => {
  const half = invert(2n);
  return [mul(add(y, x), half), mul(sub(x, y), half), mul(D, mul(x, y))];
};

const setTopBit = (key: Uint8Array): Uint8Array =>
  Uint8Array.from(key, (byte, i) => (i === 31 ? byte | 0x80 : byte));

describe.each([...debugKernels(), ...innerKernels()])('tables of recipients ($title)', (kernel) => {
  const bench = new TablesBench(kernel);

  /**
   * Builds tables of all keys, two at a time, and holds a few products by each against the twin's.
   */
  function expectGoodTables(keys: readonly Uint8Array[], scalars: readonly Uint8Array[]): void {
    for (let i = 0; i < keys.length; i += 2) {
      const pair = [cyclic(keys, i), cyclic(keys, i + 1)] as const;
      expect(bench.build(...pair), `keys ${i} and ${i + 1}`).toBe(BOTH);
      // Lanes change places: what was built in lane a is used in lane b too.
      const places = [0, 1, 1, 0];
      const chosen = places.map((_, j) => cyclic(scalars, 2 * i + j));
      bench.multiply(chosen, places).forEach((product, j) => {
        const expected = x25519(cyclic(chosen, j), cyclic(pair, cyclic(places, j)));
        expect(toHex(product), `key ${i + cyclic(places, j)}, product ${j}`).toBe(toHex(expected));
      });
    }
  }

  it('multiply like the twin: many keys, another in each lane, and random scalars', () => {
    const random = seededBytes('many keys');
    const keys = Array.from({ length: 20 }, () => keyOfU(drawCurveU(random)));
    expectGoodTables(
      keys,
      Array.from({ length: 41 }, () => random(32)),
    );
  });

  it('multiply like the twin by scalars at every edge', () => {
    const random = seededBytes('edge scalars');
    const keys = [0, 1].map(() => keyOfU(uOfPoint(drawPrimePoint(random))));
    const scalars = edgeScalars();
    const parities = new Set(scalars.map((scalar) => (clampScalar(scalar) >> 3n) & 1n));
    expect(parities.size).toBe(2);
    expect(bench.build(cyclic(keys, 0), cyclic(keys, 1))).toBe(BOTH);
    const products = bench.multiply(
      scalars,
      scalars.map((_, i) => (i * 5 + (i >> 1)) % 2),
    );
    products.forEach((product, i) => {
      const key = cyclic(keys, i * 5 + (i >> 1));
      expect(toHex(product), `scalar ${i}`).toBe(toHex(x25519(cyclic(scalars, i), key)));
    });
  });

  it('are those of the point whatever low-order point is added to it: DH sees multiples of 8', () => {
    const random = seededBytes('torsion');
    const point = drawPrimePoint(random);
    const keys = torsionPoints(random).map((torsion) =>
      keyOfU(uOfPoint(addPoints(point, torsion))),
    );
    expect(new Set(keys.map(toHex)).size).toBe(8);
    expectGoodTables(
      keys,
      Array.from({ length: 17 }, () => random(32)),
    );
    const scalar = random(32);
    const products = keys.map((key) => {
      expect(bench.build(key, key)).toBe(BOTH);
      return bench.multiply([scalar], [0]).map(toHex)[0];
    });
    expect(new Set(products).size).toBe(1);
  });

  it('take a u of p and above as its remainder, and no notice of its top bit', () => {
    const random = seededBytes('non-canonical');
    const nonCanonical = [...Array(19).keys()]
      .map((i) => BigInt(i))
      .filter((u) => u > 1n && !isOnTwist(u))
      .map((u) => keyOfU(P + u));
    expect(nonCanonical.length).toBeGreaterThan(3);
    const topBits = Array.from({ length: 4 }, () => setTopBit(keyOfU(drawCurveU(random))));
    expectGoodTables(
      [...nonCanonical, ...topBits, ...nonCanonical.map(setTopBit)],
      Array.from({ length: 21 }, () => random(32)),
    );
  });

  it('of the same key in both lanes may have one place', () => {
    const random = seededBytes('same key');
    const key = keyOfU(drawCurveU(random));
    const other = keyOfU(drawCurveU(random));
    expect(bench.build(other, key, 0, 1)).toBe(BOTH);
    const alone = toHex(bench.bytes(1));
    expect(bench.build(key, key, 2, 2)).toBe(BOTH);
    expect(toHex(bench.bytes(2))).toBe(alone);
    const scalars = [random(32), random(32), random(32)];
    bench.multiply(scalars, [2, 2, 2]).forEach((product, i) => {
      expect(toHex(product)).toBe(toHex(x25519(cyclic(scalars, i), key)));
    });
  });

  it('are not for keys on the twist or of low order; the other lane has its own all the same', () => {
    const random = seededBytes('none');
    const twist = Array.from({ length: 6 }, () => keyOfU(drawTwistU(random)));
    const lowOrder = x25519Points.lowOrder.map(({ point }) => fromHex(point));
    const minusOne = keyOfU(P - 1n);
    const without = [...twist, ...twist.slice(0, 2).map(setTopBit), ...lowOrder, minusOne];
    expect(lowOrder.length).toBeGreaterThan(10);
    without.forEach((key, i) => {
      const good = keyOfU(drawCurveU(random));
      const name = `key ${i}, ${toHex(key)}`;
      expect(bench.build(key, good, 0, 1), name).toBe(2);
      const scalar = random(32);
      expect(toHex(bench.multiply([scalar], [1])[0]!), name).toBe(toHex(x25519(scalar, good)));
      expect(bench.build(good, key, 2, 3), name).toBe(1);
      expect(toHex(bench.bytes(2)), name).toBe(toHex(bench.bytes(1)));
      expect(bench.build(key, cyclic(without, i + 3)), name).toBe(0);
    });
  });

  it('hold the multiples of 8 R that the comb says, in tight limbs', () => {
    const random = seededBytes('content');
    const keys = [keyOfU(drawCurveU(random)), keyOfU(drawCurveU(random))];
    expect(bench.build(cyclic(keys, 0), cyclic(keys, 1))).toBe(BOTH);
    keys.forEach((key, place) => {
      const q = multiplyPoint(8n, pointOfU(littleEndianToBigInt(key))!);
      // R and -R have the same u, and either may be taken; but one of them throughout.
      const [first] = bench.entry(place, 0, ENTRIES, 0).elements;
      const sign = first === elementsOf(expectedEntry(q, 0, 0))[0] ? q : negatePoint(q);
      for (let table = 0; table < COMB_TABLES; table++) {
        for (let index = 0; index < ENTRIES; index++) {
          const entry = bench.entry(place, table, ENTRIES, index);
          const expected = {
            elements: elementsOf(expectedEntry(sign, table, index)),
            areTight: true,
          };
          expect(entry, `place ${place}, table ${table}, entry ${index}`).toEqual(expected);
        }
      }
    });
  });

  it('come out the same with any bytes in their place and in the scratch, and touch nothing beyond', () => {
    const random = seededBytes('dirt');
    const keys = [keyOfU(drawCurveU(random)), keyOfU(drawCurveU(random))] as const;
    const scalars = [random(32), random(32), random(32)];
    const outcomes = [0, 0x5a, 0xff].map((dirt) => {
      bench.soil(dirt, 2);
      expect(bench.build(...keys)).toBe(BOTH);
      const clean = new Uint8Array(64).fill(dirt);
      expect(bench.behindScratch(bench.buildScratchBytes)).toEqual(clean);
      expect(bench.gap(0)).toEqual(clean);
      expect(bench.gap(1)).toEqual(clean);
      const elements = [0, 1].map((place) =>
        Array.from(
          { length: COMB_TABLES * ENTRIES },
          (_, i) => bench.entry(place, 0, ENTRIES, i).elements,
        ),
      );
      bench.soil(dirt, 0);
      const products = bench.multiply(scalars, [0, 1, 0]).map(toHex);
      expect(bench.behindScratch(bench.multiplyScratchBytes)).toEqual(clean);
      return { elements, products };
    });
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[2]).toEqual(outcomes[0]);
    expect(outcomes[0]?.products[1]).toBe(toHex(x25519(cyclic(scalars, 1), keys[1])));
  });

  it('are built in the room that a chunk has for its pairs', () => {
    expect(bench.buildScratchBytes).toBeGreaterThan(0);
    expect(bench.buildScratchBytes).toBeLessThanOrEqual(MAX_CHUNK_PAIRS * PAIR_BYTES);
  });
});

describe('the twin of the Edwards curve', () => {
  it('has a group of order 8 L, with RFC 7748’s ladder', () => {
    const random = seededBytes('edwards');
    const point = pointOfU(drawCurveU(random))!;
    expect(multiplyPoint(8n * L, point)).toEqual(NEUTRAL);
    const scalar = random(32);
    const product = uOfPoint(multiplyPoint(clampScalar(scalar), point));
    expect(toHex(keyOfU(product))).toBe(toHex(x25519(scalar, keyOfU(uOfPoint(point)))));
  });
});
