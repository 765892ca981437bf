import { nodeLine } from '../report/results.js';
import { formatMarkdownTable, formatNumber, formatRange, formatTable } from '../report/table.js';
import { THREAD_KINDS } from '../measure/thread-cpu.js';
import type { BroadcastResult, BroadcastRow } from './broadcast.js';

const STAGES = ['ratchet', 'seal', 'store', 'dispatch', 'whole'] as const;

/** Machines that the reading of two cores is reckoned up to. */
const CORE_COUNTS = [2, 4, 8, 16, 64] as const;

const count = (recipients: number): string => recipients.toLocaleString('en-US');

export function formatBroadcastResult(result: BroadcastResult): string {
  const { loop, timesLoop, stages, threads, comparedRecipients } = result;
  const header = [
    'broadcast',
    'recipients',
    'us each',
    'CPU us each',
    'a second',
    'loop p99 ms',
    'max ms',
    'RssAnon, MB',
  ];
  const rows = result.rows.map((row) => [
    row.broadcast,
    count(row.recipients),
    formatNumber(row.microsecondsEach),
    formatNumber(row.cpuMicrosecondsEach),
    formatNumber(1e6 / row.microsecondsEach),
    formatNumber(row.loopP99Ms),
    formatNumber(row.loopMaxMs),
    formatNumber(row.anonymousMegabytes),
  ]);
  return [
    formatTable(header, rows),
    `${count(comparedRecipients)} recipients, ${threads} threads: ${formatNumber(timesLoop.median)} times (${formatRange(timesLoop)}) ` +
      `as fast as the plain loop (${formatNumber(loop.median)} us each)`,
    `CPU us each: ${STAGES.map((stage) => `${stage} ${formatNumber(stages[stage])}`).join(', ')}`,
    ...result.rows.flatMap((row) => formatThreads(row) ?? []),
  ].join('\n');
}

/**
 * CPU time of a broadcast by kind of thread, and the highest pace by number of cores.
 *
 * At some pace the main thread is full, and no number of cores makes it higher.
 */
function formatThreads(row: BroadcastRow): string | undefined {
  const { threadMicrosecondsEach: times, mainGcMicrosecondsEach: gc } = row;
  if (times === undefined) return undefined;
  const all = THREAD_KINDS.reduce((sum, kind) => sum + times[kind], 0);
  const paces = CORE_COUNTS.map((cores) => {
    const pace = Math.min(1e6 / times.main, (cores * 1e6) / all);
    return `${cores} cores ${count(Math.round(pace))}`;
  });
  const kinds = THREAD_KINDS.map((kind) => `${kind} ${formatNumber(times[kind])}`);
  return (
    `${count(row.recipients)}, ${row.broadcast}: CPU us each: ${kinds.join(', ')} ` +
    `(garbage on main ${formatNumber(gc)}); at most a second: ${paces.join(', ')}`
  );
}

/** Against the plain loop, with the processors' time by stage. */
export function broadcastTable(results: readonly BroadcastResult[]): string {
  const compared = results[0]?.comparedRecipients ?? NaN;
  const header = [
    `A broadcast to ${count(compared)}`,
    ...results.map(({ environment }) => nodeLine(environment)),
  ];
  const row = (name: string, cell: (result: BroadcastResult) => string): string[] => [
    name,
    ...results.map(cell),
  ];
  const stage = (name: keyof BroadcastResult['stages']): ((result: BroadcastResult) => string) => {
    return ({ stages }) => formatNumber(stages[name]);
  };
  return formatMarkdownTable(header, [
    row('plain loop over libsignal, in memory, µs each', ({ loop }) => formatNumber(loop.median)),
    row(
      'times as fast',
      ({ timesLoop }) => `**${formatNumber(timesLoop.median)}** (${formatRange(timesLoop)})`,
    ),
    row('CPU µs each: ratchet', stage('ratchet')),
    row('seal', stage('seal')),
    row('store', stage('store')),
    row('dispatch', stage('dispatch')),
    row('all of it together', stage('whole')),
  ]);
}

export function broadcastSizesTable(results: readonly BroadcastResult[]): string {
  const header = [
    'Broadcasts by size',
    ...results.flatMap(({ environment }) => [
      `${nodeLine(environment)}: µs each`,
      'loop p99 ms',
      'RssAnon, MB',
    ]),
  ];
  const names = (results[0]?.rows ?? []).map(({ broadcast, recipients }) => ({
    broadcast,
    recipients,
  }));
  const rows = names.map(({ broadcast, recipients }) => [
    `${count(recipients)}, ${broadcast === 'first' ? 'a process’s first' : 'a later one'}`,
    ...results.flatMap(({ rows: ofLine }) => {
      const row = ofLine.find(
        (each) => each.broadcast === broadcast && each.recipients === recipients,
      );
      if (row === undefined) return ['', '', ''];
      return [row.microsecondsEach, row.loopP99Ms, row.anonymousMegabytes].map(formatNumber);
    }),
  ]);
  return formatMarkdownTable(header, rows);
}
