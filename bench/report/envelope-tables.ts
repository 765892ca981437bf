// Tables of the envelope benchmark.
import type { CaseResult, EnvelopeResult } from '../envelope/report.js';
import {
  findRow,
  rowName,
  type EnvelopeRow,
  type Operation,
  type RowIdentity,
} from '../envelope/rows.js';
import type { TargetId } from '../envelope/targets.js';
import { nodeLine } from './results.js';
import { formatMarkdownTable, formatNumber, formatRatio } from './table.js';

const RATIO_NAMES: Readonly<Record<TargetId, string>> = {
  'seal-prepared-libsignal': 'sealing, recipients prepared, against libsignal',
  'seal-first-libsignal': 'sealing, first contact, against libsignal',
  'unseal-known-libsignal': 'unsealing, sender known, against libsignal',
  'x25519-openssl': 'bare X25519, batch of 256, against `crypto.diffieHellman`',
  'seal-prepared-noble': 'sealing, recipients prepared, against @noble',
  threads: 'sealing, recipients prepared, all threads against one',
};

/** The case with all peers. */
export function fullCase({ cases: [first] }: EnvelopeResult): CaseResult {
  if (first === undefined) throw new Error('an envelope result without a case');
  return first;
}

export function ratioTable(results: readonly EnvelopeResult[]): string {
  const header = [
    'One thread unless the row says otherwise',
    ...results.map(({ environment }) => nodeLine(environment)),
  ];
  const ids = Object.keys(RATIO_NAMES) as TargetId[];
  const rows = ids.map((id) => [
    RATIO_NAMES[id],
    ...results.map(({ targets }) => {
      const measured = targets.find((target) => target.id === id)?.measured;
      return measured ? formatRatio(measured) : '';
    }),
  ]);
  return formatMarkdownTable(header, rows);
}

export function operationTable(
  title: string,
  operations: readonly Operation[],
  results: readonly EnvelopeResult[],
): string {
  const header = [
    title,
    ...results.flatMap(({ environment }) => [`${nodeLine(environment)}: µs`, '× libsignal']),
  ];
  const labels = new Map<string, RowIdentity>();
  for (const result of results) {
    for (const row of fullCase(result).rows)
      if (operations.includes(row.operation)) labels.set(label(row, result), row);
  }
  const rows = [...labels].map(([name, identity]) => [
    name,
    ...results.flatMap((result) => rowCells(counterpart(identity, name, operations, result))),
  ]);
  // sealcast's own first: the kernel that it picks, then the others, then the peers.
  return formatMarkdownTable(header, [
    ...rows.filter(([name]) => name?.startsWith('sealcast, ')),
    ...rows.filter(([name]) => name?.startsWith('sealcast (')),
    ...rows.filter(([name]) => !name?.startsWith('sealcast')),
  ]);
}

/** Other sizes and numbers of recipients, on one line of Node. */
export function casesTable(result: EnvelopeResult): string {
  const header = [
    `${nodeLine(result.environment)}: USMC bytes`,
    'recipients a call',
    'prepared: µs',
    '× libsignal',
    'first contact: µs',
    '× libsignal',
    'unsealing: µs',
    '× libsignal',
  ];
  const states = [
    { operation: 'seal', acquaintance: 'prepared' },
    { operation: 'seal', acquaintance: 'first-contact' },
    { operation: 'unseal', acquaintance: 'known' },
  ] as const;
  const rows = result.cases.map(({ contentBytes, recipientCount, rows: ofCase }) => [
    contentBytes.toLocaleString('en-US'),
    recipientCount.toLocaleString('en-US'),
    ...states.flatMap((state) =>
      rowCells(
        findRow(ofCase, { ...state, subject: 'sealcast', kernel: result.kernel, threads: 1 }),
      ),
    ),
  ]);
  return formatMarkdownTable(header, rows);
}

/** A row's name in the tables: the kernel is named where it is not the one that sealcast picks. */
function label(identity: RowIdentity, { kernel }: EnvelopeResult): string {
  const name = rowName(identity);
  return identity.kernel === kernel ? name.replace(` (${kernel})`, '') : name;
}

/** The row of that name; where sealcast picks the kernel that others do not, it is that row too. */
function counterpart(
  identity: RowIdentity,
  name: string,
  operations: readonly Operation[],
  result: EnvelopeResult,
): EnvelopeRow | undefined {
  const rows = fullCase(result).rows.filter(({ operation }) => operations.includes(operation));
  return (
    rows.find((row) => label(row, result) === name) ??
    rows.find((row) => rowName(row) === rowName(identity))
  );
}

function rowCells(row: EnvelopeRow | undefined): string[] {
  if (row === undefined) return ['', ''];
  return [
    formatNumber(row.microsecondsPerEnvelope.median),
    row.timesLibsignal ? formatRatio(row.timesLibsignal) : '',
  ];
}
