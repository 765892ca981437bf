import { randomBytes } from 'node:crypto';
import { CONTROL_HASH_SEEDS_OFFSET, CONTROL_SLOTS_PTR_OFFSET } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import { Arena } from '../kernel/arena.js';
import { ControlBlock, SLOT_COST_BYTES, planMemory } from '../kernel/control.js';
import { createMemory, instantiate } from '../kernel/instance.js';
import { selectKernel } from '../kernel/select.js';
import { SlotTable } from '../kernel/slot-table.js';
import type { EngineOptions } from './engine-options.js';
import { Pool } from './pool.js';
import { RecipientSlots } from './recipient-slots.js';
import { Workers } from './workers.js';

/** While a worker has one chunk in hand, the next one lies ready. */
const ARENAS_PER_THREAD = 2;
const HASH_SEEDS_BYTES = CONTROL_SLOTS_PTR_OFFSET - CONTROL_HASH_SEEDS_OFFSET;

/** Kernel, memory, slots, workers and pool of one Sealer. */
export class Engine {
  readonly kernel: string;
  readonly pool: Pool;
  readonly slots: RecipientSlots;
  readonly control: ControlBlock;
  readonly #table: SlotTable;
  #closing: Promise<void> | undefined;

  private constructor(kernel: string, pool: Pool, slots: RecipientSlots, control: ControlBlock, table: SlotTable) {
    this.kernel = kernel;
    this.pool = pool;
    this.slots = slots;
    this.control = control;
    this.#table = table;
  }

  /** Takes the options' private key over into the memory, and wipes it where it came from, whatever happens. */
  static async create(options: EngineOptions): Promise<Engine> {
    const { privateKey, publicKey, threads, recipientCacheBytes, maxQueue } = options;
    try {
      const { name, module, primitives } = await selectKernel(options.kernel);
      if (Buffer.compare(primitives.x25519Base(privateKey), publicKey) !== 0) {
        throw new SealcastError('ERR_INVALID_ARGUMENT', 'identityKeyPair.publicKey is not that of its privateKey', {
          field: 'identityKeyPair.publicKey',
        });
      }
      const plan = planMemory(recipientCacheBytes, threads * ARENAS_PER_THREAD);
      const memory = reserveMemory(plan.totalBytes);
      const exports = instantiate(module, memory);
      const control = new ControlBlock(memory, plan, randomBytes(HASH_SEEDS_BYTES));
      control.setIdentity(privateKey, publicKey);
      const table = new SlotTable(memory, exports, plan);
      const arenas = plan.arenaPtrs.map((ptr) => new Arena(memory, ptr));
      const pool = new Pool(new Workers({ module, memory }, threads), arenas, threads, maxQueue);
      return new Engine(name, pool, new RecipientSlots(table), control, table);
    } finally {
      privateKey.fill(0);
    }
  }

  /** Bytes of the recipient cache that are in use. */
  get cachedBytes(): number {
    return this.slots.size * SLOT_COST_BYTES;
  }

  /** Gives the party a slot, if it can have one; its next envelope fills it. */
  admit(key: Uint8Array): void {
    this.control.setHostKey(key);
    this.slots.touch(ControlBlock.HOST_KEY_PTR, key);
  }

  /** Ends the pool, then leaves zeros wherever secrets were. */
  close(): Promise<void> {
    this.#closing ??= this.pool.close().then(() => {
      this.#table.wipe(this.slots.used);
      this.control.wipe();
    });
    return this.#closing;
  }
}

function reserveMemory(bytes: number): WebAssembly.Memory {
  try {
    return createMemory(bytes);
  } catch (cause) {
    throw new SealcastError('ERR_OUT_OF_MEMORY', `could not reserve ${bytes} bytes of shared memory`, { cause });
  }
}
