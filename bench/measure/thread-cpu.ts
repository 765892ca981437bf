// CPU time of this process by kind of thread. Linux tells each thread's own time, but not its kind:
// Node 20 names none of them, so the order in which they began tells it.
import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * - `main`: the thread that the caller's code runs in
 * - `workers`: of the pool, libsignal's steps and the kernel
 * - `v8`: V8's helpers, most of it garbage collection and compilation
 * - `libuv`: the thread pool, which LMDB reads and flushes in
 */
export const THREAD_KINDS = ['main', 'workers', 'v8', 'libuv'] as const;
export type ThreadKind = (typeof THREAD_KINDS)[number];

/** Microseconds by kind of thread. */
export type ThreadTimes = Readonly<Record<ThreadKind, number>>;

const TASKS = '/proc/self/task';

/**
 * Threads of this process. Threads that end take their times with them: none of these kinds ends
 * while work is measured.
 */
export class ThreadClock {
  readonly #kinds: ReadonlyMap<string, ThreadKind>;

  private constructor(kinds: ReadonlyMap<string, ThreadKind>) {
    this.#kinds = kinds;
  }

  /**
   * Begins a clock. Call it before the process has workers.
   *
   * @returns undefined where the system does not tell the times of threads.
   */
  static async begin(): Promise<ThreadClock | undefined> {
    if (process.platform !== 'linux' || readTime(String(process.pid)) === undefined)
      return undefined;
    // The first task of libuv's pool starts all of its threads, and V8's are older: on Node 20 the
    // loader of modules has used the pool before us.
    await stat('.');
    const ids = readdirSync(TASKS).sort((a, b) => Number(a) - Number(b));
    const firstOfLibuv = ids.length - Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    const kinds = new Map<string, ThreadKind>(
      ids.map((id, i) => [id, i < firstOfLibuv ? 'v8' : 'libuv']),
    );
    kinds.set(String(process.pid), 'main');
    return new ThreadClock(kinds);
  }

  /** Time of each kind so far. */
  read(): ThreadTimes {
    const times = { main: 0, workers: 0, v8: 0, libuv: 0 };
    // Any thread that began since is a worker.
    for (const id of readdirSync(TASKS))
      times[this.#kinds.get(id) ?? 'workers'] += readTime(id) ?? 0;
    return times;
  }
}

/** Times between two readings, for each of `count` items. */
export const timesEach = (before: ThreadTimes, after: ThreadTimes, count: number): ThreadTimes =>
  Object.fromEntries(
    THREAD_KINDS.map((kind) => [kind, (after[kind] - before[kind]) / count]),
  ) as unknown as ThreadTimes;

/** @returns µs on a processor; undefined where it is not told, and where the thread has ended. */
function readTime(id: string): number | undefined {
  try {
    const [nanoseconds] = readFileSync(`${TASKS}/${id}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds) / 1000;
  } catch {
    return undefined;
  }
}
