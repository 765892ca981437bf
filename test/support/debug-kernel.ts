import { readFileSync } from 'node:fs';
import type { KernelExports } from '#dist/src/kernel/instance.js';
import { reduce } from '../reference/field.js';
import { builtFile } from './built-file.js';

/** What assembly/testing.ts exports besides the kernel's own exports. */
export interface DebugExports extends KernelExports {
  mulX2(out: number, f: number, g: number): void;
  squareX2(out: number, f: number): void;
  addX2(out: number, f: number, g: number): void;
  subX2(out: number, f: number, g: number): void;
  addMulSmallX2(out: number, f: number, g: number, c: number): void;
  carryX2(out: number, f: number): void;
  lookUpX2(out: number, table: number, stride: number, entryCount: number, indexA: number, indexB: number): void;
  invertX2(out: number, f: number, scratch: number): void;
  swapByBitsX2(f: number, g: number, bitA: number, bitB: number): void;
  selectByBitsX2(out: number, f: number, g: number, bitA: number, bitB: number): void;
  decodeLane(pair: number, lane: number, bytes: number): void;
  encodeLane(bytes: number, pair: number, lane: number): void;
  substituteBytes(state: number): void;
  setLane(lanes: number, lane: number, key: number, message: number, messageBytes: number, out: number): void;
  hmacX4(lanes: number, scratch: number): void;
  hkdf96X4(lanes: number, saltBytes: number, scratch: number): void;
  macsEqual(a: number, b: number): number;
  readSecret(out: number, key: number): number;
  storeSecret(key: number, secret: number): void;
}

/** The debug build of the `int` kernel, which traps on every bound that the release build has only proven. */
export class DebugKernel {
  readonly memory: WebAssembly.Memory;
  readonly exports: DebugExports;

  constructor(memoryBytes = 4 * 1024 * 1024) {
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(memoryBytes / 65536), maximum: 65536, shared: true });
    const module = new WebAssembly.Module(new Uint8Array(readFileSync(builtFile('kernel/int.debug.wasm'))));
    this.exports = new WebAssembly.Instance(module, { env: { memory: this.memory } })
      .exports as unknown as DebugExports;
  }

  write(ptr: number, bytes: Uint8Array): void {
    new Uint8Array(this.memory.buffer).set(bytes, ptr);
  }
  read(ptr: number, byteCount: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer).slice(ptr, ptr + byteCount);
  }
}

/** Limb i of an element, as the `int` field lays a pair of elements out (assembly/field/int.ts). */
const limbAt = (pair: number, lane: number, i: number): number => pair + (i >> 1) * 16 + (i & 1) * 8 + lane * 4;

export function writeLimbs(kernel: DebugKernel, pair: number, lane: number, limbs: readonly bigint[]): void {
  const view = new DataView(kernel.memory.buffer);
  limbs.forEach((limb, i) => view.setUint32(limbAt(pair, lane, i), Number(limb), true));
}

export function readLimbs(kernel: DebugKernel, pair: number, lane: number): bigint[] {
  const view = new DataView(kernel.memory.buffer);
  return Array.from({ length: 10 }, (_, i) => BigInt(view.getUint32(limbAt(pair, lane, i), true)));
}

export function valueOfLimbs(limbs: readonly bigint[]): bigint {
  return reduce(limbs.reduce((sum, limb, i) => sum + (limb << BigInt(Math.ceil(25.5 * i))), 0n));
}
