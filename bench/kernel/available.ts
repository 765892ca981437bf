// Which kernels this engine runs, as users choose them.
import { SealcastError } from 'sealcast';
import { loadKernel, type KernelName } from 'sealcast/kernel';

const NAMES: readonly KernelName[] = ['fma', 'int'];

export interface AvailableKernels {
  /** The one that sealcast picks by itself. */
  readonly picked: KernelName;
  readonly others: readonly KernelName[];
  /** One line for each that does not run here. */
  readonly skipped: readonly string[];
}

export async function findAvailableKernels(): Promise<AvailableKernels> {
  const picked = (await loadKernel()).name as KernelName;
  const others: KernelName[] = [];
  const skipped: string[] = [];
  for (const name of NAMES.filter((candidate) => candidate !== picked)) {
    try {
      await loadKernel({ kernel: name });
      others.push(name);
    } catch (error) {
      if (!(error instanceof SealcastError) || error.code !== 'ERR_KERNEL_UNSUPPORTED') throw error;
      skipped.push(`kernel ${name} skipped: ${error.message}`);
    }
  }
  return { picked, others, skipped };
}
