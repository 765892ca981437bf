import type { SlotTable } from '../kernel/slot-table.js';

/** How many slots are looked at for one to give away. */
const PROBES = 8;
/** A slot that was not used for this many times as many look-ups as there are slots is given away at once. */
const STALE_LAPS = 8;
/** When all slots are in use, one newcomer in this many gets in. */
const ADMISSION_INTERVAL = 32;

/**
 * Which parties have a slot for their DH(S, R).
 *
 * A broadcast looks at all its recipients in a cycle. Least-recently-used eviction, with slots for 80 % of them, would
 * throw each out just before its turn and never hit. So a full table stays as it is, but for one newcomer in 32: with
 * slots for a share of the cycle about that share is found, and a new set of recipients still moves in by and by. Whoever
 * has no slot is served by the ladder: slower, never wrong.
 */
export class RecipientSlots {
  readonly #table: SlotTable;
  readonly #lastUse: Float64Array;
  readonly #random: () => number;
  #clock = 0;
  #used = 0;
  #cached = 0;
  #hand = 0;
  /** Evicted slots that no key has taken yet. */
  readonly #free: number[] = [];

  constructor(table: SlotTable, random: () => number = Math.random) {
    this.#table = table;
    this.#random = random;
    this.#lastUse = new Float64Array(table.slotCount);
  }

  /** Number of parties that have a slot. */
  get size(): number {
    return this.#cached;
  }

  /** Number of slots that were ever used; those behind are untouched memory. */
  get used(): number {
    return this.#used;
  }

  /** Notes a use of the key that stands at `keyPtr` in the kernel's memory; it may get a slot for it. */
  touch(keyPtr: number, key: Uint8Array): void {
    this.#clock += 1;
    const found = this.#table.find(keyPtr);
    const slot = found >= 0 ? found : this.#admit(key);
    if (slot >= 0) this.#lastUse[slot] = this.#clock;
  }

  #admit(key: Uint8Array): number {
    const slot = this.#takeSlot();
    if (slot < 0) return -1;
    if (!this.#table.assign(slot, key)) {
      this.#free.push(slot);
      return -1;
    }
    this.#cached += 1;
    return slot;
  }

  #takeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used < this.#table.slotCount) return this.#used++;
    const victim = this.#oldestOfSome();
    const age = this.#clock - (this.#lastUse[victim] ?? 0);
    const stale = age > STALE_LAPS * this.#table.slotCount;
    if (!stale && this.#random() * ADMISSION_INTERVAL >= 1) return -1;
    if (!this.#table.evict(victim)) return -1;
    this.#cached -= 1;
    return victim;
  }

  #oldestOfSome(): number {
    let oldest = this.#hand;
    for (let probe = 0; probe < PROBES; probe++) {
      if ((this.#lastUse[this.#hand] ?? 0) < (this.#lastUse[oldest] ?? 0)) oldest = this.#hand;
      this.#hand = (this.#hand + 1) % this.#table.slotCount;
    }
    return oldest;
  }
}
