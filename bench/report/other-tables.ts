// Tables of the other benchmarks.
import type { KernelResult, KernelRow } from '../kernel/report.js';
import type { EventLoopResult } from '../pool/event-loop.js';
import { stageName, type MemoryResult } from '../pool/memory.js';
import type { ScanResult } from '../pool/scan.js';
import type { StartUpResult } from '../pool/start-up.js';
import { formatThreads } from '../peers/sealcast.js';
import { nodeLine } from './results.js';
import { formatMarkdownTable, formatNumber, formatRange } from './table.js';

const MEBIBYTE = 2 ** 20;

/** The kernels' parts on one line of Node, each against the fastest peer. */
export function kernelTable({ environment, kernels, picked, rows }: KernelResult): string {
  const header = [
    `${nodeLine(environment)}: ns each`,
    ...kernels.map((kernel) => `\`${kernel}\``),
    'best peer',
    'ns',
    `× best peer, \`${picked}\``,
  ];
  const ways = rows.filter(({ kernel }) => kernel === picked);
  return formatMarkdownTable(
    header,
    ways.map((row) => {
      const way = row.name.slice((row.kernel ?? '').length);
      const ofKernel = (kernel: string): KernelRow | undefined =>
        rows.find(
          ({ operation, name }) => operation === row.operation && name === `${kernel}${way}`,
        );
      const best = rows.find(
        ({ operation, name }) => operation === row.operation && name === row.bestPeer,
      );
      return [
        `${row.operation}${way}`,
        ...kernels.map((kernel) => formatOptional(ofKernel(kernel)?.nanoseconds.median)),
        row.bestPeer ?? '',
        formatOptional(best?.nanoseconds.median),
        formatOptional(row.timesBestPeer?.median),
      ];
    }),
  );
}

export function startUpTable(results: readonly StartUpResult[]): string {
  const count = results[0]?.envelopeCount.toLocaleString('en-US') ?? '';
  const header = [
    `First ${count} envelopes of a process`,
    ...results.flatMap(({ environment }) => [
      `${nodeLine(environment)}: ms since import`,
      'since process start',
    ]),
  ];
  const name = ({ choice, threads }: StartUpResult['rows'][number]): string =>
    `kernel \`${choice}\`, ${formatThreads(threads)}`;
  const names = [...new Set(results.flatMap(({ rows }) => rows.map(name)))];
  const rows = names.map((wanted) => [
    wanted,
    ...results.flatMap(({ rows: ofLine }) => {
      const row = ofLine.find((each) => name(each) === wanted);
      if (row === undefined) return ['', ''];
      const { sinceImportMs, sinceProcessStartMs } = row;
      return [
        `${formatNumber(sinceImportMs.median)} (${formatRange(sinceImportMs)})`,
        formatNumber(sinceProcessStartMs.median),
      ];
    }),
  ]);
  return formatMarkdownTable(header, rows);
}

export function scanTable(results: readonly ScanResult[]): string {
  const header = [
    'One broadcast, again and again',
    'recipients',
    'room for tables of',
    'served by table in the last',
    'µs each in the first',
    'in the last',
  ];
  const rows = results.map(({ environment, recipientCount, roomShare, rows: broadcasts }) => {
    const [first, last] = [broadcasts[0], broadcasts.at(-1)];
    return [
      nodeLine(environment),
      recipientCount.toLocaleString('en-US'),
      `${formatNumber(roomShare * 100)} %`,
      last ? `${formatNumber(last.tableShare * 100)} %` : '',
      formatOptional(first?.microsecondsPerEnvelope),
      formatOptional(last?.microsecondsPerEnvelope),
    ];
  });
  return formatMarkdownTable(header, rows);
}

export function eventLoopTable(results: readonly EventLoopResult[]): string {
  const counts = new Set(
    results.flatMap(({ rows }) => rows.map(({ envelopeCount }) => envelopeCount)),
  );
  const header = [
    `Event-loop delay, ${Math.max(...counts).toLocaleString('en-US')} envelopes`,
    ...results.flatMap(({ environment }) => [`${nodeLine(environment)}: p99 ms`, 'max ms']),
  ];
  const names = [...new Set(results.flatMap(({ rows }) => rows.map(({ name }) => name)))];
  const rows = names.map((name) => [
    name,
    ...results.flatMap(({ rows: ofLine }) => {
      const row = ofLine.find((each) => each.name === name);
      return [formatOptional(row?.p99Ms), formatOptional(row?.maxMs)];
    }),
  ]);
  return formatMarkdownTable(header, rows);
}

export function memoryTable(results: readonly MemoryResult[]): string {
  const header = [
    'Memory',
    ...results.flatMap(({ environment }) => [
      `${nodeLine(environment)}: RSS, MiB`,
      'over bare Node',
    ]),
  ];
  const stages = [...new Set(results.flatMap(({ rows }) => rows.map(({ stage }) => stage)))];
  const rows = stages.map((stage) => [
    stageName(stage, results[0]?.recipientCount ?? NaN),
    ...results.flatMap(({ rows: ofLine }) => {
      const row = ofLine.find((each) => each.stage === stage);
      return [row?.rssBytes, row?.overBareNodeBytes].map((bytes) =>
        formatOptional(bytes && bytes / MEBIBYTE),
      );
    }),
  ]);
  const each = [
    'a prepared recipient, bytes',
    ...results.flatMap(({ bytesPerPreparedRecipient }) => [
      '',
      formatNumber(bytesPerPreparedRecipient),
    ]),
  ];
  return formatMarkdownTable(header, [...rows, each]);
}

function formatOptional(value: number | undefined): string {
  return value === undefined ? '' : formatNumber(value);
}
