// The figures in README.md: rendered from committed results alone, between two markers.
import { broadcastSizesTable, broadcastTable } from '../broadcast/report.js';
import { receiveTable } from '../receive/report.js';
import type { EnvelopeResult } from '../envelope/report.js';
import { CHART_FILES } from './chart.js';
import { casesTable, fullCase, operationTable, ratioTable } from './envelope-tables.js';
import { eventLoopTable, kernelTable, memoryTable, scanTable, startUpTable } from './other-tables.js';
import { resultsOf, type BenchResult } from './results.js';

export const START_MARKER = '<!-- bench:start -->';
export const END_MARKER = '<!-- bench:end -->';

export function renderReadmeBlock(results: readonly BenchResult[]): string {
  const envelope = resultsOf(results, 'envelope');
  const kernel = resultsOf(results, 'kernel');
  const startUp = resultsOf(results, 'start-up');
  const scan = resultsOf(results, 'scan');
  const eventLoop = resultsOf(results, 'event-loop');
  const memory = resultsOf(results, 'memory');
  const broadcast = resultsOf(results, 'broadcast');
  const receive = resultsOf(results, 'receive');
  const [newestEnvelope, newestKernel] = [envelope.at(-1), kernel.at(-1)];
  return [
    ...(newestEnvelope
      ? [
          describeConditions(envelope),
          chartImage(),
          ratioTable(envelope),
          operationTable('Sealing', ['seal', 'prepare'], envelope),
          operationTable('Unsealing', ['unseal'], envelope),
          casesTable(newestEnvelope),
        ]
      : []),
    ...(newestKernel ? [kernelTable(newestKernel)] : []),
    ...(startUp.length > 0 ? [startUpTable(startUp)] : []),
    ...(scan.length > 0 ? [scanTable(scan)] : []),
    ...(eventLoop.length > 0 ? [eventLoopTable(eventLoop)] : []),
    ...(memory.length > 0 ? [memoryTable(memory)] : []),
    ...(broadcast.length > 0 ? [broadcastTable(broadcast), broadcastSizesTable(broadcast)] : []),
    ...(receive.length > 0 ? [receiveTable(receive)] : []),
  ].join('\n\n');
}

/** README with the text between the markers replaced. */
export function replaceBlock(readme: string, block: string): string {
  const start = readme.indexOf(START_MARKER);
  const end = readme.indexOf(END_MARKER);
  if (start < 0 || end < start) throw new Error(`README.md has no ${START_MARKER} ... ${END_MARKER}`);
  return `${readme.slice(0, start + START_MARKER.length)}\n\n${block}\n\n${readme.slice(end)}`;
}

function describeConditions(results: readonly EnvelopeResult[]): string {
  const all = (describe: (result: EnvelopeResult) => string): string => [...new Set(results.map(describe))].join(', ');
  const machines = all(({ environment: { cpu, cores } }) => `${cpu} with ${cores} cores`);
  const kernels = all(({ environment, kernel }) => `Node ${environment.node} (\`${kernel}\` kernel)`);
  const libraries = all(({ environment: { libsignal, noble, rust } }) => {
    const dalek = rust?.['curve25519-dalek'];
    return `libsignal ${libsignal}, @noble/curves ${noble.curves}${dalek ? `, curve25519-dalek ${dalek}` : ''}`;
  });
  const sizes = all((result) => {
    const { contentBytes, recipientCount } = fullCase(result);
    return `a USMC of ${contentBytes} bytes, ${recipientCount.toLocaleString('en-US')} recipients a call`;
  });
  return (
    `${machines}; ${kernels}; ${libraries}. v1 envelopes with ${sizes}, where a table ` +
    'says nothing else. Medians of elapsed time, the calling thread included; ratios are taken within each round, with ' +
    'their quartiles.'
  );
}

function chartImage(): string {
  const alt =
    'How many times as fast as libsignal’s addon sealcast and its peers seal and unseal, on each line of Node';
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="bench/results/${CHART_FILES.dark}">`,
    `  <img alt="${alt}" src="bench/results/${CHART_FILES.light}">`,
    '</picture>',
  ].join('\n');
}
