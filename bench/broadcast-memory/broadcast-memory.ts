// Anonymous memory of a process that broadcasts five times, first to strangers, to few recipients
// and to many: how much of it grows with their number.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstOf, lastOf, readChild } from '../measure/child.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { ensureStrangers, makeStrangersStore } from '../strangers/population.js';
import type { BroadcastMemoryReading, SettledMemory } from './broadcast-memory-child.js';

/** Of one number of recipients. */
export interface BroadcastMemoryRow {
  readonly recipients: number;
  /** The most that was seen in each broadcast, MB (10^6). */
  readonly anonymousMegabytes: readonly number[];
  readonly settled: SettledMemory;
  /** In each broadcast. */
  readonly loopP99Ms: readonly number[];
  readonly microsecondsEach: readonly number[];
}

export interface BroadcastMemoryResult {
  readonly benchmark: 'broadcast-memory';
  readonly environment: Environment;
  readonly kernel: string;
  readonly threads: number;
  readonly broadcasts: number;
  /** The most memory with the most recipients, over that with the fewest. */
  readonly growth: number;
  readonly rows: readonly BroadcastMemoryRow[];
}

export interface BroadcastMemoryOptions {
  /** Ascending */
  readonly recipientCounts: readonly number[];
  readonly broadcasts: number;
  readonly threads: number;
  /** A folder of bundles made by an earlier run; made, and left, where it is not there. */
  readonly population: string | undefined;
  readonly onProgress: (message: string) => void;
}

const BODY = 'The bridge is closed. Take the ferry, and bring water for two days.';
const CHILD_PATH = fileURLToPath(new URL('./broadcast-memory-child.js', import.meta.url));

export async function runBroadcastMemoryBench(
  options: BroadcastMemoryOptions,
): Promise<BroadcastMemoryResult> {
  const { recipientCounts, broadcasts, threads, population, onProgress } = options;
  const root = mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  try {
    const rows: BroadcastMemoryRow[] = [];
    let kernel = '';
    for (const count of recipientCounts) {
      onProgress(`making ${count} prekey bundles`);
      const folder = join(population ?? root, `strangers-${count}`);
      const { sender, bundles } = await ensureStrangers(folder, count);
      const store = join(root, `store-${count}`);
      await makeStrangersStore(store, bundles);
      onProgress(`${broadcasts} broadcasts to ${count} recipients`);
      const readings = await readChild<BroadcastMemoryReading>(CHILD_PATH, [
        ...[store, sender, bundles, String(broadcasts), String(threads), BODY],
      ]);
      rmSync(store, { recursive: true, force: true });
      const { settled, kernel: name } = lastOf(readings);
      if (settled === undefined) throw new Error('the last broadcast has no memory reading');
      kernel = name;
      rows.push({
        recipients: count,
        anonymousMegabytes: readings.map(({ anonymousMegabytes }) => anonymousMegabytes),
        settled,
        loopP99Ms: readings.map(({ loopP99Ms }) => loopP99Ms),
        microsecondsEach: readings.map(({ microsecondsEach }) => microsecondsEach),
      });
    }
    return {
      benchmark: 'broadcast-memory',
      environment: describeEnvironment(),
      kernel,
      threads,
      broadcasts,
      growth: mostOf(lastOf(rows)) / mostOf(firstOf(rows)),
      rows,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The most memory in any of the broadcasts, MB. */
export function mostOf({ anonymousMegabytes }: BroadcastMemoryRow): number {
  return Math.max(...anonymousMegabytes);
}
