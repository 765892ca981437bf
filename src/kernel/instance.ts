/**
 * Exports of a kernel (assembly/index.ts). Addresses and lengths are bytes; a list of 0 means all
 * entries.
 */
export interface KernelExports {
  x25519Batch(
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
  ): void;
  sha256(out: number, message: number, messageBytes: number, scratch: number): void;
  hmac(
    out: number,
    key: number,
    keyBytes: number,
    message: number,
    messageBytes: number,
    pads: number,
    scratch: number,
  ): void;
  hkdf(
    out: number,
    outBytes: number,
    salt: number,
    saltBytes: number,
    ikm: number,
    ikmBytes: number,
    info: number,
    infoBytes: number,
    scratch: number,
  ): void;
  aes256Ctr(
    data: number,
    dataBytes: number,
    key: number,
    counterBlock: number,
    scratch: number,
  ): void;
  /** The slot of the u-coordinate at `key`, or NO_SLOT. */
  findSlot(key: number): number;
  indexSlot(slot: number): number;
  unindexSlot(slot: number): void;
  /** Zeros. */
  clear(ptr: number, bytes: number): void;
  prepareSlots(arena: number): void;
  sealV1(arena: number): void;
  unsealV1(arena: number): void;
}

const PAGE_BYTES = 65536;
/** Maximum of memory that the modules declare: 4 GiB, all that 32-bit addresses reach. */
const MAX_PAGES = 65536;
export const MAX_MEMORY_BYTES = PAGE_BYTES * MAX_PAGES;

/**
 * Shared memory for a kernel and its workers, zeroed, of at least `bytes`. The operating system
 * gives pages as they are touched, so what is only reserved costs nothing.
 *
 * @param maxBytes what it may grow to; addresses are reserved for as much, which counts where they
 *   are limited.
 * @throws RangeError when the process cannot reserve that much.
 */
export function createMemory(bytes: number, maxBytes = MAX_MEMORY_BYTES): WebAssembly.Memory {
  const [initial, maximum] = [Math.ceil(bytes / PAGE_BYTES), Math.ceil(maxBytes / PAGE_BYTES)];
  return new WebAssembly.Memory({ initial, maximum, shared: true });
}

/**
 * Compiles a kernel; the module can be handed to any thread of the process, and keeps its optimized
 * code.
 */
export function compileModule(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bytes);
}

/** Whether this engine accepts the kernel's instructions. */
export function isSupported(bytes: Uint8Array<ArrayBuffer>): boolean {
  // Engines without a compiler (--jitless) leave the name out altogether.
  return typeof WebAssembly !== 'undefined' && WebAssembly.validate(bytes);
}

/**
 * Runs a compiled kernel on a memory. All its mutable state is in the memory, where the host lays
 * it out.
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
}
