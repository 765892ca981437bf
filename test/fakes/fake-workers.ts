import { expect } from 'vitest';
import { STATUS_OK } from '#dist/assembly/abi.js';
import { ARENA_BYTES, type Arena } from '#dist/src/kernel/arena.js';
import { createMemory } from '#dist/src/kernel/instance.js';
import type { KernelBatch } from '#dist/src/engine/scheduler.js';
import { seededBytes, seededInteger } from '../harness/seeded-random.js';

export const ARENAS = 4;
export const memory = createMemory(ARENAS * ARENA_BYTES);

/**
 * Workers that do nothing to a chunk but mark it as done, or die of it, in an order that a seed
 * decides.
 */
export class FakeWorkers {
  readonly random = seededBytes('fake-workers');
  readonly arenas: Arena[] = [];
  readonly waiting: (() => void)[] = [];
  /** Entries of each chunk that was run. */
  readonly chunks: number[] = [];
  /** Entries of each chunk that was lost, or failed as a whole. */
  readonly dropped: number[] = [];
  lossesLeft = 0;
  faultsLeft = 0;

  run({ arenaPtr }: { arenaPtr: number }): Promise<string | null> {
    const arena = this.arenas.find(({ ptr }) => ptr === arenaPtr);
    if (arena === undefined) throw new Error('no such arena');
    this.chunks.push(arena.count);
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        const isLost = this.lossesLeft-- > 0;
        const isFaulty = !isLost && this.faultsLeft-- > 0;
        if (isLost || isFaulty) this.dropped.push(arena.count);
        if (isLost) reject(new Error('a worker died'));
        else if (isFaulty) resolve('unreachable');
        else {
          for (let place = 0; place < arena.count; place++) setStatus(arena, place);
          resolve(null);
        }
      });
      setImmediate(() =>
        this.waiting.splice(seededInteger(this.random, this.waiting.length), 1)[0]?.(),
      );
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function setStatus(arena: Arena, place: number): void {
  const keyOffset = 32;
  new DataView(memory.buffer).setUint32(arena.keyPtr(place) - keyOffset, STATUS_OK, true);
}

/** Counts what happens to each entry. */
export class CountingBatch implements KernelBatch {
  readonly kind = 'prepare';
  readonly collected: number[];
  readonly failed: number[];
  readonly filled: number[] = [];

  constructor(
    readonly count: number,
    readonly isSkipped: (index: number) => boolean = () => false,
  ) {
    this.collected = new Array<number>(count).fill(0);
    this.failed = new Array<number>(count).fill(0);
  }

  fill(arena: Arena, index: number): 'added' | 'skipped' | 'full' {
    if (this.isSkipped(index)) {
      this.filled.push(index);
      return 'skipped';
    }
    const key = new Uint8Array(32);
    new DataView(key.buffer).setUint32(0, index);
    if (!arena.addKey(key)) return 'full';
    this.filled.push(index);
    return 'added';
  }

  collect(arena: Arena, place: number, index: number): void {
    expect(arena.status(place)).toBe(STATUS_OK);
    expect(new DataView(memory.buffer).getUint32(arena.keyPtr(place))).toBe(index);
    this.collected[index] = (this.collected[index] ?? 0) + 1;
  }

  fail(index: number): void {
    this.failed[index] = (this.failed[index] ?? 0) + 1;
  }
}
