// Classes of secret inputs. A routine is timed on inputs of all its classes, in random order; each
// must take the time that the first takes. An input is random but for what its class lays down.
//
// Where it can be had, something random that is not the class's goes through the arithmetic with
// the secret: the point, the rest of a scalar or of a key, the message. The time of plain additions
// and multiplications depends on their operands, by some 0.01 % on some processors
// (assembly/notes/constant-time.md). Two keys of which each is multiplied by one and the same point
// again and again differ by that, and so differ no more than any two inputs of any code.
import { COMB_COLUMNS, COMB_TABLES, COMB_TEETH, KEY_BYTES, MAC_BYTES } from '#dist/assembly/abi.js';

export interface InputClass {
  readonly name: string;
  /** Makes an input of the class out of random bytes. */
  readonly shape: (input: Uint8Array) => void;
}

/** Bytes of an input, from the first up to the second. */
export type Range = readonly [from: number, to: number];

export const RANDOM: InputClass = {
  name: 'random',
  shape() {
    // It is.
  },
};

/** The pattern, repeated, stands in all these places of all inputs. */
export function fixed(name: string, pattern: Uint8Array, ranges: readonly Range[]): InputClass {
  return {
    name,
    shape(input) {
      for (const [from, to] of ranges) {
        for (let i = from; i < to; i++) input[i] = pattern[(i - from) % pattern.length]!;
      }
    },
  };
}

export const ZEROS = new Uint8Array(1);
export const ONES = Uint8Array.of(0xff);
/** RFC 7748, section 6.1: Alice's private key. A value like any other. */
export const ANY_KEY = new Uint8Array(
  Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex'),
);

/** And Bob's. */
export const ANOTHER_KEY = new Uint8Array(
  Buffer.from('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb', 'hex'),
);

/** Low weight, high weight, and neither, in these places. */
export function fixedThrice(what: string, ranges: readonly Range[]): InputClass[] {
  return [
    fixed(`${what}: zeros`, ZEROS, ranges),
    fixed(`${what}: ones`, ONES, ranges),
    fixed(`${what}: fixed`, ANY_KEY, ranges),
  ];
}

/**
 * A scalar that looks up the same entry of a recipient's tables in every place. comb.ts: digits are
 * the signs in k' = k / 8, a row for each tooth; under a top tooth of +1 the signs of the others
 * are the bits of the entry's index.
 */
export function scalarOfOneEntry(entry: number): Uint8Array {
  const rowDigits = COMB_TABLES * COMB_COLUMNS;
  const row = (1n << BigInt(rowDigits)) - 1n;
  let signs = row << BigInt((COMB_TEETH - 1) * rowDigits);
  for (let tooth = 0; tooth < COMB_TEETH - 1; tooth++) {
    if ((entry >> tooth) & 1) signs |= row << BigInt(tooth * rowDigits);
  }
  // signs = (k' >> 1) + 2^(digits - 1), and k' is odd.
  const topDigit = 1n << BigInt(COMB_TEETH * rowDigits - 1);
  let scalar = (((signs ^ topDigit) << 1n) | 1n) << 3n;
  return Uint8Array.from({ length: KEY_BYTES }, () => {
    const byte = Number(scalar & 0xffn);
    scalar >>= 8n;
    return byte;
  });
}

const ENTRY_COUNT = 1 << (COMB_TEETH - 1);
const ONE_ENTRY_SCALARS = Array.from({ length: ENTRY_COUNT }, (_, entry) =>
  scalarOfOneEntry(entry),
);
/**
 * Two scalars, each of which looks up one entry all the time. Its operands come back in every step,
 * so that what they do to the time adds up, where those of a random scalar cancel out: times of the
 * same mean, spread wider. Held against each other, these differ in nothing but the place.
 */
export const ONE_ENTRY_CLASSES: readonly InputClass[] = [
  {
    name: 'any entry, always that one',
    shape(input) {
      for (let at = 0; at < input.length; at += KEY_BYTES) {
        input.set(ONE_ENTRY_SCALARS[input[at]! % ENTRY_COUNT]!, at);
      }
    },
  },
  fixed('always the first entry', ONE_ENTRY_SCALARS[0]!, [[0, 2 * KEY_BYTES]]),
  fixed('always the last entry', ONE_ENTRY_SCALARS[ENTRY_COUNT - 1]!, [[0, 2 * KEY_BYTES]]),
];

/**
 * The comb of the base point, as base-table.mjs has it: its digits are rows of so many, a row for
 * each tooth.
 */
export const BASE_TEETH = 5;
export const BASE_ROW_DIGITS = 51;
/** k' = k / 8, and digit i is the sign by bit i of k' >> 1. */
const FIRST_DIGIT_BIT = 4;

/**
 * Two scalars, odd ones, whose digits of all teeth in the places from `from` up to `to` have the
 * pattern's bits: there they look up the same entries each time.
 */
function fixedPlaces(name: string, pattern: Uint8Array, from: number, to: number): InputClass {
  return {
    name,
    shape(input) {
      for (let scalar = 0; scalar < input.length; scalar += KEY_BYTES) {
        // An even one is negated, and all its digits with it.
        setBit(input, scalar, FIRST_DIGIT_BIT - 1, 1);
        for (let i = from; i < to; i++) {
          for (let tooth = 0; tooth < BASE_TEETH; tooth++) {
            const bit = (i * BASE_TEETH + tooth) % (8 * pattern.length);
            const value = (pattern[bit >> 3]! >> (bit & 7)) & 1;
            setBit(input, scalar, FIRST_DIGIT_BIT + tooth * BASE_ROW_DIGITS + i, value);
          }
        }
      }
    },
  };
}

function setBit(input: Uint8Array, scalar: number, bit: number, value: number): void {
  // Above it there are no bits: the top digits are signs of a sum's own carry.
  if (bit >= 8 * KEY_BYTES) return;
  const at = scalar + (bit >> 3);
  input[at] = (input[at]! & ~(1 << (bit & 7))) | (value << (bit & 7));
}

/** Low weight, high weight, and neither, in a quarter of the places. */
export function fixedPlacesThrice(what: string, from: number, to: number): InputClass[] {
  return [
    fixedPlaces(`${what}: zeros`, ZEROS, from, to),
    fixedPlaces(`${what}: ones`, ONES, from, to),
    fixedPlaces(`${what}: fixed`, ANY_KEY, from, to),
  ];
}

/** Where the second of two MACs to compare stands. */
export const SECOND_MAC_OFFSET = 16;
/** Two MACs; the second is the first, but for the bytes `from` up to `to`. */
function macs(name: string, from: number, to: number): InputClass {
  return {
    name,
    shape(input) {
      for (let i = 0; i < MAC_BYTES; i++) {
        // Never zero where it counts, so that the byte does differ.
        const difference = i >= from && i < to ? input[SECOND_MAC_OFFSET + i]! | 1 : 0;
        input[SECOND_MAC_OFFSET + i] = input[i]! ^ difference;
      }
    },
  };
}
export const MAC_CLASSES: readonly InputClass[] = [
  macs('equal', 0, 0),
  macs('first byte differs', 0, 1),
  macs('last byte differs', MAC_BYTES - 1, MAC_BYTES),
  macs('all bytes differ', 0, MAC_BYTES),
];
