import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMB_COLUMNS, COMB_TABLES, COMB_TEETH, MAC_BYTES } from '#dist/assembly/abi.js';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import { MAC_CLASSES, SECOND_MAC_OFFSET, scalarOfOneEntry } from '../ct/classes.js';
import { ROUTINES } from '../ct/routines.js';
import { seededBytes } from '../support/seeded-random.js';

const random = seededBytes('ct classes');

describe('classes of secrets', () => {
  it('leave each routine a random one to hold the others against, but for MACs, which are equal or not', () => {
    for (const { name, classes, inputBytes } of ROUTINES) {
      const input = random(inputBytes);
      const shaped = input.slice();
      classes[0]!.shape(shaped);
      if (name !== 'macsEqual') expect(shaped).toEqual(input);
      expect(new Set(classes.map((inputClass) => inputClass.name)).size).toBe(classes.length);
    }
  });

  it('of MACs differ where they say', () => {
    const differing = MAC_CLASSES.map(({ shape }) => {
      const input = random(2 * SECOND_MAC_OFFSET);
      shape(input);
      const places = Array.from({ length: MAC_BYTES }, (_, i) => i);
      return places.filter((i) => input[i] !== input[SECOND_MAC_OFFSET + i]);
    });
    expect(differing).toEqual([[], [0], [MAC_BYTES - 1], Array.from({ length: MAC_BYTES }, (_, i) => i)]);
  });

  it.each([
    [0n, 0],
    [1n, 2 ** (COMB_TEETH - 1) - 1],
  ] as const)('of scalars name one entry of all tables (%s)', (others, entry) => {
    const bytes = scalarOfOneEntry(others);
    const scalar = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
    // Clamping leaves it as it is.
    expect(scalar & 7n).toBe(0n);
    expect(scalar >> 254n).toBe(1n);
    const odd = scalar >> 3n;
    expect(odd & 1n).toBe(1n);
    const rowDigits = COMB_TABLES * COMB_COLUMNS;
    const signs = (odd >> 1n) + (1n << BigInt(COMB_TEETH * rowDigits - 1));
    for (let place = 0; place < rowDigits; place++) {
      const bits = Array.from({ length: COMB_TEETH }, (_, t) => Number((signs >> BigInt(t * rowDigits + place)) & 1n));
      expect(bits.at(-1)).toBe(1);
      expect(bits.slice(0, -1).reduce((index, bit, t) => index + (bit << t), 0)).toBe(entry);
    }
  });
});

describe('the positive controls', () => {
  it('can still be made of the kernel that stands there', async () => {
    const url = pathToFileURL(join(PACKAGE_ROOT, 'test/ct/leaks.mjs')).href;
    const { compileLeakyKernel } = (await import(url)) as {
      readonly compileLeakyKernel: (field: string) => Promise<Uint8Array<ArrayBuffer>>;
    };
    expect(WebAssembly.validate(await compileLeakyKernel('int'))).toBe(true);
  });
});
