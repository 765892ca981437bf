import type { KernelName } from 'sealcast/kernel';
import type { KernelExports } from '#dist/src/kernel/instance.js';
import { kernelBuilds, readBuild, type KernelBuild } from './kernel-builds.js';

/** What assembly/testing.ts exports besides the kernel's own exports. */
export interface DebugExports extends KernelExports {
  mulX2(out: number, f: number, g: number): void;
  mulLooseX2(out: number, f: number, g: number): void;
  squareX2(out: number, f: number): void;
  squareLooseX2(out: number, f: number): void;
  addX2(out: number, f: number, g: number): void;
  subX2(out: number, f: number, g: number): void;
  addMulSmallX2(out: number, f: number, g: number, c: number): void;
  carryX2(out: number, f: number): void;
  addSubByBitsX2(
    sum: number,
    difference: number,
    f: number,
    g: number,
    bitA: number,
    bitB: number,
  ): void;
  negateByBitsX2(out: number, f: number, bitA: number, bitB: number): void;
  storeTableElement(words: number, pair: number, lane: number): void;
  lookUpPointX2(
    out: number,
    tableA: number,
    tableB: number,
    entryCount: number,
    indexA: number,
    indexB: number,
    scratch: number,
  ): void;
  invertX2(out: number, f: number, scratch: number): void;
  powerP58X2(out: number, f: number, scratch: number): void;
  swapByBitsX2(f: number, g: number, bitA: number, bitB: number): void;
  selectByBitsX2(out: number, f: number, g: number, bitA: number, bitB: number): void;
  decodeLane(pair: number, lane: number, bytes: number): void;
  encodeLane(bytes: number, pair: number, lane: number): void;
  substituteBytes(begin: number, end: number): void;
  transposeBlocks(state: number): void;
  layKey(roundKeys: number, block: number, key: number): void;
  expandKeys(roundKeys: number, scratch: number): void;
  encryptSliced(state: number, input: number, roundKeys: number): void;
  setText(texts: number, index: number, key: number, data: number, dataBytes: number): void;
  ctrBatch(texts: number, textCount: number, counterBlock: number, scratch: number): void;
  setLane(
    lanes: number,
    lane: number,
    key: number,
    message: number,
    messageBytes: number,
    out: number,
  ): void;
  hmacX4(lanes: number, scratch: number): void;
  hmacKeysX4(lanes: number, scratch: number): void;
  hmacMessagesX4(lanes: number, scratch: number): void;
  hkdf96X4(lanes: number, saltBytes: number, scratch: number): void;
  macsEqual(a: number, b: number): number;
  readSecret(out: number, key: number): number;
  storeSecret(key: number, secret: number): void;
}

const modules = new Map<string, WebAssembly.Module>();

/** A build once compiled serves every instance. */
function moduleOf(build: KernelBuild, kind: 'inner' | 'debug'): WebAssembly.Module {
  const key = `${build.file} ${kind}`;
  const module = modules.get(key) ?? new WebAssembly.Module(readBuild(build, kind));
  modules.set(key, module);
  return module;
}

const [firstBuild] = kernelBuilds;

/**
 * A kernel with its inner functions: the debug build, which traps on every bound that the release
 * build has only proven, or with `inner` the release's code.
 */
export class DebugKernel {
  readonly name: KernelName;
  /** The build's file and kind, for titles. */
  readonly title: string;
  readonly memory: WebAssembly.Memory;
  readonly exports: DebugExports;

  constructor(
    build = firstBuild,
    memoryBytes = 4 * 1024 * 1024,
    kind: 'inner' | 'debug' = 'debug',
  ) {
    if (build === undefined) throw new Error('no kernel runs here');
    this.name = build.name;
    this.title = `${build.file}, ${kind}`;
    this.memory = new WebAssembly.Memory({
      initial: Math.ceil(memoryBytes / 65536),
      maximum: 65536,
      shared: true,
    });
    this.exports = new WebAssembly.Instance(moduleOf(build, kind), { env: { memory: this.memory } })
      .exports as unknown as DebugExports;
  }

  write(ptr: number, bytes: Uint8Array): void {
    new Uint8Array(this.memory.buffer).set(bytes, ptr);
  }
  read(ptr: number, byteCount: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer).slice(ptr, ptr + byteCount);
  }
}

/** The debug build of every kernel that runs here, for `describe.each`: its title is `$title`. */
export const debugKernels = (): DebugKernel[] =>
  kernelBuilds.map((build) => new DebugKernel(build));
/** The release's code of every kernel build, likewise. */
export const innerKernels = (): DebugKernel[] =>
  kernelBuilds.map((build) => new DebugKernel(build, undefined, 'inner'));
