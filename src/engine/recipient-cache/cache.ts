import { RECIPIENT_TABLES_BYTES, TABLES_NONE, TABLES_READY } from '../../../assembly/abi.js';
import type { Arena } from '../../kernel/arena.js';
import { SLOT_COST_BYTES, type MemoryPlan } from '../../kernel/control.js';
import type { SlotTable } from '../../kernel/slot-table.js';
import { RecipientSlots } from './slots.js';
import { RecipientTables, type TablesLease } from './tables.js';

/**
 * State kept of recipients between envelopes: a slot with DH(S, R) each, and tables of the regular
 * ones.
 */
export class Recipients {
  readonly slots: RecipientSlots;
  readonly tables: RecipientTables;
  readonly #tablesPtr: number;
  #servedByTable = 0;
  #servedByLadder = 0;

  constructor(table: SlotTable, plan: MemoryPlan, random: () => number = Math.random) {
    this.tables = new RecipientTables(plan.tablesCount, plan.slotCount, random);
    this.slots = new RecipientSlots(table, random, (slot) => this.tables.evictSlot(slot));
    this.#tablesPtr = plan.tablesPtr;
  }

  /** Bytes of the recipient cache that are in use. */
  get bytes(): number {
    return this.slots.size * SLOT_COST_BYTES + this.tables.size * RECIPIENT_TABLES_BYTES;
  }

  /** Envelopes that were sealed with tables, including those that the tables were built for. */
  get servedByTable(): number {
    return this.#servedByTable;
  }

  /** Number of envelopes that were sealed without. */
  get servedByLadder(): number {
    return this.#servedByLadder;
  }

  /** Counts the envelope that the record at `place` was sealed to. */
  countSealed(arena: Arena, place: number): void {
    if (arena.tablesState(place) === TABLES_READY) this.#servedByTable += 1;
    else this.#servedByLadder += 1;
  }

  /**
   * The record at `place` seals to the key at `keyAt` of `keys`: gives it the recipient's tables,
   * if it can have them.
   */
  useForSealing(arena: Arena, place: number, keys: Uint8Array, keyAt: number): void {
    this.#lay(
      arena,
      place,
      this.tables.leaseForSealing(this.slots.touch(arena.keyPtr(place), keys, keyAt)),
    );
  }

  /** The record at `place` prepares the key. */
  useForPreparing(arena: Arena, place: number, keys: Uint8Array, keyAt: number): void {
    this.#lay(
      arena,
      place,
      this.tables.leaseForPreparing(this.slots.touch(arena.keyPtr(place), keys, keyAt)),
    );
  }

  #lay(arena: Arena, place: number, { tables, state }: TablesLease): void {
    if (state === TABLES_NONE) return;
    arena.setTables(place, this.#tablesPtr + tables * RECIPIENT_TABLES_BYTES, state);
  }

  /** A chunk has ended: gives its tables back. */
  release(arena: Arena): void {
    for (let place = 0; place < arena.count; place++) {
      const ptr = arena.tablesPtr(place);
      if (ptr !== 0)
        this.tables.release(
          (ptr - this.#tablesPtr) / RECIPIENT_TABLES_BYTES,
          arena.tablesState(place),
        );
    }
  }
}
