import { SealcastError } from '../errors.js';
import { KERNEL_CHOICES, type KernelChoice } from './choice.js';
import { createMemory, instantiate } from './instance.js';
import { PRIMITIVES_MEMORY_BYTES, Primitives } from './primitives.js';
import { selectKernel } from './select.js';
import { checkNames, type NamesOf } from '../util/known-names.js';

export type { KernelChoice, KernelName } from './choice.js';
export type { Primitives } from './primitives.js';

/** Options of {@link loadKernel}. */
export interface LoadKernelOptions {
  /** Which kernel; `auto`, the default, takes the fastest that this engine runs. */
  readonly kernel?: KernelChoice;
}

const NAMES = { kernel: true } satisfies NamesOf<LoadKernelOptions>;

/**
 * Loads the kernel's primitives alone, in this thread: for benchmarks, tests, and X25519 in bulk.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT for an unknown kernel or option,
 *   ERR_KERNEL_UNSUPPORTED for one that cannot run here.
 * @example
 * const kernel = await loadKernel({ kernel: 'int' });
 * console.log(kernel.name);
 */
export async function loadKernel(options: LoadKernelOptions = {}): Promise<Primitives> {
  if (typeof options === 'object' && (options as unknown) !== null) checkNames(options, NAMES);
  const choice = (options as LoadKernelOptions | null)?.kernel ?? 'auto';
  if (!KERNEL_CHOICES.includes(choice)) {
    throw new SealcastError(
      'ERR_INVALID_ARGUMENT',
      `kernel must be one of ${KERNEL_CHOICES.join(', ')}`,
      {
        field: 'kernel',
      },
    );
  }
  const { name, module } = await selectKernel(choice);
  const memory = createMemory(PRIMITIVES_MEMORY_BYTES);
  return new Primitives(name, instantiate(module, memory), memory);
}
