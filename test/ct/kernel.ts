// A kernel with its inner functions, at the release's compile settings, on a memory that is laid
// out for timing.

/**
 * What is timed of a kernel: some of what assembly/testing.ts exports. Addresses and lengths are
 * bytes.
 */
export interface TimedExports {
  readonly ladderX2: (
    outX: number,
    outZ: number,
    scalarA: number,
    scalarB: number,
    uA: number,
    uB: number,
    scratch: number,
  ) => void;
  readonly fixedBaseX2: (
    outX: number,
    outZ: number,
    scalarA: number,
    scalarB: number,
    scratch: number,
  ) => void;
  readonly buildTablesX2: (
    tablesA: number,
    tablesB: number,
    uA: number,
    uB: number,
    scratch: number,
  ) => number;
  readonly multiplyByTablesX2: (
    outX: number,
    outZ: number,
    scalarA: number,
    scalarB: number,
    tablesA: number,
    tablesB: number,
    scratch: number,
  ) => void;
  readonly x25519Batch: (
    list: number,
    count: number,
    scalars: number,
    scalarStride: number,
    points: number,
    pointStride: number,
    outs: number,
    outStride: number,
    how: number,
    pairs: number,
    scratch: number,
  ) => void;
  readonly macsEqual: (a: number, b: number) => number;
  readonly aes256Ctr: (
    data: number,
    dataBytes: number,
    key: number,
    counterBlock: number,
    scratch: number,
  ) => void;
  readonly hmac: (
    out: number,
    key: number,
    keyBytes: number,
    message: number,
    messageBytes: number,
    pads: number,
    scratch: number,
  ) => void;
  readonly setLane: (
    lanes: number,
    lane: number,
    key: number,
    message: number,
    messageBytes: number,
    out: number,
  ) => void;
  readonly hkdf96X4: (lanes: number, saltBytes: number, scratch: number) => void;
}

// The memory, behind the module's constants, which end below 64 KiB.
const KIB = 1024;
/** What the class of a sample decides, always at this place. */
export const INPUT_PTR = 64 * KIB;
export const MAX_INPUT_BYTES = 64 * KIB;
/** Public inputs that differ from sample to sample, whatever their class: points, tables. */
export const PUBLIC_PTR = 128 * KIB;
export const MAX_PUBLIC_BYTES = 32 * KIB;
/** What stays as it is. */
export const FIXED_PTR = PUBLIC_PTR + MAX_PUBLIC_BYTES;
export const OUT_PTR = 192 * KIB;
/** More than any routine wants. */
export const SCRATCH_PTR = 256 * KIB;
/**
 * Where inputs of many samples wait, one after the other, until each is copied to its place before
 * its turn.
 */
export const PUBLIC_POOL_PTR = 1024 * KIB;
export const PUBLIC_POOL_BYTES = 1024 * KIB;
export const INPUT_POOL_PTR = 2048 * KIB;
export const INPUT_POOL_BYTES = 2048 * KIB;
const MEMORY_BYTES = INPUT_POOL_PTR + INPUT_POOL_BYTES;

const PAGE_BYTES = 65536;

export class TimedKernel {
  readonly exports: TimedExports;
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(module: Uint8Array<ArrayBuffer>) {
    const memory = new WebAssembly.Memory({
      initial: MEMORY_BYTES / PAGE_BYTES,
      maximum: 65536,
      shared: true,
    });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
    this.exports = instance.exports as unknown as TimedExports;
    this.bytes = new Uint8Array(memory.buffer);
  }

  write(ptr: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, ptr);
  }
  writeWord(ptr: number, word: number): void {
    new DataView(this.bytes.buffer).setUint32(ptr, word, true);
  }
}
