import { describe, expect, it } from 'vitest';
import type { BroadcastMemoryResult } from '../../bench/broadcast-memory/broadcast-memory.js';
import {
  broadcastMemoryTable,
  formatBroadcastMemoryResult,
} from '../../bench/broadcast-memory/report.js';
import type { BroadcastReading } from '../../bench/broadcast/broadcast-child.js';
import type { BroadcastResult } from '../../bench/broadcast/broadcast.js';
import {
  broadcastStagesTable,
  broadcastThreadsTable,
  formatBroadcastResult,
} from '../../bench/broadcast/report.js';
import { describeEnvironment } from '../../bench/report/environment.js';
import { formatStrangersResult, strangersTable } from '../../bench/strangers/report.js';
import type { StrangersResult } from '../../bench/strangers/strangers.js';

const summary = { median: 2, p25: 1.5, p75: 2.5 };
const environment = { ...describeEnvironment(), node: '24.1.0' };
const reading: BroadcastReading = {
  recipients: 10_000,
  microsecondsEach: 150,
  cpuMicrosecondsEach: 250,
  threadMicrosecondsEach: { main: 50, workers: 100, v8: 60, libuv: 40 },
  mainGcMicrosecondsEach: 7,
  loopP50Ms: 1,
  loopP99Ms: 12,
  loopMaxMs: 30,
  anonymousMegabytes: 300,
  kernel: 'fma',
  threads: 2,
};
const broadcast: BroadcastResult = {
  benchmark: 'broadcast',
  environment,
  kernel: 'fma',
  threads: 2,
  bodyBytes: 67,
  loop: summary,
  timesLoop: summary,
  comparedRecipients: 10_000,
  stages: { ratchet: 100, seal: 40, store: 60, dispatch: 20, whole: 230, unsealed: 170 },
  firstOverLater: summary,
  copiedBytesEach: { cloned: 4_600, transferred: 4_300 },
  rows: [
    { broadcast: 'first', ...reading },
    { broadcast: 'later', ...reading },
  ],
  byThreads: [
    { ...reading, threads: 1, microsecondsEach: 290 },
    { ...reading, threads: 4, microsecondsEach: 151 },
  ],
};
const cells = (table: string | undefined): string[][] =>
  (table ?? '').split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('the table of a broadcast’s stages', () => {
  it('adds each stage to those before it', () => {
    expect(cells(broadcastStagesTable([broadcast])).slice(2)).toEqual([
      ['ratchet', '100', '100'],
      ['+ store', '60.0', '160'],
      ['+ seal', '40.0', '200'],
      ['+ dispatch', '20.0', '220'],
      ['whole broadcast, sealed', '', '230'],
      ['whole broadcast, unsealed', '', '170'],
    ]);
  });

  it('is left out of results that have no unsealed broadcast', () => {
    const { ratchet, seal, store, dispatch, whole } = broadcast.stages;
    const stages = { ratchet, seal, store, dispatch, whole };
    expect(broadcastStagesTable([{ ...broadcast, stages }])).toBeUndefined();
  });
});

describe('the table of a broadcast’s threads', () => {
  it('has the pace of all cores until the main thread is full', () => {
    const rows = cells(broadcastThreadsTable([broadcast]));
    expect(rows).toContainEqual(['CPU µs: main thread', '50.0']);
    expect(rows).toContainEqual(['bytes between threads: cloned', '4,600']);
    // 250 µs of two cores; from five cores on, 50 µs of the main thread.
    expect(rows).toContainEqual(['at most a second on 2 cores', '8,000']);
    expect(rows).toContainEqual(['at most a second on 8 cores', '20,000']);
    expect(rows).toContainEqual(['at most a second on 64 cores', '20,000']);
    expect(rows).toContainEqual(['µs each with 1 worker', '290']);
    expect(rows).toContainEqual(['µs each with 4 workers', '151']);
  });

  it('is left out of results without bytes between threads', () => {
    const { copiedBytesEach, ...older } = broadcast;
    expect(copiedBytesEach).toBeDefined();
    expect(broadcastThreadsTable([older])).toBeUndefined();
    expect(formatBroadcastResult(older)).not.toContain('bytes between threads');
  });

  it('is in the terminal’s text too', () => {
    const text = formatBroadcastResult(broadcast);
    expect(text).toContain('4,600 cloned, 4,300 transferred');
    expect(text).toContain("a process's first takes 2.00 (1.50..2.50) times as long");
  });
});

describe('the table of strangers', () => {
  const result: StrangersResult = {
    benchmark: 'strangers',
    environment,
    kernel: 'fma',
    threads: 2,
    bodyBytes: 67,
    recipients: 10_000,
    rounds: 3,
    loop: { first: summary, later: { ...summary, median: 900 } },
    timesLoop: { first: summary, later: { ...summary, median: 1.9 } },
    rows: broadcast.rows,
  };

  it('compares a process’s first and a later broadcast with the loop', () => {
    const rows = cells(strangersTable([result]));
    expect(rows[0]).toEqual(['First messages to 10,000 recipients without sessions', 'Node 24']);
    expect(rows).toContainEqual(['times as fast', '**1.90** (1.50..2.50)']);
    expect(rows).toContainEqual(['main thread', '50.0']);
    expect(formatStrangersResult(result)).toContain('1.90 (1.50..2.50) times as fast');
  });
});

describe('the table of a broadcast’s memory', () => {
  const row = {
    recipients: 10_000,
    anonymousMegabytes: [200, 240, 250, 255, 250],
    settled: { anonymousMegabytes: 245, heapMegabytes: 20, externalMegabytes: 60 },
    loopP99Ms: [16, 9, 12, 10, 11],
    microsecondsEach: [1_500, 200, 180, 180, 180],
  };
  const result: BroadcastMemoryResult = {
    benchmark: 'broadcast-memory',
    environment,
    kernel: 'fma',
    threads: 2,
    broadcasts: 5,
    growth: 1.12,
    rows: [row, { ...row, recipients: 100_000, anonymousMegabytes: [250, 280, 285, 284, 286] }],
  };

  it('has the most of all broadcasts, and the delay to strangers apart', () => {
    const rows = cells(broadcastMemoryTable([result]));
    expect(rows).toContainEqual(['10,000 recipients: RssAnon, MB', '255']);
    expect(rows).toContainEqual(['100,000 recipients: RssAnon, MB', '286']);
    expect(rows).toContainEqual(['event loop p99, ms: to strangers', '16.0']);
    expect(rows).toContainEqual(['slowest later one', '12.0']);
    expect(rows).toContainEqual(['RssAnon, most recipients over fewest', '1.12']);
    expect(formatBroadcastMemoryResult(result)).toContain('over that at its start: 1.12');
  });
});
