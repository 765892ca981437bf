import { TABLES_NONE, TABLES_READY, TABLES_WANTED } from '../../../assembly/abi.js';
import { SlotAllocator } from './slot-allocator.js';

const NO_TABLES = -1;
/** The key is on the twist: the kernel found that it can have none. */
const IMPOSSIBLE = -2;

/** Facts about tables for a record: where they are, and one of abi.ts's TABLES_ values. */
export interface TablesLease {
  /** Number of the tables, or -1. */
  readonly tables: number;
  readonly state: number;
}
const NO_LEASE: TablesLease = { tables: NO_TABLES, state: TABLES_NONE };

/**
 * Recipients that have tables, kilobytes each, that make DH(e, R) cheap.
 *
 * The holder of a slot gets tables at its second sealing, or when it is prepared: a recipient of a
 * single message costs no tables. Tables are leased to the chunks that use them, and pinned until
 * these end; only the host gives them away, and only tables without a pin, so a worker never reads
 * tables that another one writes.
 */
export class RecipientTables {
  readonly #places: SlotAllocator;
  /** By slot: its tables, NO_TABLES or IMPOSSIBLE. */
  readonly #ofSlot: Int32Array;
  /** By slot: 1 once it was sealed to. */
  readonly #sealedTo: Uint8Array;
  /** By tables: their slot, the chunks that have them, and whether they are built. */
  readonly #slotOf: Int32Array;
  readonly #pins: Uint32Array;
  readonly #built: Uint8Array;
  #builtCount = 0;

  constructor(tablesCount: number, slotCount: number, random: () => number) {
    this.#places = new SlotAllocator(tablesCount, random);
    this.#ofSlot = new Int32Array(slotCount).fill(NO_TABLES);
    this.#sealedTo = new Uint8Array(slotCount);
    this.#slotOf = new Int32Array(tablesCount);
    this.#pins = new Uint32Array(tablesCount);
    this.#built = new Uint8Array(tablesCount);
  }

  /** Number of recipients whose tables are built. */
  get size(): number {
    return this.#builtCount;
  }

  /** Number of places that were ever taken; those behind are untouched memory. */
  get used(): number {
    return this.#places.used;
  }

  /**
   * For one envelope to the holder of a slot, or to a recipient without one (-1). Ends with {@link
   * release}.
   */
  leaseForSealing(slot: number): TablesLease {
    if (slot < 0) return NO_LEASE;
    const wanted = this.#sealedTo[slot] === 1;
    this.#sealedTo[slot] = 1;
    return this.#lease(slot, wanted);
  }

  /** To have them built ahead. Ends with {@link release}. */
  leaseForPreparing(slot: number): TablesLease {
    return slot < 0 ? NO_LEASE : this.#lease(slot, true);
  }

  #lease(slot: number, wanted: boolean): TablesLease {
    this.#places.tick();
    const found = this.#ofSlot[slot] ?? NO_TABLES;
    if (found >= 0) {
      this.#places.use(found);
      // Another chunk builds them just now.
      if (this.#built[found] === 0) return NO_LEASE;
      this.#pins[found] = (this.#pins[found] ?? 0) + 1;
      return { tables: found, state: TABLES_READY };
    }
    if (!wanted || found === IMPOSSIBLE) return NO_LEASE;
    const taken = this.#places.take((tables) => this.#evict(tables));
    if (taken < 0) return NO_LEASE;
    this.#places.use(taken);
    this.#ofSlot[slot] = taken;
    this.#slotOf[taken] = slot;
    this.#pins[taken] = 1;
    return { tables: taken, state: TABLES_WANTED };
  }

  /** A chunk that had these tables has ended, and left `state` in its record. */
  release(tables: number, state: number): void {
    this.#pins[tables] = (this.#pins[tables] ?? 0) - 1;
    if (this.#built[tables] === 1) return;
    // Only the chunk that was to build them can have had them.
    if (state === TABLES_READY) {
      this.#built[tables] = 1;
      this.#builtCount += 1;
      return;
    }
    // TABLES_WANTED: they were not built. The next sealing tries again.
    this.#ofSlot[this.#slotOf[tables] ?? 0] = state === TABLES_NONE ? IMPOSSIBLE : NO_TABLES;
    this.#places.free(tables);
  }

  /**
   * The slot goes to another key: takes its tables away. False while a chunk has them; then it must
   * not go.
   */
  evictSlot(slot: number): boolean {
    const tables = this.#ofSlot[slot] ?? NO_TABLES;
    if (tables >= 0) {
      if (!this.#evict(tables)) return false;
      this.#places.free(tables);
    }
    this.#ofSlot[slot] = NO_TABLES;
    this.#sealedTo[slot] = 0;
    return true;
  }

  #evict(tables: number): boolean {
    if (this.#pins[tables] !== 0) return false;
    this.#built[tables] = 0;
    this.#builtCount -= 1;
    this.#ofSlot[this.#slotOf[tables] ?? 0] = NO_TABLES;
    return true;
  }
}
