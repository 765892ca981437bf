import type { Subject } from '../measure/subject.js';
import type { InnerKernel } from './inner-kernel.js';

/** One thing that the kernel does, and who else can do it. */
export interface KernelOperation {
  readonly name: string;
  /** Bytes that one operation works on, where that says something. */
  readonly bytes?: number;
  /** Ways in which the kernel does it: none, one, or several (one lane, four lanes). */
  readonly ofKernel: (kernel: InnerKernel) => readonly Subject[];
  readonly peers: readonly Subject[];
}
