import { readFile } from 'node:fs/promises';
import { SealcastError } from '../errors.js';
import type { KernelChoice, KernelName } from './choice.js';
import { compileModule, createMemory, instantiate, isSupported } from './instance.js';
import { PRIMITIVES_MEMORY_BYTES, Primitives } from './primitives.js';
import { findKernelFault } from './self-test.js';

/** A kernel that this engine runs, compiled and tested. */
export interface SelectedKernel {
  readonly name: KernelName;
  readonly module: WebAssembly.Module;
  /** Its primitives, on a small memory that is wiped after every call. */
  readonly primitives: Primitives;
}

/**
 * One line of dist/kernel/manifest.json. build.mjs writes the lines in the order in which kernels
 * are to be tried.
 */
interface ManifestEntry {
  readonly name: KernelName;
  readonly file: string;
}

const KERNEL_DIRECTORY = new URL('../../kernel/', import.meta.url);

const REQUIREMENTS: Readonly<Record<KernelName, string>> = {
  fma: 'relaxed WebAssembly SIMD and threads',
  int: 'WebAssembly SIMD (128-bit) and threads',
};

/** A kernel, or why this engine does not run it. */
type Candidate = SelectedKernel | { readonly name: KernelName; readonly reason: string };

let manifestOnce: Promise<readonly ManifestEntry[]> | undefined;
const candidates = new Map<KernelName, Promise<Candidate>>();

function readManifest(): Promise<readonly ManifestEntry[]> {
  manifestOnce ??= readFile(new URL('manifest.json', KERNEL_DIRECTORY), 'utf8').then(
    (text) => JSON.parse(text) as readonly ManifestEntry[],
  );
  manifestOnce.catch(() => (manifestOnce = undefined));
  return manifestOnce;
}

async function loadCandidate({ name, file }: ManifestEntry): Promise<Candidate> {
  const bytes = new Uint8Array(await readFile(new URL(file, KERNEL_DIRECTORY)));
  if (!isSupported(bytes)) return { name, reason: `this engine lacks ${REQUIREMENTS[name]}` };
  const module = await compileModule(bytes);
  const memory = createMemory(PRIMITIVES_MEMORY_BYTES);
  const primitives = new Primitives(name, instantiate(module, memory), memory);
  const fault = findKernelFault(primitives);
  return fault === null
    ? { name, module, primitives }
    : { name, reason: `on this engine it fails its self-test: ${fault}` };
}

/** Once a process: compiling and testing a kernel again would tell nothing new. */
function candidate(entry: ManifestEntry): Promise<Candidate> {
  let loading = candidates.get(entry.name);
  if (loading === undefined) {
    loading = loadCandidate(entry);
    candidates.set(entry.name, loading);
    // A load that failed for want of a file descriptor or of memory may succeed the next time.
    loading.catch(() => candidates.delete(entry.name));
  }
  return loading;
}

/**
 * The kernel that `choice` names, or with `auto` the first that this engine runs: it must validate,
 * and then pass a known-answer test (relaxed SIMD may legally give other results than the kernel
 * wants).
 *
 * @throws SealcastError ERR_KERNEL_UNSUPPORTED, naming what is missing, when the chosen kernel does
 *   not run here, or none; ERR_OUT_OF_MEMORY when there is no address space for it;
 *   ERR_KERNEL_FAULT when its files cannot be read.
 */
export async function selectKernel(choice: KernelChoice): Promise<SelectedKernel> {
  try {
    return await firstSupported(choice);
  } catch (cause) {
    if (cause instanceof SealcastError) throw cause;
    if (cause instanceof RangeError) {
      // V8 reserves gigabytes of addresses for a memory, however small, so that it need not check
      // bounds.
      const message =
        'no address space for a WebAssembly memory: raise the limit, or run Node with --disable-wasm-trap-handler';
      throw new SealcastError('ERR_OUT_OF_MEMORY', message, { cause });
    }
    throw new SealcastError('ERR_KERNEL_FAULT', 'the kernel could not be loaded', { cause });
  }
}

async function firstSupported(choice: KernelChoice): Promise<SelectedKernel> {
  const manifest = await readManifest();
  const wanted = choice === 'auto' ? manifest : manifest.filter(({ name }) => name === choice);
  const reasons: string[] = [];
  for (const entry of wanted) {
    const result = await candidate(entry);
    if ('module' in result) return result;
    reasons.push(`${result.name}: ${result.reason}`);
  }
  if (wanted.length === 0) reasons.push(`${choice}: this build does not contain it`);
  throw new SealcastError(
    'ERR_KERNEL_UNSUPPORTED',
    `no kernel can run here (${reasons.join('; ')})`,
    {
      field: 'kernel',
    },
  );
}
