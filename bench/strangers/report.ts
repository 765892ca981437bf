import { formatRows, formatThreads } from '../broadcast/report.js';
import { nodeLine } from '../report/results.js';
import { formatMarkdownTable, formatNumber, formatRange, formatRatio } from '../report/table.js';
import type { StrangersBroadcast, StrangersResult } from './strangers.js';

const NAMES: Readonly<Record<StrangersBroadcast, string>> = {
  first: 'a process’s first',
  later: 'a later one, to others',
};
const count = (recipients: number): string => recipients.toLocaleString('en-US');

export function formatStrangersResult(result: StrangersResult): string {
  const { recipients, threads, loop, timesLoop, rows } = result;
  return [
    formatRows('strangers', rows),
    ...(['first', 'later'] as const).map(
      (name) =>
        `${count(recipients)} strangers, ${threads} threads, ${name}: ${formatRatio(timesLoop[name])} times ` +
        `as fast as the plain loop (${formatNumber(loop[name].median)} us each)`,
    ),
    ...rows.flatMap((row) => formatThreads(row) ?? []),
  ].join('\n');
}

export function strangersTable(results: readonly StrangersResult[]): string {
  const header = [
    `First messages to ${count(results[0]?.recipients ?? NaN)} recipients without sessions`,
    ...results.map(({ environment }) => nodeLine(environment)),
  ];
  const rows = (['first', 'later'] as const).flatMap((name) => {
    const read = (result: StrangersResult): StrangersResult['rows'][number] | undefined =>
      result.rows.find(({ broadcast }) => broadcast === name);
    const figure = (
      title: string,
      of: (row: StrangersResult['rows'][number]) => number | undefined,
    ): string[] => [
      title,
      ...results.map((result) => {
        const row = read(result);
        const value = row === undefined ? undefined : of(row);
        return value === undefined ? '' : formatNumber(value);
      }),
    ];
    return [
      [
        `${NAMES[name]}: plain loop over libsignal, in memory, µs each`,
        ...results.map(({ loop }) => formatNumber(loop[name].median)),
      ],
      [
        'times as fast',
        ...results.map(
          ({ timesLoop }) =>
            `**${formatNumber(timesLoop[name].median)}** (${formatRange(timesLoop[name])})`,
        ),
      ],
      figure('CPU µs each', ({ cpuMicrosecondsEach }) => cpuMicrosecondsEach),
      figure('main thread', ({ threadMicrosecondsEach }) => threadMicrosecondsEach?.main),
      figure('workers', ({ threadMicrosecondsEach }) => threadMicrosecondsEach?.workers),
      figure('event loop p99, ms', ({ loopP99Ms }) => loopP99Ms),
      figure('RssAnon, MB', ({ anonymousMegabytes }) => anonymousMegabytes),
    ];
  });
  return formatMarkdownTable(header, rows);
}
