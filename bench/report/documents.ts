// Figures in README.md and docs/benchmarks.md: rendered from committed results alone, between
// two markers.
import { broadcastMemoryTable } from '../broadcast-memory/report.js';
import {
  broadcastSizesTable,
  broadcastStagesTable,
  broadcastTable,
  broadcastThreadsTable,
} from '../broadcast/report.js';
import { strangersTable } from '../strangers/report.js';
import { receiveTable } from '../receive/report.js';
import type { EnvelopeResult } from '../envelope/report.js';
import { CHART_FILES } from './chart.js';
import { casesTable, fullCase, operationTable, ratioTable } from './envelope-tables.js';
import {
  eventLoopTable,
  kernelTable,
  memoryTable,
  scanTable,
  startUpTable,
} from './other-tables.js';
import { resultsOf, type BenchResult } from './results.js';

export const START_MARKER = '<!-- bench:start -->';
export const END_MARKER = '<!-- bench:end -->';

/** A document with figures in it: its path in the repository, and the text between its markers. */
export interface FigureDocument {
  readonly path: string;
  readonly render: (results: readonly BenchResult[]) => string;
}

export const FIGURE_DOCUMENTS: readonly FigureDocument[] = [
  { path: 'README.md', render: renderOverview },
  { path: 'docs/benchmarks.md', render: renderAllTables },
];

/** One chart and one table: sealing and unsealing against the peers. */
function renderOverview(results: readonly BenchResult[]): string {
  const envelope = resultsOf(results, 'envelope');
  return [describeConditions(envelope), chartImage('bench/results'), ratioTable(envelope)].join(
    '\n\n',
  );
}

function renderAllTables(results: readonly BenchResult[]): string {
  const envelope = resultsOf(results, 'envelope');
  const newestEnvelope = envelope.at(-1);
  const newestKernel = resultsOf(results, 'kernel').at(-1);
  const startUp = resultsOf(results, 'start-up');
  const scan = resultsOf(results, 'scan');
  const eventLoop = resultsOf(results, 'event-loop');
  const memory = resultsOf(results, 'memory');
  const broadcast = resultsOf(results, 'broadcast');
  const strangers = resultsOf(results, 'strangers');
  const broadcastMemory = resultsOf(results, 'broadcast-memory');
  const receive = resultsOf(results, 'receive');
  return [
    ...(newestEnvelope
      ? [
          describeConditions(envelope),
          chartImage('../bench/results'),
          '## Envelopes',
          ratioTable(envelope),
          operationTable('Sealing', ['seal', 'prepare'], envelope),
          operationTable('Unsealing', ['unseal'], envelope),
          casesTable(newestEnvelope),
        ]
      : []),
    ...(newestKernel ? ['## Kernels', kernelTable(newestKernel)] : []),
    ...(startUp.length > 0 ? ['## Start-up', startUpTable(startUp)] : []),
    ...(scan.length > 0 ? ['## Recipient cache', scanTable(scan)] : []),
    ...(eventLoop.length > 0 ? ['## Event loop', eventLoopTable(eventLoop)] : []),
    ...(memory.length > 0 ? ['## Memory', memoryTable(memory)] : []),
    ...(broadcast.length > 0
      ? [
          '## Broadcasting',
          broadcastTable(broadcast),
          broadcastStagesTable(broadcast) ?? [],
          broadcastThreadsTable(broadcast) ?? [],
          broadcastSizesTable(broadcast),
        ].flat()
      : []),
    ...(strangers.length > 0 ? ['## First messages', strangersTable(strangers)] : []),
    ...(broadcastMemory.length > 0
      ? ['## Memory of broadcasts', broadcastMemoryTable(broadcastMemory)]
      : []),
    ...(receive.length > 0 ? ['## Receiving', receiveTable(receive)] : []),
  ].join('\n\n');
}

/** The document with the text between its markers replaced. */
export function replaceBlock(text: string, block: string): string {
  const start = text.indexOf(START_MARKER);
  const end = text.indexOf(END_MARKER);
  if (start < 0 || end < start)
    throw new Error(`there is no ${START_MARKER} ... ${END_MARKER} to write between`);
  return `${text.slice(0, start + START_MARKER.length)}\n\n${block}\n\n${text.slice(end)}`;
}

function describeConditions(results: readonly EnvelopeResult[]): string {
  const all = (describe: (result: EnvelopeResult) => string): string =>
    [...new Set(results.map(describe))].join(', ');
  const machines = all(({ environment: { cpu, cores } }) => `${cpu} with ${cores} cores`);
  const kernels = all(
    ({ environment, kernel }) => `Node ${environment.node} (\`${kernel}\` kernel)`,
  );
  const libraries = all(({ environment: { libsignal, noble, rust } }) => {
    const dalek = rust?.['curve25519-dalek'];
    return `libsignal ${libsignal}, @noble/curves ${noble.curves}${dalek ? `, curve25519-dalek ${dalek}` : ''}`;
  });
  const sizes = all((result) => {
    const { contentBytes, recipientCount } = fullCase(result);
    return `a USMC of ${contentBytes} bytes, ${recipientCount.toLocaleString('en-US')} recipients a call`;
  });
  return (
    `${machines}; ${kernels}; ${libraries}. v1 envelopes with ${sizes}, unless a table says otherwise. Medians of ` +
    'elapsed time, the calling thread included; ratios are taken within each round, with their quartiles.'
  );
}

/** @param directory of the charts, from the document that shows them. */
function chartImage(directory: string): string {
  const alt =
    'How many times as fast as libsignal’s addon sealcast and its peers seal and unseal, on each line of Node';
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${directory}/${CHART_FILES.dark}">`,
    `  <img alt="${alt}" src="${directory}/${CHART_FILES.light}">`,
    '</picture>',
  ].join('\n');
}
