import {
  CONTROL_BYTES,
  CONTROL_HASH_SEEDS_OFFSET,
  CONTROL_INDEX_MASK_OFFSET,
  CONTROL_INDEX_PTR_OFFSET,
  CONTROL_PRIVATE_KEY_OFFSET,
  CONTROL_PTR,
  CONTROL_PUBLIC_KEY_OFFSET,
  CONTROL_SLOTS_PTR_OFFSET,
  INDEX_CELL_BYTES,
  KEY_BYTES,
  RECIPIENT_TABLES_BYTES,
  SLOT_BYTES,
  TABLE_POINT_BYTES,
} from '../../assembly/abi.js';
import { copySecret } from '../util/bytes.js';
import { ARENA_BYTES } from './arena.js';

const HASH_SEEDS_BYTES = CONTROL_SLOTS_PTR_OFFSET - CONTROL_HASH_SEEDS_OFFSET;
/** Behind the control block: a key that the host looks up outside any arena. */
const HOST_KEY_PTR = CONTROL_PTR + CONTROL_BYTES;
const SLOTS_PTR = HOST_KEY_PTR + 64;

/**
 * Bytes of a slot with its share of the index. The index has the power of two of cells that is at
 * least twice the slots, so that windows hardly ever fill; that is less than four cells a slot.
 */
export const SLOT_COST_BYTES = SLOT_BYTES + 4 * INDEX_CELL_BYTES;

/** Slots for each recipient with tables. Recipients that get a single message need a slot too. */
const SLOTS_PER_TABLES = 4;
/** Bytes of a recipient's tables with the recipient's share of the slots. */
export const TABLES_COST_BYTES = RECIPIENT_TABLES_BYTES + SLOTS_PER_TABLES * SLOT_COST_BYTES;

/**
 * Where things are in the memory of a Sealer: constants | control | a key | slots | index | tables
 * | arenas.
 */
export interface MemoryPlan {
  readonly slotCount: number;
  readonly slotsPtr: number;
  readonly indexPtr: number;
  readonly indexCells: number;
  /** Number of recipients whose tables have room. */
  readonly tablesCount: number;
  readonly tablesPtr: number;
  readonly arenaPtrs: readonly number[];
  readonly totalBytes: number;
}

const alignUp = (bytes: number, alignment: number): number =>
  Math.ceil(bytes / alignment) * alignment;

/**
 * Lays out `cacheBytes` of tables, slots and index, and as many arenas as are wanted. Too little
 * for tables is all slots.
 */
export function planMemory(cacheBytes: number, arenaCount: number): MemoryPlan {
  const tablesCount = Math.floor(cacheBytes / TABLES_COST_BYTES);
  const slotCount = Math.floor(
    (cacheBytes - tablesCount * RECIPIENT_TABLES_BYTES) / SLOT_COST_BYTES,
  );
  return layOutMemory(slotCount, tablesCount, arenaCount);
}

export function layOutMemory(
  slotCount: number,
  tablesCount: number,
  arenaCount: number,
): MemoryPlan {
  const indexCells = 2 ** Math.ceil(Math.log2(2 * slotCount));
  const indexPtr = alignUp(SLOTS_PTR + slotCount * SLOT_BYTES, 64);
  // An entry is two cache lines, and should not be three.
  const tablesPtr = alignUp(indexPtr + indexCells * INDEX_CELL_BYTES, TABLE_POINT_BYTES);
  const firstArenaPtr = alignUp(tablesPtr + tablesCount * RECIPIENT_TABLES_BYTES, 64);
  const arenaStride = alignUp(ARENA_BYTES, 64);
  return {
    slotCount,
    slotsPtr: SLOTS_PTR,
    indexPtr,
    indexCells,
    tablesCount,
    tablesPtr,
    arenaPtrs: Array.from({ length: arenaCount }, (_, i) => firstArenaPtr + i * arenaStride),
    totalBytes: firstArenaPtr + arenaCount * arenaStride,
  };
}

/** The control block: the identity that everything is sealed with, and where the slots are. */
export class ControlBlock {
  /** Address of a key for {@link setHostKey}. */
  static readonly HOST_KEY_PTR = HOST_KEY_PTR;

  readonly #bytes: Uint8Array;

  /**
   * `hashSeeds`: 64 random bytes, so that an attacker cannot choose keys that crowd one place of
   * the index.
   */
  constructor(memory: WebAssembly.Memory, plan: MemoryPlan, hashSeeds: Uint8Array) {
    if (hashSeeds.length !== HASH_SEEDS_BYTES)
      throw new RangeError(`hashSeeds must be ${HASH_SEEDS_BYTES} bytes`);
    this.#bytes = new Uint8Array(memory.buffer, CONTROL_PTR, SLOTS_PTR - CONTROL_PTR);
    this.#bytes.set(hashSeeds, CONTROL_HASH_SEEDS_OFFSET);
    const view = new DataView(memory.buffer, CONTROL_PTR, CONTROL_BYTES);
    view.setUint32(CONTROL_SLOTS_PTR_OFFSET, plan.slotsPtr, true);
    view.setUint32(CONTROL_INDEX_PTR_OFFSET, plan.indexPtr, true);
    view.setUint32(CONTROL_INDEX_MASK_OFFSET, plan.indexCells - 1, true);
  }

  /** Lays the identity where the workers read it: 32 bytes each, scalar and u-coordinate. */
  setIdentity(privateKey: Uint8Array, publicKey: Uint8Array): void {
    this.#bytes.set(privateKey, CONTROL_PRIVATE_KEY_OFFSET);
    this.#bytes.set(publicKey, CONTROL_PUBLIC_KEY_OFFSET);
  }

  /** A copy of the private key. The caller wipes it. */
  copyPrivateKey(): Uint8Array<ArrayBuffer> {
    return copySecret(
      this.#bytes.subarray(CONTROL_PRIVATE_KEY_OFFSET, CONTROL_PRIVATE_KEY_OFFSET + KEY_BYTES),
    );
  }

  /** The same in a worker, from the memory alone. */
  static copyPrivateKeyOf(memory: WebAssembly.Memory): Uint8Array<ArrayBuffer> {
    return copySecret(
      new Uint8Array(memory.buffer, CONTROL_PTR + CONTROL_PRIVATE_KEY_OFFSET, KEY_BYTES),
    );
  }

  setHostKey(key: Uint8Array): void {
    this.#bytes.set(key, HOST_KEY_PTR - CONTROL_PTR);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }
}
