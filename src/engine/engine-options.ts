import type { KernelChoice } from '../kernel/choice.js';

/** Options of an engine, checked. */
export interface EngineOptions {
  /** 32 bytes; a copy, which the engine wipes. */
  readonly privateKey: Uint8Array;
  /** u-coordinate, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly threads: number;
  readonly recipientCacheBytes: number;
  readonly kernel: KernelChoice;
  readonly maxQueue: number;
}
