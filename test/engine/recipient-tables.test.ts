import { describe, expect, test } from 'vitest';
import { TABLES_NONE, TABLES_READY, TABLES_WANTED } from '#dist/assembly/abi.js';
import { SlotAllocator } from '#dist/src/engine/recipient-cache/slot-allocator.js';
import { RecipientTables, type TablesLease } from '#dist/src/engine/recipient-cache/tables.js';
import { cyclic } from '../harness/opening.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';
import { TablesModel } from '../harness/tables-model.js';

/** Numbers in [0, 1), as Math.random gives them. */
function fractions(seed: string): () => number {
  const random = seededBytes(seed);
  return () => seededInteger(random, 2 ** 30) / 2 ** 30;
}
/** Nobody gets in by luck. */
const noLuck = (): number => 0.999;

const NOTHING: TablesLease = { tables: -1, state: TABLES_NONE };

/** Seals to the slot's holder, whose chunk ends well at once. */
function sealTo(tables: RecipientTables, slot: number): TablesLease {
  const lease = tables.leaseForSealing(slot);
  if (lease.tables >= 0) tables.release(lease.tables, TABLES_READY);
  return lease;
}

describe('a recipient', () => {
  test('gets tables at the second sealing, and every later one is served by them', () => {
    const tables = new RecipientTables(3, 5, noLuck);
    expect(sealTo(tables, 2)).toEqual(NOTHING);
    expect(sealTo(tables, 4)).toEqual(NOTHING);
    expect(tables.size).toBe(0);
    expect(sealTo(tables, 2)).toEqual({ tables: 0, state: TABLES_WANTED });
    expect(sealTo(tables, 4)).toEqual({ tables: 1, state: TABLES_WANTED });
    expect(sealTo(tables, 2)).toEqual({ tables: 0, state: TABLES_READY });
    expect(sealTo(tables, 4)).toEqual({ tables: 1, state: TABLES_READY });
    expect(tables.size).toBe(2);
  });

  test('a prepared recipient gets them before the first sealing, and that is no envelope', () => {
    const tables = new RecipientTables(3, 5, noLuck);
    const lease = tables.leaseForPreparing(1);
    expect(lease).toEqual({ tables: 0, state: TABLES_WANTED });
    tables.release(0, TABLES_READY);
    expect(tables.size).toBe(1);
    expect(sealTo(tables, 1)).toEqual({ tables: 0, state: TABLES_READY });
  });

  test('without a slot never gets any, however often it is sealed to', () => {
    const tables = new RecipientTables(3, 5, () => 0);
    for (let use = 0; use < 50; use++) {
      expect(tables.leaseForSealing(-1)).toEqual(NOTHING);
      expect(tables.leaseForPreparing(-1)).toEqual(NOTHING);
    }
    expect([tables.size, tables.used]).toEqual([0, 0]);
  });

  test('whose tables a chunk is building is served without by all others until it has ended', () => {
    const tables = new RecipientTables(3, 5, noLuck);
    sealTo(tables, 0);
    const building = tables.leaseForSealing(0);
    expect(building.state).toBe(TABLES_WANTED);
    expect(tables.leaseForSealing(0)).toEqual(NOTHING);
    expect(tables.leaseForPreparing(0)).toEqual(NOTHING);
    tables.release(building.tables, TABLES_READY);
    expect(sealTo(tables, 0)).toEqual({ tables: building.tables, state: TABLES_READY });
  });

  test('whose key can have none is not tried again, until its slot goes to another key', () => {
    const tables = new RecipientTables(1, 2, noLuck);
    expect(tables.leaseForPreparing(0).state).toBe(TABLES_WANTED);
    tables.release(0, TABLES_NONE);
    for (let use = 0; use < 20; use++) {
      expect(tables.leaseForSealing(0)).toEqual(NOTHING);
      expect(tables.leaseForPreparing(0)).toEqual(NOTHING);
    }
    // The place that he did not need is another's at once.
    expect(tables.leaseForPreparing(1)).toEqual({ tables: 0, state: TABLES_WANTED });
    tables.release(0, TABLES_NONE);
    expect(tables.evictSlot(0)).toBe(true);
    expect(tables.leaseForPreparing(0)).toEqual({ tables: 0, state: TABLES_WANTED });
  });

  test('whose chunk was lost before its tables were built is tried again', () => {
    const tables = new RecipientTables(1, 2, noLuck);
    expect(tables.leaseForPreparing(0).state).toBe(TABLES_WANTED);
    tables.release(0, TABLES_WANTED);
    expect(tables.size).toBe(0);
    expect(tables.leaseForSealing(0)).toEqual(NOTHING);
    expect(tables.leaseForSealing(0)).toEqual({ tables: 0, state: TABLES_WANTED });
  });

  test('that lost its slot begins again', () => {
    const tables = new RecipientTables(2, 2, noLuck);
    sealTo(tables, 0);
    sealTo(tables, 0);
    expect(tables.size).toBe(1);
    expect(tables.evictSlot(0)).toBe(true);
    expect(tables.size).toBe(0);
    expect(sealTo(tables, 0)).toEqual(NOTHING);
    expect(sealTo(tables, 0).state).toBe(TABLES_WANTED);
  });

  test('keeps slot and tables while any chunk has them', () => {
    const tables = new RecipientTables(1, 3, () => 0);
    const building = tables.leaseForPreparing(0);
    expect(tables.evictSlot(0)).toBe(false);
    expect(tables.leaseForPreparing(1)).toEqual(NOTHING);
    tables.release(building.tables, TABLES_READY);
    const [first, second] = [tables.leaseForSealing(0), tables.leaseForSealing(0)];
    for (const { tables: number } of [first, second]) {
      expect(tables.evictSlot(0)).toBe(false);
      expect(tables.leaseForPreparing(1)).toEqual(NOTHING);
      tables.release(number, TABLES_READY);
    }
    expect(tables.leaseForPreparing(1)).toEqual({ tables: 0, state: TABLES_WANTED });
    expect(tables.size).toBe(0);
    expect(tables.evictSlot(0)).toBe(true);
  });
});

describe('any order of leases, ends of chunks and evictions', () => {
  test.each([
    [1, 1],
    [1, 6],
    [3, 4],
    [8, 8],
    [9, 40],
    [40, 12],
    [0, 5],
  ])(
    'gives %i places to %i slots as the rules say, and never one place to two',
    (tablesCount, slotCount) => {
      for (const luck of [() => 0, noLuck, fractions(`luck ${tablesCount} ${slotCount}`)]) {
        const random = seededBytes(`uses ${tablesCount} ${slotCount}`);
        const tables = new RecipientTables(tablesCount, slotCount, luck);
        const model = new TablesModel(tables, tablesCount, slotCount);
        for (let step = 0; step < 1000; step++) {
          const [kind, pick] = [seededInteger(random, 10), seededInteger(random, 2 ** 20)];
          if (kind < 4) model.leaseForSealing((pick % (slotCount + 1)) - 1);
          else if (kind < 5) model.leaseForPreparing((pick % (slotCount + 1)) - 1);
          else if (kind < 9)
            model.endOne(
              pick,
              cyclic([TABLES_READY, TABLES_READY, TABLES_NONE, TABLES_WANTED], pick >> 8),
            );
          else model.evictSlot(pick % slotCount);
          // Now and then all chunks end, as they do between broadcasts.
          if (pick % 97 === 0) model.endAll();
        }
        model.endAll();
        model.expectAllFree();
      }
    },
  );
});

describe('places', () => {
  const neverEvicts = (): never => {
    throw new Error('a place was to be taken away');
  };

  test('are given one after the other while there are any, and no recipient loses its own', () => {
    const places = new SlotAllocator(5, noLuck);
    expect(Array.from({ length: 5 }, () => places.take(neverEvicts))).toEqual([0, 1, 2, 3, 4]);
    places.free(3);
    places.free(1);
    expect([places.size, places.used]).toEqual([3, 5]);
    expect([places.take(neverEvicts), places.take(neverEvicts)].sort()).toEqual([1, 3]);
    expect([places.size, places.used]).toEqual([5, 5]);
    expect(places.take(neverEvicts)).toBe(-1);
  });

  test('that are none at all are given to no recipient', () => {
    const places = new SlotAllocator(0, () => 0);
    for (let use = 0; use < 100; use++) {
      places.tick();
      expect(places.take(neverEvicts)).toBe(-1);
    }
    expect([places.size, places.used]).toEqual([0, 0]);
  });

  test('that are all taken are given to a newcomer by luck, once in 32', () => {
    const places = new SlotAllocator(100, fractions('luck'));
    for (let i = 0; i < 100; i++) places.use(places.take(neverEvicts));
    let admitted = 0;
    for (let newcomer = 0; newcomer < 6400; newcomer++) {
      // Everybody goes on using his place, so none is stale.
      for (let place = 0; place < 100; place += 1) places.use(place);
      places.tick();
      if (places.take(() => true) >= 0) admitted += 1;
    }
    expect(admitted).toBeGreaterThan(140);
    expect(admitted).toBeLessThan(260);
    expect(places.size).toBe(100);
  });

  test('that were unused for eight laps are given to the next recipient, and those in use stay', () => {
    const places = new SlotAllocator(8, noLuck);
    for (let i = 0; i < 8; i++) places.use(places.take(neverEvicts));
    for (let use = 0; use < 64; use++) {
      places.tick();
      for (const place of [0, 1, 2, 4, 5, 6, 7]) places.use(place);
      expect(places.take(neverEvicts)).toBe(-1);
    }
    places.tick();
    expect(places.take(() => false)).toBe(-1);
    expect(places.take((place) => place === 3)).toBe(3);
    places.use(3);
    expect(places.take(neverEvicts)).toBe(-1);
  });

  test('keep their count through any order of takes, refusals and frees', () => {
    for (const count of [1, 2, 7, 9, 50]) {
      const places = new SlotAllocator(count, fractions(`places ${count}`));
      const random = seededBytes(`places ${count}`);
      const taken = new Set<number>();
      let mostTaken = 0;
      for (let step = 0; step < 1000; step++) {
        const [kind, pick] = [seededInteger(random, 8), seededInteger(random, 2 ** 20)];
        if (kind === 0 && taken.size > 0) {
          const place = cyclic([...taken], pick);
          places.free(place);
          taken.delete(place);
        } else {
          places.tick();
          const wasFull = taken.size === count;
          let evicted = -1;
          const place = places.take((victim) => {
            expect(taken.has(victim)).toBe(true);
            if (pick % 3 === 0) return false;
            evicted = victim;
            return true;
          });
          expect(place >= 0).toBe(!wasFull || evicted >= 0);
          if (place >= 0) {
            expect(wasFull ? place === evicted : !taken.has(place)).toBe(true);
            expect(place).toBeLessThan(count);
            taken.add(place);
            places.use(place);
          }
        }
        mostTaken = Math.max(mostTaken, taken.size);
        expect([places.size, places.used]).toEqual([taken.size, mostTaken]);
      }
    }
  });
});
