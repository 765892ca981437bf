import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMB_COLUMNS, COMB_TABLES, COMB_TEETH, KEY_BYTES, MAC_BYTES } from '#dist/assembly/abi.js';
import { PACKAGE_ROOT } from '../../bench/report/environment.js';
import {
  BASE_ROW_DIGITS,
  BASE_TEETH,
  MAC_CLASSES,
  ONE_ENTRY_CLASSES,
  SECOND_MAC_OFFSET,
  fixedPlacesThrice,
  scalarOfOneEntry,
} from './classes.js';
import { ROUTINES } from './routines.js';
import { seededBytes } from '../harness/seeded-random.js';

const random = seededBytes('ct classes');

describe('classes of secrets', () => {
  it('leave each routine a random one to hold the others against, but for MACs and scalars of one entry', () => {
    for (const { classes, inputBytes } of ROUTINES) {
      const input = random(inputBytes);
      const shaped = input.slice();
      classes[0]!.shape(shaped);
      if (classes !== MAC_CLASSES && classes !== ONE_ENTRY_CLASSES) expect(shaped).toEqual(input);
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
    expect(differing).toEqual([
      [],
      [0],
      [MAC_BYTES - 1],
      Array.from({ length: MAC_BYTES }, (_, i) => i),
    ]);
  });

  it.each([0, 1, 2, 5, 2 ** (COMB_TEETH - 1) - 1])(
    'of scalars name one entry of all tables (%i)',
    (entry) => {
      const bytes = scalarOfOneEntry(entry);
      const scalar = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
      // Clamping leaves it as it is.
      expect(scalar & 7n).toBe(0n);
      expect(scalar >> 254n).toBe(1n);
      const odd = scalar >> 3n;
      expect(odd & 1n).toBe(1n);
      const rowDigits = COMB_TABLES * COMB_COLUMNS;
      const signs = (odd >> 1n) + (1n << BigInt(COMB_TEETH * rowDigits - 1));
      for (let place = 0; place < rowDigits; place++) {
        const bits = Array.from({ length: COMB_TEETH }, (_, t) =>
          Number((signs >> BigInt(t * rowDigits + place)) & 1n),
        );
        expect(bits.at(-1)).toBe(1);
        expect(bits.slice(0, -1).reduce((index, bit, t) => index + (bit << t), 0)).toBe(entry);
      }
    },
  );
});

describe('scalars with fixed places', () => {
  it('look up one entry of the base point’s tables there, and any elsewhere', async () => {
    const url = pathToFileURL(join(PACKAGE_ROOT, 'assembly/curve/base-table.mjs')).href;
    const { COMB } = (await import(url)) as {
      COMB: { teeth: number; tables: number; columns: number };
    };
    expect([COMB.teeth, COMB.tables * COMB.columns]).toEqual([BASE_TEETH, BASE_ROW_DIGITS]);

    const topDigit = 1n << BigInt(BASE_TEETH * BASE_ROW_DIGITS - 1);
    const entriesOf = (scalarBytes: Uint8Array): string[] => {
      const scalar = BigInt(`0x${Buffer.from(scalarBytes).reverse().toString('hex')}`);
      const odd = ((scalar & ~7n & ((1n << 255n) - 1n)) | (1n << 254n)) >> 3n;
      expect(odd & 1n).toBe(1n);
      const signs = (odd >> 1n) + topDigit;
      return Array.from({ length: BASE_ROW_DIGITS }, (_, place) =>
        Array.from(
          { length: BASE_TEETH },
          (_, t) => (signs >> BigInt(t * BASE_ROW_DIGITS + place)) & 1n,
        ).join(''),
      );
    };
    for (const [shaped, from, to] of [
      [fixedPlacesThrice('', 0, 13), 0, 13],
      [fixedPlacesThrice('', 38, 47), 38, 47],
    ] as const) {
      for (const { shape } of shaped) {
        const seen = Array.from({ length: BASE_ROW_DIGITS }, () => new Set<string>());
        for (let i = 0; i < 50; i++) {
          const input = random(2 * KEY_BYTES);
          shape(input);
          for (const lane of [0, KEY_BYTES]) {
            entriesOf(input.subarray(lane, lane + KEY_BYTES)).forEach((entry, place) =>
              seen[place]!.add(entry),
            );
          }
        }
        seen.slice(from, to).forEach((entries) => expect(entries.size).toBe(1));
        [...seen.slice(0, from), ...seen.slice(to, 46)].forEach((entries) =>
          expect(entries.size).toBeGreaterThan(1),
        );
      }
    }
  });
});

describe('scalars of any one entry', () => {
  it('are each lane’s own, and all entries come up', () => {
    const scalars = Array.from({ length: 2 ** (COMB_TEETH - 1) }, (_, entry) =>
      Buffer.from(scalarOfOneEntry(entry)),
    );
    const seen = [new Set<number>(), new Set<number>()];
    let different = 0;
    for (let i = 0; i < 200; i++) {
      const input = random(2 * KEY_BYTES);
      ONE_ENTRY_CLASSES[0]!.shape(input);
      const entries = [0, KEY_BYTES].map((at) =>
        scalars.findIndex((s) => s.equals(input.subarray(at, at + KEY_BYTES))),
      );
      entries.forEach((entry, lane) => seen[lane]!.add(entry));
      if (entries[0] !== entries[1]) different += 1;
    }
    expect(seen.map((entries) => [...entries].sort())).toEqual([
      [...scalars.keys()],
      [...scalars.keys()],
    ]);
    expect(different).toBeGreaterThan(0);
  });
});

describe('the positive controls', () => {
  it('can still be made of the kernel that is committed', async () => {
    const url = pathToFileURL(join(PACKAGE_ROOT, 'test/ct/leaks.mjs')).href;
    const { compileLeakyKernel } = (await import(url)) as {
      readonly compileLeakyKernel: (field: string) => Promise<Uint8Array<ArrayBuffer>>;
    };
    expect(WebAssembly.validate(await compileLeakyKernel('int'))).toBe(true);
  });
});
