import { nodeLine } from '../report/results.js';
import { formatMarkdownTable, formatNumber, formatTable } from '../report/table.js';
import { mostOf, type BroadcastMemoryResult, type BroadcastMemoryRow } from './broadcast-memory.js';

const count = (recipients: number): string => recipients.toLocaleString('en-US');

export function formatBroadcastMemoryResult(result: BroadcastMemoryResult): string {
  const { rows, broadcasts, growth } = result;
  const numbers = Array.from({ length: broadcasts }, (_, i) => i);
  const header = [
    'RssAnon, MB, in broadcast',
    ...numbers.map((i) => String(i + 1)),
    'after',
    'heap',
    'external',
    'loop p99 ms, first',
    'later, most',
  ];
  const cells = rows.map((row) => {
    const { anonymousMegabytes, settled, loopP99Ms } = row;
    return [
      `${count(row.recipients)} recipients`,
      ...numbers.map((i) => formatNumber(anonymousMegabytes[i] ?? NaN)),
      ...[settled.anonymousMegabytes, settled.heapMegabytes, settled.externalMegabytes].map(
        formatNumber,
      ),
      formatNumber(loopP99Ms[0] ?? NaN),
      formatNumber(laterP99(row)),
    ];
  });
  return `${formatTable(header, cells)}\nthe most at the end of the table, over that at its start: ${formatNumber(growth)}`;
}

/** The slowest of the broadcasts after the first. */
const laterP99 = ({ loopP99Ms }: BroadcastMemoryRow): number => Math.max(...loopP99Ms.slice(1));

export function broadcastMemoryTable(results: readonly BroadcastMemoryResult[]): string {
  const { broadcasts = NaN, rows: first = [] } = results[0] ?? {};
  const header = [
    `${broadcasts} broadcasts in a process, to strangers first`,
    ...results.map(({ environment }) => nodeLine(environment)),
  ];
  const line = (
    name: string,
    recipients: number,
    figure: (row: BroadcastMemoryRow) => number,
  ): string[] => [
    name,
    ...results.map(({ rows }) => {
      const row = rows.find((each) => each.recipients === recipients);
      return row === undefined ? '' : formatNumber(figure(row));
    }),
  ];
  const cells = first.flatMap(({ recipients }) => [
    line(`${count(recipients)} recipients: RssAnon, MB`, recipients, mostOf),
    line(
      'after the last, garbage collected',
      recipients,
      ({ settled }) => settled.anonymousMegabytes,
    ),
    line('event loop p99, ms: to strangers', recipients, ({ loopP99Ms }) => loopP99Ms[0] ?? NaN),
    line('slowest later one', recipients, laterP99),
  ]);
  return formatMarkdownTable(header, [
    ...cells,
    ['RssAnon, most recipients over fewest', ...results.map(({ growth }) => formatNumber(growth))],
  ]);
}
