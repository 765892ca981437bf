import { randomBytes } from 'node:crypto';
import { CONTROL_HASH_SEEDS_OFFSET, CONTROL_SLOTS_PTR_OFFSET } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import { Arena } from '../kernel/arena.js';
import { ControlBlock, planMemory, type MemoryPlan } from '../kernel/control.js';
import { createMemory, instantiate } from '../kernel/instance.js';
import { selectKernel } from '../kernel/select.js';
import { SlotTable } from '../kernel/slot-table.js';
import type { AbortWatch } from '../util/abort-watch.js';
import type { EngineOptions } from './types.js';
import type { WorkerStart } from './jobs.js';
import { Scheduler, abortedError, closedError } from './scheduler.js';
import { Recipients } from './recipient-cache/cache.js';
import { Turns, forEachInTurns } from './turns.js';
import { Workers } from './workers.js';

/**
 * While a worker processes one chunk, the next one waits in an arena; see Scheduler for the arena
 * that stays free.
 */
const arenasFor = (threads: number): number => 2 * threads + 1;
/** While arguments are being checked, an abort or a close is noticed within as many entries. */
const ENTRIES_PER_LOOK = 256;
const HASH_SEEDS_BYTES = CONTROL_SLOTS_PTR_OFFSET - CONTROL_HASH_SEEDS_OFFSET;

interface EngineParts {
  readonly kernel: string;
  readonly threads: number;
  readonly scheduler: Scheduler;
  readonly control: ControlBlock;
  readonly table: SlotTable;
  readonly plan: MemoryPlan;
  readonly maxQueue: number;
}

/** Kernel, memory, slots, workers and scheduler of one Sealer. */
export class Engine {
  readonly kernel: string;
  readonly threads: number;
  readonly scheduler: Scheduler;
  readonly recipients: Recipients;
  readonly control: ControlBlock;
  /** Jobs for this thread. */
  readonly turns = new Turns();
  readonly aborts: AbortWatch;
  readonly #table: SlotTable;
  readonly #maxQueue: number;
  /** Entries of calls whose arguments are still being checked. */
  #entering = 0;
  #closing: Promise<void> | undefined;

  private constructor({ kernel, threads, scheduler, control, table, plan, maxQueue }: EngineParts) {
    this.kernel = kernel;
    this.threads = threads;
    this.scheduler = scheduler;
    this.aborts = scheduler.aborts;
    this.recipients = new Recipients(table, plan);
    this.control = control;
    this.#table = table;
    this.#maxQueue = maxQueue;
  }

  /** Moves the options' private key into the memory and always wipes the original. */
  static async create(options: EngineOptions): Promise<Engine> {
    const { privateKey, publicKey, threads, recipientCacheBytes, maxQueue } = options;
    try {
      const { name, module, primitives } = await selectKernel(options.kernel);
      if (Buffer.compare(primitives.x25519Base(privateKey), publicKey) !== 0) {
        throw new SealcastError(
          'ERR_INVALID_ARGUMENT',
          'identityKeyPair.publicKey is not that of its privateKey',
          {
            field: 'identityKeyPair.publicKey',
          },
        );
      }
      const plan = planMemory(recipientCacheBytes, arenasFor(threads));
      const memory = reserveMemory(plan.totalBytes);
      const exports = instantiate(module, memory);
      const table = new SlotTable(memory, exports, plan);
      const control = new ControlBlock(memory, plan, randomBytes(HASH_SEEDS_BYTES));
      const arenas = plan.arenaPtrs.map((ptr) => new Arena(memory, ptr, exports));
      const scheduler = new Scheduler(startWorkers({ module, memory }, threads), arenas, threads);
      // Last, when nothing can fail any more: no key stays in a memory that no owner will wipe.
      control.setIdentity(privateKey, publicKey);
      return new Engine({ kernel: name, threads, scheduler, control, table, plan, maxQueue });
    } finally {
      privateKey.fill(0);
    }
  }

  /** Entries that wait: to be checked, for a worker, or for this thread. */
  get queueLength(): number {
    return this.#entering + this.scheduler.queueLength + this.turns.length;
  }

  /**
   * Checks the arguments of a call, entry by entry, in turns of the event loop; meanwhile they
   * count as waiting. A call is let in while fewer entries wait than may, however many it brings:
   * one of any size works.
   *
   * @returns nothing when that is done already, or a promise of it.
   * @throws SealcastError ERR_ABORTED, ERR_QUEUE_FULL, and what `check` throws.
   */
  enter(
    entryCount: number,
    signal: AbortSignal | undefined,
    check: (index: number) => void,
  ): Promise<void> | undefined {
    const checkOpen = (): void => {
      if (signal?.aborted === true) throw abortedError(signal);
      if (this.#closing !== undefined) throw closedError();
    };
    checkOpen();
    if (entryCount > 0 && this.queueLength >= this.#maxQueue) {
      const message = `${this.queueLength} entries wait already (maxQueue ${this.#maxQueue}); await some first`;
      throw new SealcastError('ERR_QUEUE_FULL', message);
    }
    const rest = forEachInTurns(entryCount, (index) => {
      if (index % ENTRIES_PER_LOOK === 0) checkOpen();
      check(index);
    });
    if (rest === undefined) return undefined;
    this.#entering += entryCount;
    return rest.finally(() => {
      this.#entering -= entryCount;
    });
  }

  /** Gives the party a slot, if it can have one; its next envelope fills it. */
  admit(key: Uint8Array): void {
    // Verdicts of libsignal's may come late: nothing is laid into a memory that was wiped.
    if (this.#closing !== undefined) return;
    this.control.setHostKey(key);
    this.recipients.slots.touch(ControlBlock.HOST_KEY_PTR, key);
  }

  /** Ends the scheduler, then leaves zeros wherever secrets were. */
  close(): Promise<void> {
    this.#closing ??= this.scheduler.close().then(() => {
      const { slots, tables } = this.recipients;
      this.#table.wipe(slots.used, tables.used);
      this.control.wipe();
    });
    return this.#closing;
  }
}

function startWorkers(start: WorkerStart, threads: number): Workers {
  try {
    return new Workers(start, threads);
  } catch (cause) {
    throw new SealcastError('ERR_WORKER_LOST', `could not start ${threads} worker threads`, {
      cause,
    });
  }
}

function reserveMemory(bytes: number): WebAssembly.Memory {
  try {
    // It never grows.
    return createMemory(bytes, bytes);
  } catch (cause) {
    throw new SealcastError(
      'ERR_OUT_OF_MEMORY',
      `could not reserve ${bytes} bytes of shared memory`,
      { cause },
    );
  }
}
