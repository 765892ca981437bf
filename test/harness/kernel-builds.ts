import { readFileSync } from 'node:fs';
import type { KernelName } from 'sealcast/kernel';
import { createMemory, instantiate, type KernelExports } from '#dist/src/kernel/instance.js';
import { PRIMITIVES_MEMORY_BYTES, Primitives } from '#dist/src/kernel/primitives.js';
import { builtFile } from './built-file.js';
import { relaxedSimd } from './relaxed-simd.js';

/** A kernel that build.mjs built. */
export interface KernelBuild {
  readonly name: KernelName;
  /** Its file in dist/kernel. */
  readonly file: string;
}

const manifest = JSON.parse(
  readFileSync(builtFile('../dist/kernel/manifest.json'), 'utf8'),
) as readonly KernelBuild[];

/**
 * What this engine must be able to run; told by a probe of the tests' own, not by the code that is
 * tested.
 */
const runsHere = (name: KernelName): boolean => name === 'int' || relaxedSimd === 'fused';
/** Under Node 20's flag the tests run a second time: for fma, which needs it. */
const isSecondRun = process.execArgv.includes('--experimental-wasm-relaxed-simd');

/** All builds, this engine's or not. */
export const allBuilds: readonly KernelBuild[] = manifest;
/** The builds that are to be tested here. */
export const kernelBuilds = manifest.filter(
  ({ name }) => runsHere(name) && !(isSecondRun && name === 'int'),
);
/** The kernels that are to be tested here, by name, the one that `auto` takes first. */
export const kernelNames: readonly KernelName[] = [
  ...new Set(kernelBuilds.map(({ name }) => name)),
];

/**
 * Bytes of a build: `release` is shipped; `inner` has the inner functions too, at the release's
 * settings; `debug` has them and traps on every bound that the release has only proven.
 */
export function readBuild(
  { file }: KernelBuild,
  kind: 'release' | 'inner' | 'debug',
): Uint8Array<ArrayBuffer> {
  const path =
    kind === 'release'
      ? `../dist/kernel/${file}`
      : `kernel/${file.replace(/\.wasm$/, `.${kind}.wasm`)}`;
  return new Uint8Array(readFileSync(builtFile(path)));
}

/** What the declarations leave out of {@link Primitives}: it is the package's own to make. */
type PrimitivesClass = new (
  name: string,
  exports: KernelExports,
  memory: WebAssembly.Memory,
) => Primitives;

/** The primitives of a module's bytes, past the choice between kernels. */
export function primitivesOf(name: KernelName, bytes: Uint8Array<ArrayBuffer>): Primitives {
  const memory = createMemory(PRIMITIVES_MEMORY_BYTES);
  const exports = instantiate(new WebAssembly.Module(bytes), memory);
  return new (Primitives as unknown as PrimitivesClass)(name, exports, memory);
}

/** The primitives of one build, whichever build this engine would choose. */
export const openPrimitives = (build: KernelBuild): Primitives =>
  primitivesOf(build.name, readBuild(build, 'release'));
