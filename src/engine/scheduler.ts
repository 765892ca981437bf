import { MAX_CHUNK_ENTRIES } from '../../assembly/abi.js';
import { SealcastError } from '../errors.js';
import type { Arena } from '../kernel/arena.js';
import { SYSTEM_CLOCK } from '../util/clock.js';
import { AbortWatch } from '../util/abort-watch.js';
import { TwoLaneQueue, type QueueLane } from './priority-queue.js';
import type { JobKind } from './jobs.js';
import { TURN_MS } from '../util/time-slicer.js';
import type { Workers } from './workers.js';

const MIN_CHUNK_ENTRIES = 16;
/**
 * First chunks of a batch for each thread, if all were of their size. The later ones are smaller,
 * see {@link nextChunkEntries}.
 */
const CHUNKS_PER_THREAD = 2;
/** Each chunk takes some 80 us of this thread (measured: V8 13.6, Intel Xeon, 2026-11). */
const MIN_LAST_CHUNK_ENTRIES = 48;
/**
 * Arenas that chunks of one lane leave to the other. A chunk in one of them waits for its own
 * lane's turn only.
 */
const ARENAS_LEFT = 1;
/** Lanes of the kernel work on four entries at once. */
const LANES = 4;

/**
 * A batch as the scheduler sees it. `index` is an entry's place in the batch, `place` its place in
 * a chunk.
 */
export interface KernelBatch {
  readonly kind: JobKind;
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
  /** Lays an entry into the arena, if it needs work at all. */
  fill(arena: Arena, index: number): 'added' | 'skipped' | 'full';
  /** Takes an entry's result out of the arena. */
  collect(arena: Arena, place: number, index: number): void;
  /**
   * Takes back what was lent to the arena's records; called once a chunk, when no worker has it any
   * more.
   */
  release?(arena: Arena): void;
  /** Notes that an entry's chunk was lost. */
  fail(index: number, error: SealcastError): void;
}

const laneOf = ({ kind }: KernelBatch): QueueLane => (kind === 'unseal' ? 'incoming' : 'outgoing');

/** A batch on its way through the scheduler. */
interface PendingBatch {
  readonly batch: KernelBatch;
  readonly chunkEntries: number;
  /** Ends the promise that the caller holds; called once. */
  readonly settle: (error?: SealcastError) => void;
  /** First entry not laid into a chunk yet. */
  next: number;
  chunksInWork: number;
  settled: boolean;
}

/**
 * Entries of a chunk: 16 to 256, a multiple of the lanes, so that every thread gets some of the
 * batch.
 */
export function chooseChunkEntries(batchEntries: number, threads: number): number {
  const share = Math.ceil(batchEntries / (threads * CHUNKS_PER_THREAD));
  const entries = Math.min(MAX_CHUNK_ENTRIES, Math.max(MIN_CHUNK_ENTRIES, share));
  return Math.ceil(entries / LANES) * LANES;
}

/**
 * Entries of the batch's next chunk: `chunkEntries`, and toward the end half of each thread's share
 * of what is left. A thread that loses its processor to another, the host's for one, then takes
 * fewer of the last chunks, and no thread waits for another's large one.
 */
export function nextChunkEntries(
  chunkEntries: number,
  leftEntries: number,
  threads: number,
): number {
  const share = Math.max(MIN_LAST_CHUNK_ENTRIES, Math.ceil(leftEntries / (2 * threads)));
  return Math.min(chunkEntries, Math.ceil(share / LANES) * LANES);
}

/**
 * Cuts batches into chunks and passes these through the arenas and the workers.
 *
 * A chunk is laid into shared memory only when an arena is free for it, so waiting entries cost the
 * caller's own objects and no copies. Batches take turns, a chunk each: a small one does not wait
 * for a large one to end. Unsealing goes before sealing.
 */
export class Scheduler {
  readonly #workers: Workers;
  readonly #threads: number;
  readonly #arenas: readonly Arena[];
  readonly #idle: Arena[];
  readonly #waiting = new TwoLaneQueue<PendingBatch>();
  /** Arenas that each lane has. */
  readonly #inUse: Record<QueueLane, number> = { incoming: 0, outgoing: 0 };
  readonly #pending = new Set<PendingBatch>();
  /** Tells other parts of the library when the signals of running calls abort. */
  readonly aborts = new AbortWatch();
  #queued = 0;
  /**
   * Jobs of libsignal under way; closing waits for them.
   *
   * A thread that is ended in the middle of libsignal takes the process with it (0.103, neon
   * 1.1.1).
   */
  #ratchetJobs = 0;
  /** Whether the next turn of the event loop goes on with dispatching. */
  #continues = false;
  #whenIdle: (() => void) | undefined;
  #closed = false;

  constructor(workers: Workers, arenas: readonly Arena[], threads: number) {
    this.#workers = workers;
    this.#arenas = arenas;
    this.#idle = [...arenas];
    this.#threads = threads;
  }

  /** Entries that wait for an arena. */
  get queueLength(): number {
    return this.#queued;
  }

  /**
   * Works through a batch; each entry is collected, or failed, once.
   *
   * Rejects with ERR_ABORTED (cause: the signal's reason) once the signal fires, with ERR_CLOSED
   * once the scheduler closes; workers finish the chunks that they process, and the results are
   * dropped.
   */
  run(batch: KernelBatch): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    if (batch.signal?.aborted === true) return Promise.reject(abortedError(batch.signal));
    if (batch.count === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const { signal } = batch;
      const unwatch =
        signal && this.aborts.add(signal, () => this.#settle(pending, abortedError(signal)));
      const pending: PendingBatch = {
        batch,
        chunkEntries: chooseChunkEntries(batch.count, this.#threads),
        settle: (error) => {
          unwatch?.();
          if (error === undefined) resolve();
          else reject(error);
        },
        next: 0,
        chunksInWork: 0,
        settled: false,
      };
      this.#pending.add(pending);
      this.#waiting.push(laneOf(batch), pending);
      this.#queued += batch.count;
      // Not on the caller's stack, which may be about to end.
      queueMicrotask(() => this.#dispatch());
    });
  }

  /** Takes a batch, with whatever of it still waits, out of the books, and ends its promise. */
  #settle(pending: PendingBatch, error?: SealcastError): void {
    if (pending.settled) return;
    pending.settled = true;
    this.#queued -= pending.batch.count - pending.next;
    pending.next = pending.batch.count;
    // It stays in the queue until its turn comes: taking many out of the middle of a long queue
    // would take long.
    this.#pending.delete(pending);
    pending.settle(error);
  }

  #settleIfDone(pending: PendingBatch): void {
    if (pending.chunksInWork === 0 && pending.next === pending.batch.count) this.#settle(pending);
  }

  /**
   * Fills idle arenas for the waiting batches; what does not fit into this turn of the event loop
   * goes on in the next.
   */
  #dispatch(): void {
    const turnStart = SYSTEM_CLOCK.monotonicMs();
    for (;;) {
      if (this.#waiting.length === 0 || this.#idle.length === 0 || this.#continues) return;
      if (SYSTEM_CLOCK.monotonicMs() - turnStart > TURN_MS) {
        this.#continues = true;
        setImmediate(() => {
          this.#continues = false;
          this.#dispatch();
        });
        return;
      }
      const pending = this.#nextWaiting();
      if (pending === undefined) return;
      const arena = this.#idle.pop();
      if (arena === undefined) return;
      this.#inUse[laneOf(pending.batch)] += 1;
      const indices = this.#fillChunk(pending, arena);
      if (pending.next < pending.batch.count) this.#waiting.push(laneOf(pending.batch), pending);
      if (indices.length > 0) {
        pending.chunksInWork += 1;
        void this.#work(pending, arena, indices);
      } else {
        this.#release(pending, arena, false);
        this.#settleIfDone(pending);
      }
    }
  }

  /** Takes the batch whose turn it is out of the queue, if its lane may have one more arena. */
  #nextWaiting(): PendingBatch | undefined {
    const most = this.#arenas.length - ARENAS_LEFT;
    const [mayIn, mayOut] = [this.#inUse.incoming < most, this.#inUse.outgoing < most];
    if (!mayIn && !mayOut) return undefined;
    const only = mayIn && mayOut ? undefined : mayIn ? 'incoming' : 'outgoing';
    for (;;) {
      const pending = this.#waiting.shift(only);
      if (pending?.settled !== true) return pending;
    }
  }

  /**
   * Lays the next entries of a batch into an arena; gives their indices, by place. Entries that
   * take long to look at, or are many and need no work, make a small chunk or none, and not a long
   * turn.
   */
  #fillChunk(pending: PendingBatch, arena: Arena): number[] {
    const { batch, chunkEntries } = pending;
    const indices: number[] = [];
    const first = pending.next;
    const most = nextChunkEntries(chunkEntries, batch.count - first, this.#threads);
    const turnStart = SYSTEM_CLOCK.monotonicMs();
    while (indices.length < most && pending.next < batch.count) {
      const outcome = fillOrFail(batch, arena, pending.next);
      if (outcome === 'full') break;
      if (outcome === 'added') indices.push(pending.next);
      pending.next += 1;
      if (SYSTEM_CLOCK.monotonicMs() - turnStart > TURN_MS) break;
    }
    this.#queued -= pending.next - first;
    return indices;
  }

  async #work(pending: PendingBatch, arena: Arena, indices: readonly number[]): Promise<void> {
    const { batch } = pending;
    let failure: SealcastError | undefined;
    try {
      arena.setClock(process.hrtime.bigint() + BigInt(SYSTEM_CLOCK.now()) * 1_000_000n);
      const fault = await this.#workers.run(
        { kind: batch.kind, arenaPtr: arena.ptr },
        laneOf(batch),
      );
      if (fault !== null)
        failure = new SealcastError('ERR_KERNEL_FAULT', `the kernel stopped: ${fault}`);
    } catch (cause) {
      failure = new SealcastError('ERR_WORKER_LOST', 'its worker thread died', { cause });
    }
    if (!pending.settled) {
      indices.forEach((index, place) => collectOrFail(batch, arena, place, index, failure));
    }
    pending.chunksInWork -= 1;
    batch.release?.(arena);
    this.#release(pending, arena, failure !== undefined);
    this.#settleIfDone(pending);
    this.#dispatch();
  }

  #release({ batch }: PendingBatch, arena: Arena, unfinished: boolean): void {
    arena.wipe(unfinished);
    this.#inUse[laneOf(batch)] -= 1;
    this.#idle.push(arena);
    this.#noteIdle();
  }

  /**
   * Has a worker work on sessions, between chunks.
   *
   * @param lane whether a message that came in waits for it.
   * @param buffers move to the worker, and are gone from here.
   * @throws SealcastError ERR_CLOSED, ERR_WORKER_LOST: the thread died, or could not do it; nothing
   *   of it was kept.
   */
  async runRatchet(request: unknown, lane: QueueLane, buffers: ArrayBuffer[]): Promise<unknown> {
    if (this.#closed) throw closedError();
    let answer;
    this.#ratchetJobs += 1;
    try {
      answer = await this.#workers.runRatchet({ kind: 'ratchet', request }, lane, buffers);
    } catch (cause) {
      throw this.#lost(cause);
    } finally {
      this.#ratchetJobs -= 1;
      this.#noteIdle();
    }
    if ('fault' in answer) {
      throw new SealcastError(
        'ERR_LIBSIGNAL_UNAVAILABLE',
        `a worker could not load libsignal: ${answer.fault}`,
      );
    }
    return answer.reply;
  }

  /** Whether no chunk has an arena and no worker works on sessions. */
  #isIdle(): boolean {
    return this.#idle.length === this.#arenas.length && this.#ratchetJobs === 0;
  }

  #noteIdle(): void {
    if (this.#isIdle()) this.#whenIdle?.();
  }

  /** Why a worker is gone: because it was told to end, or because it died. */
  #lost(cause: unknown): SealcastError {
    return this.#closed
      ? closedError()
      : new SealcastError('ERR_WORKER_LOST', 'its worker thread died', { cause });
  }

  /** Rejects all pending work with ERR_CLOSED, waits for the workers to finish, and ends them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const pending of [...this.#pending]) this.#settle(pending, closedError());
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await this.#workers.close();
  }
}

/**
 * Fills an arena. A failure is the failing entry's own: neither the arena nor its caller must be
 * lost over it.
 */
function fillOrFail(batch: KernelBatch, arena: Arena, index: number): 'added' | 'skipped' | 'full' {
  const { count } = arena;
  try {
    return batch.fill(arena, index);
  } catch (cause) {
    // Places in the chunk and entries must go on matching.
    arena.truncate(count);
    batch.fail(
      index,
      new SealcastError('ERR_INVALID_ARGUMENT', 'it changed while it waited', { cause }),
    );
    return 'skipped';
  }
}

function collectOrFail(
  batch: KernelBatch,
  arena: Arena,
  place: number,
  index: number,
  failure?: SealcastError,
): void {
  if (failure !== undefined) {
    batch.fail(index, failure);
    return;
  }
  try {
    batch.collect(arena, place, index);
  } catch (cause) {
    // Copying a result out may find no memory left; then it is this entry that is lost, and said to
    // be.
    batch.fail(
      index,
      new SealcastError('ERR_OUT_OF_MEMORY', 'its result could not be copied out', { cause }),
    );
  }
}

export function closedError(): SealcastError {
  return new SealcastError('ERR_CLOSED', 'this Sealer is closed');
}

export function abortedError(signal: AbortSignal): SealcastError {
  return new SealcastError('ERR_ABORTED', 'the batch was aborted', { cause: signal.reason });
}
