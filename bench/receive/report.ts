import { nodeLine } from '../report/results.js';
import { formatMarkdownTable, formatNumber, formatRatio, formatTable } from '../report/table.js';
import { THREAD_KINDS } from '../measure/thread-cpu.js';
import type { ReceiveResult, ReceiveRow, RowName } from './receive.js';

const STAGES = ['unseal', 'decrypt', 'store', 'whole'] as const;
const NAMES: Readonly<Record<RowName, string>> = {
  first: 'replies, a process’s first',
  later: 'replies, later ones',
  receipts: 'delivery receipts',
};

const count = (messages: number): string => messages.toLocaleString('en-US');
const nameOf = ({ batch, window }: ReceiveRow): string =>
  window === 'service' ? NAMES[batch] : `${NAMES[batch]}, all at once`;

export function formatReceiveResult(result: ReceiveResult): string {
  const { loop, stages, threads, messages, serviceWindow } = result;
  const header = [
    'received',
    'us each',
    'a second',
    'times the loop',
    'CPU us each',
    'loop p50 ms',
    'p99 ms',
    'max ms',
    'RssAnon, MB',
  ];
  const rows = result.rows.map((row) => [
    nameOf(row),
    formatNumber(row.microsecondsEach.median),
    formatNumber(1e6 / row.microsecondsEach.median),
    formatRatio(row.timesLoop),
    formatNumber(row.cpuMicrosecondsEach.median),
    formatNumber(row.loopP50Ms.median),
    formatNumber(row.loopP99Ms.median),
    formatNumber(row.loopMaxMs.median),
    formatNumber(row.anonymousMegabytes.median),
  ]);
  const loops = (Object.keys(NAMES) as RowName[]).map(
    (name) => `${NAMES[name]} ${formatNumber(loop[name].median)}`,
  );
  return [
    formatTable(header, rows),
    `${count(messages)} messages of as many senders, ${threads} threads, ${serviceWindow} on their way unless all at once`,
    `the plain loop, us each: ${loops.join(', ')}`,
    `CPU us each: ${STAGES.map((stage) => `${stage} ${formatNumber(stages[stage])}`).join(', ')}`,
    ...result.rows.flatMap((row) => formatThreads(row) ?? []),
  ].join('\n');
}

/** CPU time of a row by kind of thread. */
function formatThreads(row: ReceiveRow): string | undefined {
  const { threadMicrosecondsEach: times, mainGcMicrosecondsEach: gc } = row;
  if (times === undefined) return undefined;
  const kinds = THREAD_KINDS.map((kind) => `${kind} ${formatNumber(times[kind].median)}`);
  return `${nameOf(row)}: CPU us each: ${kinds.join(', ')} (garbage on main ${formatNumber(gc.median)})`;
}

export function receiveTable(results: readonly ReceiveResult[]): string {
  const [first] = results;
  const header = [
    `${count(first?.messages ?? NaN)} sealed messages received`,
    ...results.map(({ environment }) => nodeLine(environment)),
  ];
  const row = (name: string, cell: (result: ReceiveResult) => string): string[] => [
    name,
    ...results.map(cell),
  ];
  const of = (result: ReceiveResult, wanted: ReceiveRow): ReceiveRow | undefined =>
    result.rows.find(({ batch, window }) => batch === wanted.batch && window === wanted.window);
  const cellOf =
    (wanted: ReceiveRow, cell: (found: ReceiveRow) => string) => (result: ReceiveResult) => {
      const found = of(result, wanted);
      return found === undefined ? '' : cell(found);
    };
  const rows = (first?.rows ?? []).flatMap((wanted) => [
    row(
      `${nameOf(wanted)}: a second`,
      cellOf(wanted, ({ microsecondsEach }) => formatNumber(1e6 / microsecondsEach.median)),
    ),
    row(
      'times as fast as the plain loop',
      cellOf(wanted, ({ timesLoop }) => formatRatio(timesLoop)),
    ),
    row(
      'CPU µs each',
      cellOf(wanted, ({ cpuMicrosecondsEach }) => formatNumber(cpuMicrosecondsEach.median)),
    ),
    row(
      'event loop p99, ms',
      cellOf(wanted, ({ loopP99Ms }) => formatNumber(loopP99Ms.median)),
    ),
    row(
      'RssAnon, MB',
      cellOf(wanted, ({ anonymousMegabytes }) => formatNumber(anonymousMegabytes.median)),
    ),
  ]);
  const stage = (name: (typeof STAGES)[number], title: string): string[] =>
    row(title, ({ stages }) => formatNumber(stages[name]));
  return formatMarkdownTable(header, [
    row('plain loop, replies, a process’s first: µs each', ({ loop }) =>
      formatNumber(loop.first.median),
    ),
    row('later ones', ({ loop }) => formatNumber(loop.later.median)),
    row('delivery receipts', ({ loop }) => formatNumber(loop.receipts.median)),
    ...rows,
    stage('unseal', 'CPU µs each of later replies: unseal'),
    stage('decrypt', 'decrypt'),
    stage('store', 'store'),
    stage('whole', 'all of it together'),
  ]);
}
