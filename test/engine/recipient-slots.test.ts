import { beforeAll, describe, expect, test } from 'vitest';
import { SLOT_EMPTY, SLOT_STATE_MASK, SLOT_TAG_OFFSET } from '#dist/assembly/abi.js';
import { ControlBlock, layOutMemory, SLOT_COST_BYTES } from '#dist/src/kernel/control.js';
import { createMemory, instantiate, type KernelExports } from '#dist/src/kernel/instance.js';
import { selectKernel, type SelectedKernel } from '#dist/src/kernel/select.js';
import { SlotTable } from '#dist/src/kernel/slot-table.js';
import { RecipientSlots } from '#dist/src/engine/recipient-cache/slots.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';

let kernel: SelectedKernel;
beforeAll(async () => {
  kernel = await selectKernel('int');
});

/** The policy over a real table in real memory; no workers. */
class Bench {
  readonly table: SlotTable;
  readonly slots: RecipientSlots;
  readonly memory: WebAssembly.Memory;
  readonly slotsPtr: number;
  readonly #control: ControlBlock;

  constructor(
    slotCount: number,
    seed: string,
    wrap: (exports: KernelExports) => KernelExports = (exports) => exports,
  ) {
    const random = seededBytes(seed);
    const plan = layOutMemory(slotCount, 0, 0);
    this.slotsPtr = plan.slotsPtr;
    this.memory = createMemory(plan.totalBytes);
    this.#control = new ControlBlock(this.memory, plan, random(64));
    this.table = new SlotTable(this.memory, wrap(instantiate(kernel.module, this.memory)), plan);
    this.slots = new RecipientSlots(this.table, () => seededInteger(random, 2 ** 30) / 2 ** 30);
  }

  find(key: Uint8Array): number {
    this.#control.setHostKey(key);
    return this.table.find(ControlBlock.HOST_KEY_PTR);
  }

  /** Uses the key once; whether it had a slot before. */
  touch(key: Uint8Array): boolean {
    const found = this.find(key) >= 0;
    this.slots.touch(ControlBlock.HOST_KEY_PTR, key);
    return found;
  }

  /** Share of the look-ups that find a slot while all keys are used `laps` times in a cycle. */
  hitRate(keys: readonly Uint8Array[], laps: number): number {
    let hits = 0;
    for (let lap = 0; lap < laps; lap++) for (const key of keys) if (this.touch(key)) hits += 1;
    return hits / (laps * keys.length);
  }
}

function makeKeys(count: number, seed: string): Uint8Array[] {
  const random = seededBytes(seed);
  return Array.from({ length: count }, () => random(32));
}

describe('which recipients have a slot', () => {
  test('all of them while there is room, each one slot, found from the second use on', () => {
    const bench = new Bench(300, 'room');
    const keys = makeKeys(300, 'room-keys');
    expect(bench.hitRate(keys, 1)).toBe(0);
    expect(bench.hitRate(keys, 3)).toBe(1);
    expect(bench.slots.size).toBe(300);
    expect(new Set(keys.map((key) => bench.find(key))).size).toBe(300);
  });

  // A lap's misses let one newcomer in 32 in, and each of these costs a hit or so; ten points cover
  // that.
  test.each([
    [0.8, 400],
    [0.5, 250],
    [0.2, 100],
  ])('with room for a share of %f of a cycle, about that share is found', (share, slotCount) => {
    const bench = new Bench(slotCount, `cycle-${share}`);
    const keys = makeKeys(500, 'cycle-keys');
    bench.hitRate(keys, 20);
    const hitRate = bench.hitRate(keys, 30);
    expect(hitRate).toBeGreaterThan(share - 0.1);
    expect(hitRate).toBeLessThanOrEqual(share);
    expect(bench.slots.size).toBe(slotCount);
  });

  test('a new set of recipients takes the place of an old one within some laps', () => {
    const bench = new Bench(400, 'new set');
    bench.hitRate(makeKeys(400, 'old set'), 5);
    const keys = makeKeys(400, 'new set');
    expect(bench.hitRate(keys, 1)).toBeLessThan(0.2);
    bench.hitRate(keys, 12);
    expect(bench.hitRate(keys, 1)).toBeGreaterThan(0.95);
  });

  test('strangers who come once do not drive out those who come again and again', () => {
    const bench = new Bench(400, 'strangers');
    const regulars = makeKeys(350, 'regulars');
    bench.hitRate(regulars, 3);
    let hits = 0;
    for (let lap = 0; lap < 20; lap++) {
      hits += bench.hitRate(regulars, 1) * regulars.length;
      bench.hitRate(makeKeys(350, `strangers-${lap}`), 1);
    }
    expect(hits / (20 * regulars.length)).toBeGreaterThan(0.9);
  });

  test('a table of one slot gives it to one recipient at a time, and to another one in the end', () => {
    const bench = new Bench(1, 'one slot');
    const [first, second] = makeKeys(2, 'one-slot-keys') as [Uint8Array, Uint8Array];
    expect(bench.touch(first)).toBe(false);
    expect(bench.touch(first)).toBe(true);
    for (let use = 0; use < 20; use++) bench.touch(second);
    expect(bench.find(second)).toBe(0);
    expect(bench.find(first)).toBe(-1);
    expect(bench.slots.size).toBe(1);
  });

  test('no table, however small or full, ever has two slots for a key or loses count', () => {
    for (const slotCount of [1, 2, 3, 5, 7, 8, 9, 33]) {
      const bench = new Bench(slotCount, `fuzz-${slotCount}`);
      const random = seededBytes(`uses-${slotCount}`);
      const keys = makeKeys(4 * slotCount, `fuzz-keys-${slotCount}`);
      for (let use = 0; use < 2000; use++)
        bench.touch(keys[seededInteger(random, keys.length)] ?? new Uint8Array(32));
      const found = keys.map((key) => bench.find(key)).filter((slot) => slot >= 0);
      expect(new Set(found).size).toBe(found.length);
      expect(found.length).toBe(bench.slots.size);
      expect(bench.slots.used).toBe(slotCount);
    }
  });
});

describe('the slots themselves', () => {
  test('an index without room leaves the slot to the next key', () => {
    let isFull = true;
    const bench = new Bench(4, 'full index', (exports) => ({
      ...exports,
      indexSlot: (slot) => (isFull ? 0 : exports.indexSlot(slot)),
    }));
    const keys = makeKeys(4, 'full-index-keys');
    bench.hitRate(keys, 3);
    expect(bench.slots.size).toBe(0);
    isFull = false;
    bench.hitRate(keys, 1);
    expect(bench.hitRate(keys, 1)).toBe(1);
    expect(bench.slots.size).toBe(4);
    expect(new Set(keys.map((key) => bench.find(key))).size).toBe(4);
  });

  test('nothing of an evicted key stays in memory', () => {
    const bench = new Bench(1, 'evicted');
    const [first, second] = makeKeys(2, 'evicted-keys') as [Uint8Array, Uint8Array];
    bench.touch(first);
    const slotBytes = (): Buffer =>
      Buffer.from(bench.memory.buffer, bench.slotsPtr, SLOT_COST_BYTES);
    expect(slotBytes().includes(Buffer.from(first))).toBe(true);
    expect(bench.table.evict(0)).toBe(true);
    expect(slotBytes().includes(Buffer.from(first))).toBe(false);
    expect(bench.table.assign(0, second)).toBe(true);
    expect(bench.find(second)).toBe(0);
    expect(bench.find(first)).toBe(-1);
  });

  test.each(['never used', 'evicted'])(
    'a slot that was %s is not a worker’s to fill before its key has its own generation',
    (history) => {
      // A worker may look for the key as soon as it is indexed. Were the slot EMPTY then, he could
      // begin to fill it under the old generation, be overtaken by an eviction, and leave his
      // secret to whoever gets the slot next.
      const statesWhenIndexed: number[] = [];
      const bench: Bench = new Bench(1, 'early', (exports) => ({
        ...exports,
        indexSlot: (slot) => {
          const indexed = exports.indexSlot(slot);
          const tags = new Int32Array(bench.memory.buffer, bench.slotsPtr + SLOT_TAG_OFFSET, 1);
          statesWhenIndexed.push(Atomics.load(tags, 0) & SLOT_STATE_MASK);
          return indexed;
        },
      }));
      const [first, second] = makeKeys(2, 'early-keys') as [Uint8Array, Uint8Array];
      bench.touch(first);
      if (history === 'evicted') {
        bench.table.evict(0);
        bench.table.assign(0, second);
      }
      expect(statesWhenIndexed).toHaveLength(history === 'evicted' ? 2 : 1);
      expect(statesWhenIndexed).not.toContain(SLOT_EMPTY);
    },
  );
});
