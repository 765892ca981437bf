import { expect } from 'vitest';
import { TABLES_NONE, TABLES_READY, TABLES_WANTED } from '#dist/assembly/abi.js';
import type { RecipientTables, TablesLease } from '#dist/src/engine/recipient-cache/tables.js';

interface Holding {
  readonly slot: number;
  readonly isBuilt: boolean;
}

/**
 * What RecipientTables must do, in the plainest words, beside what it does: every step is taken by
 * both and compared. Where the rules leave it to luck (a newcomer in a full house), what it did is
 * checked and followed.
 */
export class TablesModel {
  readonly #tables: RecipientTables;
  readonly #tablesCount: number;
  readonly #slotCount: number;
  /** By number of tables: whose they are. */
  readonly #holdings = new Map<number, Holding>();
  readonly #sealedTo = new Set<number>();
  readonly #impossible = new Set<number>();
  /** What chunks have, in the order in which they got it. */
  readonly #leases: TablesLease[] = [];

  constructor(tables: RecipientTables, tablesCount: number, slotCount: number) {
    this.#tables = tables;
    this.#tablesCount = tablesCount;
    this.#slotCount = slotCount;
  }

  leaseForSealing(slot: number): void {
    const lease = this.#tables.leaseForSealing(slot);
    this.#check(slot, this.#sealedTo.has(slot), lease);
    if (slot >= 0) this.#sealedTo.add(slot);
    this.#compareCounts();
  }

  leaseForPreparing(slot: number): void {
    this.#check(slot, true, this.#tables.leaseForPreparing(slot));
    this.#compareCounts();
  }

  /**
   * The chunk that has the lease number `pick` ends, having left `state` of tables that it was to
   * build.
   */
  endOne(pick: number, state: number): void {
    const [lease] = this.#leases.splice(pick % Math.max(1, this.#leases.length), 1);
    if (lease === undefined) return;
    const left = lease.state === TABLES_READY ? TABLES_READY : state;
    this.#tables.release(lease.tables, left);
    if (lease.state === TABLES_WANTED) {
      const { slot } = this.#holdings.get(lease.tables)!;
      if (left === TABLES_READY) this.#holdings.set(lease.tables, { slot, isBuilt: true });
      else this.#holdings.delete(lease.tables);
      if (left === TABLES_NONE) this.#impossible.add(slot);
    }
    this.#compareCounts();
  }

  endAll(): void {
    while (this.#leases.length > 0) this.endOne(0, TABLES_READY);
  }

  evictSlot(slot: number): void {
    const held = this.#heldBy(slot);
    const isPinned = held !== undefined && this.#isPinned(held);
    expect(this.#tables.evictSlot(slot)).toBe(!isPinned);
    if (isPinned) return;
    if (held !== undefined) this.#holdings.delete(held);
    this.#sealedTo.delete(slot);
    this.#impossible.delete(slot);
    this.#compareCounts();
  }

  /** With no chunk under way: every slot can go, and every place be had again, once. */
  expectAllFree(): void {
    for (let slot = 0; slot < this.#slotCount; slot++) this.evictSlot(slot);
    expect(this.#tables.size).toBe(0);
    const given = new Set<number>();
    for (let slot = 0; slot < Math.min(this.#slotCount, this.#tablesCount); slot++) {
      const { tables, state } = this.#tables.leaseForPreparing(slot);
      expect(state).toBe(TABLES_WANTED);
      given.add(tables);
    }
    expect(given.size).toBe(Math.min(this.#slotCount, this.#tablesCount));
  }

  #heldBy(slot: number): number | undefined {
    return [...this.#holdings].find(([, holding]) => holding.slot === slot)?.[0];
  }

  #isPinned(tables: number): boolean {
    return this.#leases.some((lease) => lease.tables === tables);
  }

  #check(slot: number, isWanted: boolean, lease: TablesLease): void {
    const held = slot < 0 ? undefined : this.#heldBy(slot);
    if (held !== undefined) {
      const isBuilt = this.#holdings.get(held)?.isBuilt === true;
      expect(lease).toEqual(
        isBuilt ? { tables: held, state: TABLES_READY } : { tables: -1, state: TABLES_NONE },
      );
    } else if (slot < 0 || !isWanted || this.#impossible.has(slot)) {
      expect(lease).toEqual({ tables: -1, state: TABLES_NONE });
    } else if (this.#holdings.size < this.#tablesCount) {
      expect(lease.state).toBe(TABLES_WANTED);
      expect(this.#holdings.has(lease.tables)).toBe(false);
    } else if (lease.state === TABLES_WANTED) {
      // Somebody lost his: tables that were built, and that no chunk has.
      expect(this.#holdings.get(lease.tables)?.isBuilt).toBe(true);
      expect(this.#isPinned(lease.tables)).toBe(false);
    } else {
      expect(lease).toEqual({ tables: -1, state: TABLES_NONE });
    }
    if (lease.state === TABLES_NONE) return;
    expect(lease.tables).toBeGreaterThanOrEqual(0);
    expect(lease.tables).toBeLessThan(this.#tablesCount);
    if (lease.state === TABLES_WANTED) this.#holdings.set(lease.tables, { slot, isBuilt: false });
    this.#leases.push(lease);
  }

  #compareCounts(): void {
    const built = [...this.#holdings.values()].filter(({ isBuilt }) => isBuilt).length;
    expect(this.#tables.size).toBe(built);
  }
}
