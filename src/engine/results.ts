// Types alone: declarations of what is public must not lead to those of the kernel, which name
// WebAssembly; without the DOM's types that is nothing to a TypeScript project.
import type { SealcastError } from '../errors.js';

export type SealResult =
  | { readonly ok: true; readonly envelope: Uint8Array<ArrayBuffer> }
  | { readonly ok: false; readonly error: SealcastError };

export type PrepareResult = { readonly ok: true } | { readonly ok: false; readonly error: SealcastError };
