// A broadcast to recipients without sessions, from prekey bundles to first messages, against the
// plain loop over libsignal. The service has the bundles in memory and takes every message; the
// store is LMDB on the disk.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BroadcastRow } from '../broadcast/broadcast.js';
import type { BroadcastReading } from '../broadcast/broadcast-child.js';
import { firstOf, lastOf, readChild } from '../measure/child.js';
import { summarize, type Summary } from '../measure/statistics.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { ensureStrangers, makeStrangersStore } from './population.js';

/** A process's first broadcast, and its second, to as many other strangers. */
export type StrangersBroadcast = 'first' | 'later';

export interface StrangersResult {
  readonly benchmark: 'strangers';
  readonly environment: Environment;
  readonly kernel: string;
  readonly threads: number;
  readonly bodyBytes: number;
  readonly recipients: number;
  readonly rounds: number;
  /** The plain loop, one thread, in memory: µs a recipient. */
  readonly loop: Readonly<Record<StrangersBroadcast, Summary>>;
  /** How many times as fast the broadcast is, all threads, on the disk. */
  readonly timesLoop: Readonly<Record<StrangersBroadcast, Summary>>;
  /** Of the last round. */
  readonly rows: readonly BroadcastRow[];
}

export interface StrangersBenchOptions {
  readonly recipientCount: number;
  readonly roundCount: number;
  readonly threads: number;
  /** A folder of bundles made by an earlier run; made, and left, where it is not there. */
  readonly population: string | undefined;
  readonly onProgress: (message: string) => void;
}

const BODY = 'The bridge is closed. Take the ferry, and bring water for two days.';
const BROADCASTS = 2;
const childPath = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export async function runStrangersBench(options: StrangersBenchOptions): Promise<StrangersResult> {
  const { recipientCount, roundCount, threads, population, onProgress } = options;
  const root = mkdtempSync(join(tmpdir(), 'sealcast-bench-'));
  try {
    const all = BROADCASTS * recipientCount;
    onProgress(`making ${all} prekey bundles`);
    const { sender, bundles } = await ensureStrangers(
      join(population ?? root, `strangers-${all}`),
      all,
    );
    const loops: Record<StrangersBroadcast, number[]> = { first: [], later: [] };
    const ratios: Record<StrangersBroadcast, number[]> = { first: [], later: [] };
    let rows: BroadcastRow[] = [];
    for (let round = 0; round < roundCount; round++) {
      onProgress(`plain loop and broadcast, round ${round + 1} of ${roundCount}`);
      const count = String(recipientCount);
      const loop = await readChild<number>(childPath('loop-child'), [sender, bundles, count, BODY]);
      const store = join(root, `store-${round}`);
      await makeStrangersStore(store, bundles);
      const readings = await readChild<BroadcastReading>(childPath('strangers-child'), [
        ...[store, sender, bundles, count, String(threads), BODY],
      ]);
      rmSync(store, { recursive: true, force: true });
      rows = [
        { broadcast: 'first', ...firstOf(readings) },
        { broadcast: 'later', ...lastOf(readings) },
      ];
      for (const { broadcast, microsecondsEach } of rows) {
        const looped = broadcast === 'first' ? firstOf(loop) : lastOf(loop);
        loops[broadcast].push(looped);
        ratios[broadcast].push(looped / microsecondsEach);
      }
    }
    return {
      benchmark: 'strangers',
      environment: describeEnvironment(),
      kernel: rows[0]?.kernel ?? '',
      threads,
      bodyBytes: Buffer.byteLength(BODY),
      recipients: recipientCount,
      rounds: roundCount,
      loop: { first: summarize(loops.first), later: summarize(loops.later) },
      timesLoop: { first: summarize(ratios.first), later: summarize(ratios.later) },
      rows,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
