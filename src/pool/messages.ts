/** What a worker is started with. The memory holds the identity: it is shared, never cloned. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

export type JobKind = 'seal' | 'unseal' | 'prepare';

/** One chunk for a worker to work through; all of it but this lies in the shared memory. */
export interface Job {
  readonly kind: JobKind;
  readonly arenaPtr: number;
}

/** A worker's answer: null, or what the kernel stumbled over. */
export type JobFault = string | null;
