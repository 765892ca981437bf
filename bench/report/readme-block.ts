// The figures in README.md: rendered from committed results alone, between two markers.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvelopeResult, EnvelopeRow, Operation } from '../envelope/report.js';
import { formatRatio } from '../envelope/report.js';
import type { EventLoopResult } from '../pool/event-loop.js';
import type { MemoryResult } from '../pool/memory.js';
import type { Environment } from './environment.js';
import { formatMarkdownTable, formatNumber } from './table.js';

export const START_MARKER = '<!-- bench:start -->';
export const END_MARKER = '<!-- bench:end -->';

export type BenchResult = EnvelopeResult | EventLoopResult | MemoryResult;

const MEBIBYTE = 2 ** 20;

/** The results in a directory, by ascending version of Node. */
export function readResults(directory: string): BenchResult[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /^(envelope|event-loop|memory)-node\d+\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as BenchResult)
    .sort((a, b) => nodeMajor(a.environment) - nodeMajor(b.environment));
}

export function renderReadmeBlock(results: readonly BenchResult[]): string {
  const envelope = results.filter((result) => result.benchmark === 'envelope');
  const eventLoop = results.filter((result) => result.benchmark === 'event-loop');
  const memory = results.filter((result) => result.benchmark === 'memory');
  const sections = [
    ...(envelope.length > 0 ? [describeMachines(envelope), operationTable('seal', envelope)] : []),
    ...(envelope.length > 0 ? [operationTable('unseal', envelope)] : []),
    ...(eventLoop.length > 0 ? [eventLoopTable(eventLoop)] : []),
    ...(memory.length > 0 ? [memoryTable(memory)] : []),
  ];
  return sections.join('\n\n');
}

/** README with the text between the markers replaced. */
export function replaceBlock(readme: string, block: string): string {
  const start = readme.indexOf(START_MARKER);
  const end = readme.indexOf(END_MARKER);
  if (start < 0 || end < start) throw new Error(`README.md has no ${START_MARKER} ... ${END_MARKER}`);
  return `${readme.slice(0, start + START_MARKER.length)}\n\n${block}\n\n${readme.slice(end)}`;
}

function describeMachines(results: readonly EnvelopeResult[]): string {
  const machines = new Set(results.map(({ environment: { cpu, cores } }) => `${cpu}, ${cores} cores`));
  const kernels = results.map(({ environment, kernel }) => `Node ${environment.node}: \`${kernel}\` kernel`);
  const contentBytes = new Set(results.map((result) => result.contentBytes));
  const libsignal = new Set(results.map(({ environment }) => environment.libsignal));
  const noble = new Set(results.map(({ environment }) => environment.noble.curves));
  return (
    `One v1 envelope with a USMC of ${[...contentBytes].join(', ')} bytes. ${[...machines].join('; ')}. ` +
    `${kernels.join(', ')}. libsignal ${[...libsignal].join(', ')}, @noble/curves ${[...noble].join(', ')}. ` +
    'Medians of elapsed time, the calling thread included; ratios are taken within each round, with their quartiles.'
  );
}

const OPERATION_TITLES: Readonly<Record<Operation, string>> = { seal: 'Sealing', unseal: 'Unsealing' };

function operationTable(operation: Operation, results: readonly EnvelopeResult[]): string {
  const rowsByResult = results.map((result) => result.rows.filter((row) => row.operation === operation));
  const names = [...new Set(rowsByResult.flat().map(({ name }) => name))];
  const header = [
    OPERATION_TITLES[operation],
    ...results.flatMap(({ environment }) => [
      `Node ${nodeMajor(environment)}: µs`,
      'a second',
      '× libsignal',
      '× noble',
    ]),
  ];
  const rows = names.map((name) => [
    name,
    ...rowsByResult.flatMap((rows) => envelopeCells(rows.find((row) => row.name === name))),
  ]);
  return formatMarkdownTable(header, rows);
}

function envelopeCells(row: EnvelopeRow | undefined): string[] {
  if (row === undefined) return ['', '', '', ''];
  return [
    formatNumber(row.microsecondsPerEnvelope.median),
    formatNumber(row.envelopesPerSecond),
    formatRatio(row.timesLibsignal),
    formatNumber(row.timesNoble.median),
  ];
}

function eventLoopTable(results: readonly EventLoopResult[]): string {
  const header = ['Event-loop delay', 'Node', 'envelopes', 'ms in all', 'p50 ms', 'p99 ms', 'max ms'];
  const rows = results.flatMap(({ environment, rows: delays }) =>
    delays.map(({ name, envelopeCount, elapsedMs, p50Ms, p99Ms, maxMs }) => [
      name,
      String(nodeMajor(environment)),
      envelopeCount.toLocaleString('en-US'),
      ...[elapsedMs, p50Ms, p99Ms, maxMs].map(formatNumber),
    ]),
  );
  return formatMarkdownTable(header, rows);
}

function memoryTable(results: readonly MemoryResult[]): string {
  const header = ['Memory', 'Node', 'RSS, MiB', 'over bare Node, MiB'];
  const rows = results.flatMap(({ environment, rows: readings }) =>
    readings.map(({ stage, rssBytes, overBareNodeBytes }) => [
      stage,
      String(nodeMajor(environment)),
      formatNumber(rssBytes / MEBIBYTE),
      formatNumber(overBareNodeBytes / MEBIBYTE),
    ]),
  );
  return formatMarkdownTable(header, rows);
}

function nodeMajor({ node }: Environment): number {
  return Number.parseInt(node, 10);
}
