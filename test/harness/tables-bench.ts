// Tables of recipients' keys in a kernel by itself: built, read back, and multiplied by.
import {
  BY_TABLES,
  PAIR_BYTES,
  RECIPIENT_TABLES_BYTES,
  TABLE_POINT_BYTES,
} from '#dist/assembly/abi.js';
import { reduce } from '../reference/field.js';
import type { DebugExports, DebugKernel } from './debug-kernel.js';
import { FIELDS, isInForm, joinLimbs, type Field } from './field-forms.js';

/** What the tables' tests want of assembly/testing.ts. */
export interface TablesExports extends DebugExports {
  buildTablesX2(tablesA: number, tablesB: number, uA: number, uB: number, scratch: number): number;
  readonly BUILD_TABLES_SCRATCH_BYTES: { readonly value: number };
  readonly X25519_SCRATCH_BYTES: { readonly value: number };
}

/** One entry of a table: (y + x)/2, (x - y)/2, d x y. */
export interface TableEntry {
  readonly elements: readonly bigint[];
  readonly areTight: boolean;
}

const KEYS = 0x20000;
const SCALARS = 0x21000;
const ADDRESSES = 0x24000;
const OUTS = 0x25000;
const PAIRS = 0x30000;
const SCRATCH = 0x60000;
const TABLES = 0x100000;
/** Bytes of an element in a table: five words. */
const ELEMENT_BYTES = 40;
/** As much untouched memory behind each place, to see that nobody writes there. */
const GAP_BYTES = 64;

export class TablesBench {
  readonly exports: TablesExports;
  readonly #kernel: DebugKernel;
  readonly #field: Field;

  constructor(kernel: DebugKernel) {
    this.#kernel = kernel;
    this.exports = kernel.exports as TablesExports;
    this.#field = FIELDS[kernel.name];
  }

  get buildScratchBytes(): number {
    return this.exports.BUILD_TABLES_SCRATCH_BYTES.value;
  }

  get multiplyScratchBytes(): number {
    return this.exports.X25519_SCRATCH_BYTES.value;
  }

  #address(place: number): number {
    return TABLES + place * (RECIPIENT_TABLES_BYTES + GAP_BYTES);
  }

  /** Builds the tables of two keys, in the places of these numbers; gives the kernel's two bits. */
  build(keyA: Uint8Array, keyB: Uint8Array, placeA = 0, placeB = 1): number {
    this.#kernel.write(KEYS, keyA);
    this.#kernel.write(KEYS + 32, keyB);
    return this.exports.buildTablesX2(
      this.#address(placeA),
      this.#address(placeB),
      KEYS,
      KEYS + 32,
      SCRATCH,
    );
  }

  /** X25519 of each scalar with the key whose tables stand in its place. */
  multiply(scalars: readonly Uint8Array[], places: readonly number[]): Uint8Array[] {
    const view = new DataView(this.#kernel.memory.buffer);
    scalars.forEach((scalar, i) => this.#kernel.write(SCALARS + 32 * i, scalar));
    places.forEach((place, i) => view.setUint32(ADDRESSES + 4 * i, this.#address(place), true));
    const { exports } = this;
    const count = scalars.length;
    exports.x25519Batch(0, count, SCALARS, 32, ADDRESSES, 4, OUTS, 32, BY_TABLES, PAIRS, SCRATCH);
    return scalars.map((_, i) => this.#kernel.read(OUTS + 32 * i, 32));
  }

  /** The bytes of a recipient's tables. */
  bytes(place: number): Uint8Array {
    return this.#kernel.read(this.#address(place), RECIPIENT_TABLES_BYTES);
  }

  /** What lies behind them. */
  gap(place: number): Uint8Array {
    return this.#kernel.read(this.#address(place) + RECIPIENT_TABLES_BYTES, GAP_BYTES);
  }

  /** Fills places and the scratch, both and what is behind them, with one byte. */
  soil(byte: number, placeCount: number): void {
    const begin = this.#address(0);
    this.#kernel.write(begin, new Uint8Array(this.#address(placeCount) - begin).fill(byte));
    this.#kernel.write(SCRATCH, new Uint8Array(this.buildScratchBytes + GAP_BYTES).fill(byte));
    this.#kernel.write(PAIRS, new Uint8Array(128 * PAIR_BYTES).fill(byte));
  }

  /** What lies behind a scratch of so many bytes. */
  behindScratch(scratchBytes: number): Uint8Array {
    return this.#kernel.read(SCRATCH + scratchBytes, GAP_BYTES);
  }

  /** Entry number `index` of table number `table`, decoded. */
  entry(place: number, table: number, entriesPerTable: number, index: number): TableEntry {
    const field = this.#field;
    const limbBytes = ELEMENT_BYTES / field.limbCount;
    const view = new DataView(this.#kernel.memory.buffer);
    const begin = this.#address(place) + (table * entriesPerTable + index) * TABLE_POINT_BYTES;
    const limbs = [0, 1, 2].map((element) =>
      Array.from({ length: field.limbCount }, (_, i) =>
        field.read(view, begin + element * ELEMENT_BYTES + i * limbBytes),
      ),
    );
    return {
      elements: limbs.map((each) => reduce(joinLimbs(field, each))),
      areTight: limbs.every((each) => isInForm(field, 'tight', each)),
    };
  }
}
