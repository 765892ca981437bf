/** Start data of a worker. The memory holds the identity: it is shared, never cloned. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

export type JobKind = 'seal' | 'unseal' | 'prepare';

/** One chunk for a worker to work through; all else of it is in the shared memory. */
export interface ChunkJob {
  readonly kind: JobKind;
  readonly arenaPtr: number;
}

/** A worker's answer to a chunk: null, or what the kernel stumbled over. */
export type JobFault = string | null;

/**
 * Work on sessions. The scheduler knows only that a worker does it: see src/session/protocol.ts.
 */
export interface RatchetJob {
  readonly kind: 'ratchet';
  readonly request: unknown;
}
export type RatchetAnswer = { readonly reply: unknown } | { readonly fault: string };

export type Job = ChunkJob | RatchetJob;
