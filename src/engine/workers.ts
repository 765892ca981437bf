import { fileURLToPath } from 'node:url';
import { Piscina, queueOptionsSymbol } from 'piscina';
import { TwoLaneQueue, type QueueLane } from './priority-queue.js';
import type { ChunkJob, Job, JobFault, RatchetAnswer, RatchetJob, WorkerStart } from './jobs.js';

const WORKER_FILE = fileURLToPath(new URL('../../workers/worker.js', import.meta.url));

/**
 * Size of V8's nursery in a worker, MB. libsignal's objects weigh kilobytes that V8 does not know
 * of, and are freed by its minor collections: a small nursery makes these frequent. 10,000
 * recipients, Node 24, 2026-11: 410 MB in place of 600, and 8 % faster. Sealing allocates next to
 * nothing.
 */
const YOUNG_MEGABYTES = 2;
/**
 * Highest size of V8's old generation in a worker, MB, which has some 10 MB in use.
 *
 * V8 begins to collect it at a share of the highest size, and the default one is gigabytes:
 * libsignal's objects that were promoted stayed for thousands of recipients. 10,000 recipients,
 * three broadcasts: 360 MB of anonymous memory in place of 400 (measured: Node 24, Xeon, 2026-11).
 */
const OLD_MEGABYTES = 128;

type PiscinaQueue = NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>['taskQueue']>;
type Task = Parameters<PiscinaQueue['push']>[0];

const laneOf = (task: Task): QueueLane =>
  (task[queueOptionsSymbol] as { readonly lane: QueueLane }).lane;

/** Tasks that wait for a thread, with their lane among their options. */
class TaskLanes implements PiscinaQueue {
  readonly #lanes = new TwoLaneQueue<Task>();

  get size(): number {
    return this.#lanes.length;
  }

  push(task: Task): void {
    this.#lanes.push(laneOf(task), task);
  }

  /** Puts back what Piscina took out and found no thread for. */
  unshift(task: Task): void {
    this.#lanes.unshift(laneOf(task), task);
  }

  shift(): Task | null {
    return this.#lanes.shift() ?? null;
  }

  /** Piscina asks for it where a task has a signal; none of ours has. */
  remove(): void {
    return undefined;
  }
}

/** The job as Piscina takes it: a symbol of its own is not sent to the thread. */
const inLane = (job: Job, lane: QueueLane): Job =>
  Object.assign({ [queueOptionsSymbol]: { lane } }, job);

/**
 * The worker threads, a Piscina of fixed size. It replaces a thread that dies, but gives up when
 * one dies before it is ready (5.3, 2026-11): once none is left the next chunk gets a new Piscina,
 * so that a Sealer never ends up without workers.
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
      taskQueue: new TaskLanes(),
      // A task that is put back keeps its place.
      stricterFIFO: true,
      resourceLimits: {
        maxYoungGenerationSizeMb: YOUNG_MEGABYTES,
        maxOldGenerationSizeMb: OLD_MEGABYTES,
      },
    });
    // The death of an idle thread loses no work: the thread is replaced.
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
  run(job: ChunkJob, lane: QueueLane): Promise<JobFault> {
    this.#piscina ??= this.#createPiscina();
    return this.#piscina.run(inLane(job, lane)) as Promise<JobFault>;
  }

  /** `buffers` move to the worker, and are gone from here. Rejects when the thread died. */
  runRatchet(job: RatchetJob, lane: QueueLane, buffers: ArrayBuffer[]): Promise<RatchetAnswer> {
    this.#piscina ??= this.#createPiscina();
    return this.#piscina.run(inLane(job, lane), {
      transferList: buffers,
    }) as Promise<RatchetAnswer>;
  }

  /** Ends all threads; chunks that wait for one are rejected. */
  async close(): Promise<void> {
    const piscina = this.#piscina;
    this.#piscina = undefined;
    // Once only: a second destroy() would end before the first, and Piscina then replace the
    // threads that it just ended.
    await piscina?.destroy();
  }
}
