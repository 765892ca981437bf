import type { SealcastError } from '../errors.js';
import type { KernelChoice } from '../kernel/choice.js';

// Types alone: declarations of what is public must not lead to those of the kernel, which name
// WebAssembly; without the DOM's types that is nothing to a TypeScript project.

/** Result of one entry of a batch to seal. */
export type SealResult =
  | { readonly ok: true; readonly envelope: Uint8Array<ArrayBuffer> }
  | { readonly ok: false; readonly error: SealcastError };

/** Result of one key of a batch to prepare. */
export type PrepareResult =
  { readonly ok: true } | { readonly ok: false; readonly error: SealcastError };

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
