// A kernel with its inner functions exported, at the release's settings
// (build/kernel/<kernel>.inner.wasm, compiled from assembly/testing.ts), on a memory of its own.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  bigIntToLittleEndian,
  concatBytes,
  equalBytes,
  littleEndianToBigInt,
} from '../../test/reference/bytes.js';
import { mul } from '../../test/reference/field.js';
import { builtFile } from '../../test/harness/built-file.js';
import { seededBytes } from '../../test/harness/seeded-random.js';
import { PACKAGE_ROOT } from '../report/environment.js';
import { repeatCalls, type Call } from './repeat-calls.js';

/**
 * Where the benchmark lays its things; everything in assembly/ that is public begins behind
 * CONTROL_PTR.
 */
export const AT = {
  f: 0x20000,
  g: 0x20400,
  out: 0x20800,
  x: 0x20c00,
  z: 0x21000,
  bytes: 0x21400,
  tableA: 0x30000,
  tableB: 0x40000,
  scalars: 0x50000,
  points: 0x54000,
  outs: 0x58000,
  pairs: 0x60000,
  messages: 0x80000,
  keys: 0xa0000,
  lanes: 0xa4000,
  state: 0xa8000,
  scratch: 0x200000,
  texts: 0x300000,
} as const;

/** Room between the messages of two lanes, and between two texts. */
export const MESSAGE_STRIDE = 0x8000;
/** Room between the keys, and between the results, of two lanes or texts. */
export const LANE_STRIDE = 0x200;
const MEMORY_BYTES = 0x400000;
const PAGE_BYTES = 65536;
const V8_MAJOR = Number.parseInt(process.versions.v8, 10);

type KernelFunction = (...args: number[]) => number | undefined;

export class InnerKernel {
  readonly name: string;
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly #bytes: Uint8Array;

  constructor(name: string, wasm: Uint8Array<ArrayBuffer>) {
    const memory = new WebAssembly.Memory({
      initial: MEMORY_BYTES / PAGE_BYTES,
      maximum: 65536,
      shared: true,
    });
    this.name = name;
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(wasm), {
      env: { memory },
    }).exports;
    this.#bytes = new Uint8Array(memory.buffer);
  }

  has(name: string): boolean {
    return typeof this.#exports[name] === 'function';
  }

  call(name: string, ...args: number[]): number | undefined {
    if (!this.has(name)) throw new Error(`kernel ${this.name} exports no ${name}`);
    return (this.#exports[name] as KernelFunction)(...args);
  }

  repeat(calls: readonly Call[]): (times: number) => void {
    return repeatCalls(this.#exports, calls);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at);
  }

  read(at: number, byteCount: number): Uint8Array {
    return this.#bytes.slice(at, at + byteCount);
  }

  /** Lays 32 little-endian bytes into each lane of the pair of elements at `at`. */
  writeElements(at: number, a: Uint8Array, b: Uint8Array): void {
    for (const [lane, value] of [a, b].entries()) {
      this.write(AT.bytes, value);
      this.call('decodeLane', at, lane, AT.bytes);
    }
  }

  /** The pair of elements at `at`, reduced: 64 bytes. */
  readElements(at: number): Uint8Array {
    for (const lane of [0, 1]) this.call('encodeLane', AT.bytes + 32 * lane, at, lane);
    return this.read(AT.bytes, 64);
  }

  /** The pair of quotients X / Z: 64 bytes. */
  readQuotients(x: number, z: number): Uint8Array {
    this.call('invertX2', AT.out, z, AT.scratch);
    this.call('mulX2', AT.out, AT.out, x);
    return this.readElements(AT.out);
  }
}

export interface InnerKernels {
  readonly kernels: readonly InnerKernel[];
  /** The one of them that sealcast picks by itself. */
  readonly picked: string;
  /** One line for each that this engine does not run. */
  readonly skipped: readonly string[];
}

/**
 * Fields of dist/kernel/manifest.json that the benchmark reads: kernels in the order in which they
 * are tried.
 */
interface ManifestEntry {
  readonly file: string;
  /** The major versions of V8 that the build is meant for; it works on all. */
  readonly v8?: { readonly from?: number; readonly below?: number };
}

/** Every kernel of the build that runs on this engine, named like its file. */
export function loadInnerKernels(): InnerKernels {
  const manifest = JSON.parse(
    readFileSync(join(PACKAGE_ROOT, 'dist/kernel/manifest.json'), 'utf8'),
  ) as ManifestEntry[];
  const kernels: InnerKernel[] = [];
  const skipped: string[] = [];
  let picked: string | undefined;
  for (const { file, v8 } of manifest) {
    const name = basename(file, '.wasm');
    const wasm = new Uint8Array(readFileSync(builtFile(`kernel/${name}.inner.wasm`)));
    const kernel = WebAssembly.validate(wasm) ? new InnerKernel(name, wasm) : null;
    if (kernel === null)
      skipped.push(`kernel ${name} skipped: this engine lacks instructions that it uses`);
    else if (!multipliesRight(kernel))
      skipped.push(`kernel ${name} skipped: it computes wrong products on this engine`);
    else {
      kernels.push(kernel);
      if (V8_MAJOR >= (v8?.from ?? 0) && V8_MAJOR < (v8?.below ?? Infinity)) picked ??= name;
    }
  }
  return { kernels, picked: picked ?? '', skipped };
}

/** An engine may accept relaxed multiply-add and not fuse it. */
function multipliesRight(kernel: InnerKernel): boolean {
  const random = seededBytes('bench/products');
  // Below 2^248, and so below p.
  const [f, g] = [0, 1].map(() => [0, 1].map(() => littleEndianToBigInt(random(31)))) as [
    bigint[],
    bigint[],
  ];
  const bytes = (value: bigint | undefined): Uint8Array => bigIntToLittleEndian(value ?? 0n, 32);
  kernel.writeElements(AT.f, bytes(f[0]), bytes(f[1]));
  kernel.writeElements(AT.g, bytes(g[0]), bytes(g[1]));
  kernel.call('mulX2', AT.out, AT.f, AT.g);
  const products = f.map((value, lane) => bytes(mul(value, g[lane] ?? 0n)));
  return equalBytes(kernel.readElements(AT.out), concatBytes(...products));
}
