/** The kernels by name: `fma` wants relaxed SIMD with fused multiply-add, `int` SIMD128. */
export type KernelName = 'fma' | 'int';
/** `auto` takes the fastest that this engine runs. */
export type KernelChoice = 'auto' | KernelName;
export const KERNEL_CHOICES: readonly KernelChoice[] = ['auto', 'fma', 'int'];
