// A Sealer with tables of its regular recipients, whose chunks a test cuts off while they have tables,
// or build some. Whatever becomes of them: no place is lost, none is given away too early, and
// nothing half-built is ever used.
import { Sealer, type SealResult } from 'sealcast';
import { TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { neverHangs, untilTrue } from './await-condition.js';
import { Broadcasts } from './broadcasts.js';
import { MemoryWatch } from './memory-watch.js';
import { WorkerWatch } from './worker-watch.js';

export const TABLES = 48;
const THREADS = 2;
const LARGE_BATCH_ENTRIES = 6000;
export const recipientCacheBytes = TABLES * TABLES_COST_BYTES;

const broadcasts = new Broadcasts(3 * TABLES, 'interrupted');
export const regulars = broadcasts.recipients(0, TABLES);
export const newcomers = broadcasts.recipients(TABLES, 2 * TABLES);
/** Neither regulars nor newcomers. */
export const others = broadcasts.recipients(2 * TABLES, 3 * TABLES);
/** The regulars again and again, so that some chunks build tables and others have them. */
export const manyTimes = Array.from(
  { length: LARGE_BATCH_ENTRIES },
  (_, i) => regulars[(i * 5 + (i >> 6)) % TABLES]!,
);

export class TablesScene implements AsyncDisposable {
  readonly broadcasts = broadcasts;
  readonly watch: WorkerWatch;
  readonly memoryWatch: MemoryWatch;
  readonly sealer: Sealer;

  private constructor(watch: WorkerWatch, memoryWatch: MemoryWatch, sealer: Sealer) {
    this.watch = watch;
    this.memoryWatch = memoryWatch;
    this.sealer = sealer;
  }

  static async open(): Promise<TablesScene> {
    const watch = new WorkerWatch();
    const memoryWatch = new MemoryWatch();
    const sealer = await Sealer.create({
      identityKeyPair: broadcasts.world.sender,
      threads: THREADS,
      recipientCacheBytes,
    });
    // The first sealing: from now on their tables are wanted.
    await broadcasts.send(sealer, regulars);
    return new TablesScene(watch, memoryWatch, sealer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await neverHangs(this.sealer.close(), 'close()');
    this.watch.stop();
    this.memoryWatch.stop();
  }

  /**
   * All is as if nothing had been cut off: all tables can be the regulars', and then, when these
   * stay away, others'.
   */
  async expectNothingLost(): Promise<void> {
    await broadcasts.takeOver(this.sealer, regulars);
    await broadcasts.takeOver(this.sealer, newcomers);
  }

  async startLarge(signal?: AbortSignal): Promise<{ results: Promise<SealResult[]> }> {
    const { sealer } = this;
    const results = sealer.seal(
      broadcasts.requests(manyTimes),
      signal === undefined ? {} : { signal },
    );
    results.catch(() => undefined);
    const atStart = sealer.stats().queueLength;
    await untilTrue(() => sealer.stats().queueLength < atStart);
    return { results };
  }
}
