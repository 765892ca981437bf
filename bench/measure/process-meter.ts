// Reads what some work takes of this process: time, processors by kind of thread, event loop and
// memory.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { ThreadClock, timesEach, type ThreadTimes } from './thread-cpu.js';

/** Of work on many items. */
export interface ProcessReading {
  readonly microsecondsEach: number;
  readonly cpuMicrosecondsEach: number;
  /** By kind of thread; absent where the system does not tell. */
  readonly threadMicrosecondsEach?: ThreadTimes;
  /** Part of the main thread's time in which it collects garbage. */
  readonly mainGcMicrosecondsEach: number;
  readonly loopP50Ms: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** The most that was seen, MB (10^6): anonymous memory of the process. */
  readonly anonymousMegabytes: number;
}

const SAMPLE_MS = 20;

export class ProcessMeter {
  readonly #clock: ThreadClock | undefined;
  #gcMs = 0;

  private constructor(clock: ThreadClock | undefined) {
    this.#clock = clock;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.#gcMs += duration;
    }).observe({ entryTypes: ['gc'] });
  }

  /** Call it before the process has workers. */
  static async begin(): Promise<ProcessMeter> {
    return new ProcessMeter(await ThreadClock.begin());
  }

  /** @param count items that the work is about */
  async measure(count: number, work: () => Promise<void>): Promise<ProcessReading> {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    let kilobytes = 0;
    const sampler = setInterval(
      () => (kilobytes = Math.max(kilobytes, readAnonymousKilobytes())),
      SAMPLE_MS,
    );
    delay.enable();
    const cpuBefore = process.cpuUsage();
    const threadsBefore = this.#clock?.read();
    this.#gcMs = 0;
    const startMs = performance.now();
    await work();
    const elapsedMs = performance.now() - startMs;
    const cpu = process.cpuUsage(cpuBefore);
    const threadsAfter = this.#clock?.read();
    delay.disable();
    clearInterval(sampler);
    return {
      microsecondsEach: (elapsedMs * 1000) / count,
      cpuMicrosecondsEach: (cpu.user + cpu.system) / count,
      ...(threadsBefore !== undefined &&
        threadsAfter !== undefined && {
          threadMicrosecondsEach: timesEach(threadsBefore, threadsAfter, count),
        }),
      mainGcMicrosecondsEach: (this.#gcMs * 1000) / count,
      loopP50Ms: delay.percentile(50) / 1e6,
      loopP99Ms: delay.percentile(99) / 1e6,
      loopMaxMs: delay.max / 1e6,
      anonymousMegabytes: Math.max(kilobytes, readAnonymousKilobytes()) / 1000,
    };
  }
}

/** Anonymous memory of this process, KiB. */
export function readAnonymousKilobytes(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);
}
