import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { ChunkJob, Job, JobFault, RatchetAnswer, RatchetJob, WorkerStart } from './messages.js';

const WORKER_FILE = fileURLToPath(new URL('../../workers/seal.js', import.meta.url));

/**
 * libsignal's objects weigh kilobytes that V8 does not know of, and are freed when it looks through its young objects: a small
 * nursery makes it look often. 10,000 recipients, Node 24, 2026-11: 410 MB in place of 600, and 8 % faster. Sealing allocates
 * next to nothing.
 */
const YOUNG_MEGABYTES = 2;

/**
 * The worker threads, a Piscina of fixed size. It replaces a thread that dies, but gives up when one dies before it is
 * ready (5.3, 2026-11): once none is left the next chunk gets a new Piscina, so that a Sealer never ends up without workers.
 */
export class Workers {
  readonly #start: WorkerStart;
  readonly #threads: number;
  #piscina: Piscina<Job, JobFault | RatchetAnswer> | undefined;

  constructor(start: WorkerStart, threads: number) {
    this.#start = start;
    this.#threads = threads;
    this.#piscina = this.#createPiscina();
  }

  #createPiscina(): Piscina<Job, JobFault | RatchetAnswer> {
    const piscina = new Piscina<Job, JobFault | RatchetAnswer>({
      filename: WORKER_FILE,
      minThreads: this.#threads,
      maxThreads: this.#threads,
      workerData: this.#start,
      recordTiming: false,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    // A thread that dies with no chunk in hand concerns nobody: it is replaced.
    piscina.on('error', () => undefined);
    piscina.on('workerDestroy', () => {
      // Piscina says it before it starts the replacement.
      setImmediate(() => {
        if (piscina === this.#piscina && piscina.threads.length === 0) void this.close();
      });
    });
    return piscina;
  }

  /** @returns the kernel's fault, or null. Rejects when the thread died. */
  run(job: ChunkJob): Promise<JobFault> {
    this.#piscina ??= this.#createPiscina();
    return this.#piscina.run(job) as Promise<JobFault>;
  }

  /** `buffers` move to the worker, and are gone from here. Rejects when the thread died. */
  runRatchet(job: RatchetJob, buffers: ArrayBuffer[]): Promise<RatchetAnswer> {
    this.#piscina ??= this.#createPiscina();
    return this.#piscina.run(job, { transferList: buffers }) as Promise<RatchetAnswer>;
  }

  /** Ends all threads; chunks that wait for one are rejected. */
  async close(): Promise<void> {
    const piscina = this.#piscina;
    this.#piscina = undefined;
    // Once only: a second destroy() would end before the first, and Piscina then replace the threads that it just ended.
    await piscina?.destroy();
  }
}
