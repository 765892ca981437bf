import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Job, JobFault, WorkerStart } from './messages.js';

const WORKER_FILE = fileURLToPath(new URL('../../workers/seal.js', import.meta.url));

/**
 * The worker threads, a Piscina of fixed size. It replaces a thread that dies, but gives up when one dies before it is
 * ready (5.3, 2026-11): it is then made anew, so that a Sealer never ends up without workers.
 */
export class Workers {
  readonly #start: WorkerStart;
  readonly #threads: number;
  #piscina: Piscina<Job, JobFault>;
  #running = 0;

  constructor(start: WorkerStart, threads: number) {
    this.#start = start;
    this.#threads = threads;
    this.#piscina = this.#createPiscina();
  }

  #createPiscina(): Piscina<Job, JobFault> {
    const piscina = new Piscina<Job, JobFault>({
      filename: WORKER_FILE,
      minThreads: this.#threads,
      maxThreads: this.#threads,
      workerData: this.#start,
      recordTiming: false,
    });
    // A thread that dies with no chunk in hand concerns nobody: it is replaced.
    piscina.on('error', () => undefined);
    piscina.on('workerDestroy', () => {
      setImmediate(() => {
        // Chunks that wait for a thread when none is left would wait for ever; destroy() rejects them.
        if (piscina.threads.length === 0) void piscina.destroy();
      });
    });
    return piscina;
  }

  /** @returns the kernel's fault, or null. Rejects when the thread died. */
  async run(job: Job): Promise<JobFault> {
    if (this.#piscina.threads.length < this.#threads && this.#running === 0) {
      void this.#piscina.destroy();
      this.#piscina = this.#createPiscina();
    }
    this.#running += 1;
    try {
      return await this.#piscina.run(job);
    } finally {
      this.#running -= 1;
    }
  }

  /** Ends all threads. Nothing may be running. */
  async close(): Promise<void> {
    await this.#piscina.destroy();
  }
}
