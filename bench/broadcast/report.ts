import { nodeLine } from '../report/results.js';
import {
  formatMarkdownTable,
  formatNumber,
  formatRange,
  formatRatio,
  formatTable,
} from '../report/table.js';
import { THREAD_KINDS, type ThreadKind, type ThreadTimes } from '../measure/thread-cpu.js';
import type { BroadcastReading } from './broadcast-child.js';
import type { BroadcastResult, BroadcastRow } from './broadcast.js';

const STAGES = ['ratchet', 'store', 'seal', 'dispatch'] as const;
const STAGE_NAMES = {
  ratchet: 'ratchet',
  store: '+ store',
  seal: '+ seal',
  dispatch: '+ dispatch',
} as const satisfies Record<(typeof STAGES)[number], string>;

/** Machines that the reading of two cores is reckoned up to. */
const CORE_COUNTS = [2, 4, 8, 16, 64] as const;

const count = (recipients: number): string => recipients.toLocaleString('en-US');

export function formatBroadcastResult(result: BroadcastResult): string {
  const { loop, timesLoop, firstOverLater, copiedBytesEach, threads, comparedRecipients } = result;
  const byThreads = result.byThreads ?? [];
  return [
    formatRows('broadcast', result.rows),
    `${count(comparedRecipients)} recipients, ${threads} threads: ${formatRatio(timesLoop)} times ` +
      `as fast as the plain loop (${formatNumber(loop.median)} us each)`,
    ...(firstOverLater === undefined
      ? []
      : [`a process's first takes ${formatRatio(firstOverLater)} times as long as a later one`]),
    ...(copiedBytesEach === undefined
      ? []
      : [
          `bytes between threads, each: ${formatNumber(copiedBytesEach.cloned)} cloned, ` +
            `${formatNumber(copiedBytesEach.transferred)} transferred`,
        ]),
    formatTable(
      ['stages', 'CPU us each', 'in all'],
      stageRows(result).map(({ name, alone, sum }) => [
        name,
        alone === undefined ? '' : formatNumber(alone),
        formatNumber(sum),
      ]),
    ),
    ...(byThreads.length === 0
      ? []
      : [formatTable(['workers', ...THREAD_HEADER], byThreads.map(threadCells))]),
    ...result.rows.flatMap((row) => formatThreads(row) ?? []),
  ].join('\n');
}

/** One row for each broadcast. */
export function formatRows(title: string, rows: readonly BroadcastRow[]): string {
  const header = [
    title,
    'recipients',
    'us each',
    'CPU us each',
    'a second',
    'loop p99 ms',
    'max ms',
    'RssAnon, MB',
  ];
  const cells = rows.map((row) => [
    row.broadcast,
    count(row.recipients),
    formatNumber(row.microsecondsEach),
    formatNumber(row.cpuMicrosecondsEach),
    formatNumber(1e6 / row.microsecondsEach),
    formatNumber(row.loopP99Ms),
    formatNumber(row.loopMaxMs),
    formatNumber(row.anonymousMegabytes),
  ]);
  return formatTable(header, cells);
}

interface StageRow {
  readonly name: string;
  /** µs of the stage alone; none of a whole broadcast. */
  readonly alone?: number;
  /** µs of it and of the stages before. */
  readonly sum: number;
}

/** Stages one after the other, each with those before it, and then whole broadcasts. */
function stageRows({ stages }: BroadcastResult): StageRow[] {
  let sum = 0;
  const rows: StageRow[] = STAGES.map((stage) => {
    sum += stages[stage];
    return { name: STAGE_NAMES[stage], alone: stages[stage], sum };
  });
  rows.push({ name: 'whole broadcast, sealed', sum: stages.whole });
  if (stages.unsealed !== undefined)
    rows.push({ name: 'whole broadcast, unsealed', sum: stages.unsealed });
  return rows;
}

const THREAD_HEADER = ['us each', 'CPU us each', ...THREAD_KINDS];

function threadCells(reading: BroadcastReading): string[] {
  const { threads, microsecondsEach, cpuMicrosecondsEach, threadMicrosecondsEach: times } = reading;
  return [
    String(threads),
    formatNumber(microsecondsEach),
    formatNumber(cpuMicrosecondsEach),
    ...THREAD_KINDS.map((kind) => (times === undefined ? '' : formatNumber(times[kind]))),
  ];
}

/**
 * CPU time of a broadcast by kind of thread, and the highest pace by number of cores.
 *
 * At some pace the main thread is full, and no number of cores makes it higher.
 */
export function formatThreads(row: BroadcastRow): string | undefined {
  const { threadMicrosecondsEach: times, mainGcMicrosecondsEach: gc } = row;
  if (times === undefined) return undefined;
  const paces = CORE_COUNTS.map((cores) => `${cores} cores ${count(highestPace(times, cores))}`);
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
    return ({ stages }) => formatOptional(stages[name]);
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

/**
 * Stages from the ratchet's step to an envelope that has left; undefined where no result has all of
 * them.
 */
export function broadcastStagesTable(results: readonly BroadcastResult[]): string | undefined {
  const full = results.filter(({ stages }) => stages.unsealed !== undefined);
  if (full.length === 0) return undefined;
  const header = [
    'CPU µs of a recipient, stage by stage',
    ...full.flatMap(({ environment }) => [`${nodeLine(environment)}: alone`, 'in all']),
  ];
  const columns = full.map(stageRows);
  const rows = (columns[0] ?? []).map(({ name }, i) => [
    name,
    ...columns.flatMap((column) => [
      formatOptional(column[i]?.alone),
      formatOptional(column[i]?.sum),
    ]),
  ]);
  return formatMarkdownTable(header, rows);
}

/**
 * Time by kind of thread, bytes between threads, and the highest pace by number of cores; undefined
 * where no result has them.
 */
export function broadcastThreadsTable(results: readonly BroadcastResult[]): string | undefined {
  const full = results.flatMap((result) => {
    const { comparedRecipients, copiedBytesEach, firstOverLater } = result;
    const row = result.rows.find(
      ({ broadcast, recipients }) => broadcast === 'later' && recipients === comparedRecipients,
    );
    const times = row?.threadMicrosecondsEach;
    return copiedBytesEach === undefined || row === undefined || times === undefined
      ? []
      : [{ result, row, times, copiedBytesEach, firstOverLater }];
  });
  if (full.length === 0) return undefined;
  type Full = (typeof full)[number];
  const header = [
    `A later broadcast to ${count(full[0]?.result.comparedRecipients ?? NaN)}, of a recipient`,
    ...full.map(({ result }) => nodeLine(result.environment)),
  ];
  const line = (name: string, cell: (of: Full) => string): string[] => [name, ...full.map(cell)];
  return formatMarkdownTable(header, [
    ...THREAD_KINDS.map((kind) =>
      line(`CPU µs: ${THREAD_NAMES[kind]}`, ({ times }) => formatNumber(times[kind])),
    ),
    line('garbage collection on the main thread', ({ row }) =>
      formatNumber(row.mainGcMicrosecondsEach),
    ),
    line('bytes between threads: cloned', ({ copiedBytesEach }) =>
      formatNumber(copiedBytesEach.cloned),
    ),
    line('transferred', ({ copiedBytesEach }) => formatNumber(copiedBytesEach.transferred)),
    line('a process’s first broadcast, times as long', ({ firstOverLater }) =>
      firstOverLater === undefined ? '' : formatRatio(firstOverLater),
    ),
    ...CORE_COUNTS.map((cores) =>
      line(`at most a second on ${cores} cores`, ({ times }) => count(highestPace(times, cores))),
    ),
    ...(full[0]?.result.byThreads ?? []).map(({ threads }) =>
      line(`µs each with ${formatWorkers(threads)}`, ({ result }) =>
        formatOptional(
          result.byThreads?.find((each) => each.threads === threads)?.microsecondsEach,
        ),
      ),
    ),
  ]);
}

const THREAD_NAMES: Readonly<Record<ThreadKind, string>> = {
  main: 'main thread',
  workers: 'workers',
  v8: 'V8’s helpers',
  libuv: 'libuv’s threads',
};

const formatWorkers = (threads: number): string =>
  threads === 1 ? '1 worker' : `${threads} workers`;

const formatOptional = (value: number | undefined): string =>
  value === undefined ? '' : formatNumber(value);

/** Recipients a second: the main thread is full, or all cores are. */
function highestPace(times: ThreadTimes, cores: number): number {
  const all = THREAD_KINDS.reduce((sum, kind) => sum + times[kind], 0);
  return Math.round(Math.min(1e6 / times.main, (cores * 1e6) / all));
}
