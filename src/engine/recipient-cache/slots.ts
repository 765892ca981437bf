import { KEY_BYTES } from '../../../assembly/abi.js';
import type { SlotTable } from '../../kernel/slot-table.js';
import { SlotAllocator } from './slot-allocator.js';

/**
 * Parties that have a slot for their DH(S, R). The ladder serves all others: slower, never wrong.
 */
export class RecipientSlots {
  readonly #table: SlotTable;
  readonly #places: SlotAllocator;
  readonly #release: (slot: number) => boolean;

  /** `release` is asked before a slot is taken away; it may refuse. */
  constructor(
    table: SlotTable,
    random: () => number = Math.random,
    release: (slot: number) => boolean = () => true,
  ) {
    this.#table = table;
    this.#places = new SlotAllocator(table.slotCount, random);
    this.#release = release;
  }

  /** Number of parties that have a slot. */
  get size(): number {
    return this.#places.size;
  }

  /** Number of slots that were ever used; those behind are untouched memory. */
  get used(): number {
    return this.#places.used;
  }

  /**
   * Notes a use of a key, which may get a slot for it. The key is at `keyPtr` in the kernel's
   * memory and at `keyAt` of `keys`.
   *
   * @returns its slot, or -1.
   */
  touch(keyPtr: number, keys: Uint8Array, keyAt = 0): number {
    this.#places.tick();
    const found = this.#table.find(keyPtr);
    const slot = found >= 0 ? found : this.#admit(keys.subarray(keyAt, keyAt + KEY_BYTES));
    if (slot >= 0) this.#places.use(slot);
    return slot;
  }

  #admit(key: Uint8Array): number {
    const slot = this.#places.take((victim) => this.#release(victim) && this.#table.evict(victim));
    if (slot < 0) return -1;
    if (this.#table.assign(slot, key)) return slot;
    this.#places.free(slot);
    return -1;
  }
}
