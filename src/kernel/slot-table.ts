import {
  INDEX_CELL_BYTES,
  KEY_BYTES,
  RECIPIENT_TABLES_BYTES,
  SLOT_BYTES,
  SLOT_EMPTY,
  SLOT_EVICTED,
  SLOT_FILLING,
  SLOT_KEY_OFFSET,
  SLOT_SECRET_OFFSET,
  SLOT_STATE_BITS,
  SLOT_STATE_MASK,
  SLOT_TAG_OFFSET,
} from '../../assembly/abi.js';
import type { MemoryPlan } from './control.js';
import type { KernelExports } from './instance.js';

const NO_KEY = new Uint8Array(KEY_BYTES);

/**
 * The host's side of the slots: assigns slots to keys and evicts them.
 *
 * assembly/envelope/slots.ts has the workers' side and the protocol. Workers read and fill slots
 * meanwhile; there is one host.
 */
export class SlotTable {
  readonly #exports: KernelExports;
  readonly #words: Int32Array;
  readonly #plan: MemoryPlan;
  readonly slotCount: number;

  constructor(memory: WebAssembly.Memory, exports: KernelExports, plan: MemoryPlan) {
    this.#exports = exports;
    this.slotCount = plan.slotCount;
    this.#plan = plan;
    this.#words = new Int32Array(memory.buffer, plan.slotsPtr, (plan.slotCount * SLOT_BYTES) / 4);
  }

  #tagIndex(slot: number): number {
    return (slot * SLOT_BYTES + SLOT_TAG_OFFSET) / 4;
  }

  /** The slot of the key at an address of the memory, or -1. */
  find(keyPtr: number): number {
    return this.#exports.findSlot(keyPtr);
  }

  /**
   * Gives a slot that was never used, or was evicted, to a key that has none; a worker will fill
   * it.
   *
   * @returns false when the index has no cell for the key; the slot stays as it was.
   */
  assign(slot: number, key: Uint8Array): boolean {
    const index = this.#tagIndex(slot);
    const generation = Atomics.load(this.#words, index) & ~SLOT_STATE_MASK;
    // A slot that was never used looks empty. A worker that met the key in the index could begin to
    // fill it before the generation below, which would hide that the worker is filling it, and end
    // after the slot has gone to another key.
    Atomics.store(this.#words, index, generation | SLOT_EVICTED);
    this.#storeKey(slot, key);
    if (this.#exports.indexSlot(slot) === 0) return false;
    // The next generation: a reader that saw the slot under the last one drops its copy.
    Atomics.store(this.#words, index, (generation + (1 << SLOT_STATE_BITS)) | SLOT_EMPTY);
    return true;
  }

  /**
   * Takes a slot away from its key and wipes it.
   *
   * @returns false when a worker is filling it right now; then it keeps its key.
   */
  evict(slot: number): boolean {
    const index = this.#tagIndex(slot);
    const tag = Atomics.load(this.#words, index);
    if ((tag & SLOT_STATE_MASK) === SLOT_FILLING) return false;
    const evicted = (tag & ~SLOT_STATE_MASK) | SLOT_EVICTED;
    if (Atomics.compareExchange(this.#words, index, tag, evicted) !== tag) return false;
    this.#exports.unindexSlot(slot);
    this.#storeKey(slot, NO_KEY);
    this.#clearSecret(slot);
    return true;
  }

  // Word by word with Atomics, as workers read them: plain stores may overtake that of the tag on
  // arm64, and a worker would take zeros for the secret under a tag that still looks right.

  #storeKey(slot: number, key: Uint8Array): void {
    const words = new Int32Array(KEY_BYTES / 4);
    new Uint8Array(words.buffer).set(key);
    const first = (slot * SLOT_BYTES + SLOT_KEY_OFFSET) / 4;
    for (let i = 0; i < words.length; i++) Atomics.store(this.#words, first + i, words[i] ?? 0);
  }

  #clearSecret(slot: number): void {
    const first = (slot * SLOT_BYTES + SLOT_SECRET_OFFSET) / 4;
    for (let i = 0; i < KEY_BYTES / 4; i++) Atomics.store(this.#words, first + i, 0);
  }

  /**
   * Wipes the index, the first `usedSlots` slots and the first `usedTables` tables. Tables are no
   * secrets, but tell who the recipients are. No worker may be running.
   */
  wipe(usedSlots: number, usedTables: number): void {
    const { tablesPtr, slotsPtr, indexPtr, indexCells } = this.#plan;
    this.#exports.clear(tablesPtr, usedTables * RECIPIENT_TABLES_BYTES);
    if (usedSlots === 0) return;
    this.#exports.clear(slotsPtr, usedSlots * SLOT_BYTES);
    this.#exports.clear(indexPtr, indexCells * INDEX_CELL_BYTES);
  }
}
