// Rows of the envelope benchmark that the chart shows.
import type { EnvelopeResult } from '../envelope/report.js';
import { rowName, type EnvelopeRow, type Operation } from '../envelope/rows.js';
import { fullCase } from './envelope-tables.js';

export interface ChartPanel {
  readonly title: string;
  readonly rows: readonly ChartRow[];
}

export interface ChartRow {
  readonly name: string;
  /** Times as fast as libsignal, on each result's line of Node; null where it was not measured. */
  readonly values: readonly (number | null)[];
}

interface Choice {
  readonly matches: (row: EnvelopeRow, pickedKernel: string) => boolean;
}

const sealcast = (acquaintance: EnvelopeRow['acquaintance'], threads: 'one' | 'all'): Choice => ({
  matches: (row, pickedKernel) =>
    row.subject === 'sealcast' &&
    row.kernel === pickedKernel &&
    row.acquaintance === acquaintance &&
    row.threads > 1 === (threads === 'all'),
});
const peer = (subject: EnvelopeRow['subject']): Choice => ({
  matches: (row) => row.subject === subject,
});
const PEERS = [peer('rust-tables'), peer('rust-kept'), peer('openssl-kept'), peer('noble')];

const PANELS: readonly {
  readonly title: string;
  readonly operation: Operation;
  readonly choices: readonly Choice[];
}[] = [
  {
    title: 'Sealing',
    operation: 'seal',
    choices: [
      sealcast('prepared', 'all'),
      sealcast('prepared', 'one'),
      sealcast('first-contact', 'one'),
      ...PEERS,
    ],
  },
  {
    title: 'Unsealing',
    operation: 'unseal',
    choices: [
      sealcast('known', 'all'),
      sealcast('known', 'one'),
      sealcast('never-seen', 'one'),
      ...PEERS,
    ],
  },
];

export function chartPanels(results: readonly EnvelopeResult[]): ChartPanel[] {
  return PANELS.map(({ title, operation, choices }) => ({
    title,
    rows: choices.flatMap((choice) => {
      const found = results.map((result) =>
        fullCase(result).rows.find(
          (row) => row.operation === operation && choice.matches(row, result.kernel),
        ),
      );
      const named = found.find((row) => row !== undefined);
      if (named === undefined) return [];
      return [
        { name: chartName(named), values: found.map((row) => row?.timesLibsignal?.median ?? null) },
      ];
    }),
  }));
}

/**
 * The name of a row in the chart. The title names the kernels, and a row with tables keeps DH(S, R)
 * as well: a label has one line.
 */
function chartName(row: EnvelopeRow): string {
  return rowName(row)
    .replace(/ \(\w+\), /, ', ')
    .replace('DH(S, R) and tables kept', 'tables kept');
}
