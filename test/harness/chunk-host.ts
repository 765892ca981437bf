// One kernel with the memory of a Sealer, and chunks that the test lays, seals and reads by itself,
// on its own thread.
import { createHmac } from 'node:crypto';
import { CONTROL_COUNTER_OFFSET, CONTROL_PTR, RECIPIENT_TABLES_BYTES } from '#dist/assembly/abi.js';
import { Arena, layScalars } from '#dist/src/kernel/arena.js';
import { ControlBlock, layOutMemory, type MemoryPlan } from '#dist/src/kernel/control.js';
import { SlotTable } from '#dist/src/kernel/slot-table.js';
import { concatBytes, utf8, type Bytes } from '../reference/bytes.js';
import type { KeyPairBytes } from '../reference/envelope-v1.js';
import { DebugKernel } from './debug-kernel.js';
import type { KernelBuild } from './kernel-builds.js';
import { seededBytes } from './seeded-random.js';
import type { TablesExports } from './tables-bench.js';

export const CLOCK = 0x1122334455667788n;
const BUILD_SCRATCH_BYTES = 65536;

/** The scalar that the kernel makes of an entry's random bytes (assembly/envelope/v1.ts). */
export function hedgedScalar(
  sender: KeyPairBytes,
  randomness: Uint8Array,
  recipientKey: Uint8Array,
  counter: bigint,
): Bytes {
  const label = new Uint8Array(32);
  label.set(utf8('sealcast v1 ephemeral scalar'));
  const tail = new Uint8Array(16);
  new DataView(tail.buffer).setBigUint64(0, counter, true);
  new DataView(tail.buffer).setBigUint64(8, CLOCK, true);
  const message = concatBytes(label, randomness, recipientKey, tail);
  return new Uint8Array(createHmac('sha256', sender.privateKey).update(message).digest());
}

export class ChunkHost {
  readonly kernel: DebugKernel;
  readonly plan: MemoryPlan;
  readonly arenaPtr: number;
  readonly arena: Arena;
  readonly slots: SlotTable;
  /** A key and a secret that tests read and write by themselves, behind the arena. */
  readonly keyPtr: number;
  readonly secretPtr: number;

  constructor(
    build: KernelBuild,
    identity: KeyPairBytes,
    slotCount: number,
    tablesCount: number,
    kind: 'inner' | 'debug' = 'debug',
  ) {
    this.plan = layOutMemory(slotCount, tablesCount, 1);
    this.arenaPtr = this.plan.arenaPtrs[0] ?? 0;
    this.keyPtr = this.plan.totalBytes;
    this.secretPtr = this.keyPtr + 64;
    this.kernel = new DebugKernel(build, this.secretPtr + 64 + BUILD_SCRATCH_BYTES, kind);
    this.arena = new Arena(this.kernel.memory, this.arenaPtr, this.kernel.exports);
    this.slots = new SlotTable(this.kernel.memory, this.kernel.exports, this.plan);
    // Seeds that are the same in every run: what a scan of the memory meets is always the same too.
    const control = new ControlBlock(this.kernel.memory, this.plan, seededBytes('hash seeds')(64));
    control.setIdentity(identity.privateKey, identity.publicKey.subarray(1));
  }

  get counter(): bigint {
    return new DataView(this.kernel.memory.buffer).getBigUint64(
      CONTROL_PTR + CONTROL_COUNTER_OFFSET,
      true,
    );
  }

  /** Gives the chunk its random bytes, 32 an entry, and its clock. */
  layRandomness(randomness: Uint8Array): void {
    this.arena.setClock(CLOCK);
    layScalars(this.kernel.memory, this.arenaPtr, randomness);
  }

  statuses(): number[] {
    return Array.from({ length: this.arena.count }, (_, i) => this.arena.status(i));
  }

  tablesStates(): number[] {
    return Array.from({ length: this.arena.count }, (_, i) => this.arena.tablesState(i));
  }

  tablesPtr(place: number): number {
    return this.plan.tablesPtr + place * RECIPIENT_TABLES_BYTES;
  }

  tablesBytes(place: number): Bytes {
    return this.kernel.read(this.tablesPtr(place), RECIPIENT_TABLES_BYTES);
  }

  /** Builds a key's tables in a place, without a chunk, and leaves nothing else. */
  buildTables(key: Uint8Array, place: number): void {
    const exports = this.kernel.exports as TablesExports;
    const scratch = this.secretPtr + 64;
    this.kernel.write(this.keyPtr, key);
    const tables = this.tablesPtr(place);
    const built = exports.buildTablesX2(tables, tables, this.keyPtr, this.keyPtr, scratch);
    if (built !== 3) throw new Error('this key can have no tables');
    this.kernel.write(this.keyPtr, new Uint8Array(128 + BUILD_SCRATCH_BYTES));
  }

  /** The secret that a slot has of a key, or null. */
  secretOf(key: Uint8Array): Bytes | null {
    this.kernel.write(this.keyPtr, key);
    return this.kernel.exports.readSecret(this.secretPtr, this.keyPtr) === 1
      ? this.kernel.read(this.secretPtr, 32)
      : null;
  }
}
