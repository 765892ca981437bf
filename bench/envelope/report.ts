import type { X25519Row } from '../kernel/x25519.js';
import type { Environment } from '../report/environment.js';
import { formatNumber, formatRange, formatRatio, formatTable } from '../report/table.js';
import type { EnvelopeRow, Operation } from './rows.js';
import type { TargetResult } from './targets.js';

/** One size of content, one number of recipients. */
export interface CaseResult {
  readonly contentBytes: number;
  /** Entries of one call. */
  readonly recipientCount: number;
  readonly roundCount: number;
  /** Calls of sealcast in one sample. */
  readonly callsPerRound: number;
  readonly rows: readonly EnvelopeRow[];
}

export interface EnvelopeResult {
  readonly benchmark: 'envelope';
  readonly environment: Environment;
  /** The one that sealcast picks by itself here. */
  readonly kernel: string;
  /** One line for each kernel or peer that does not run here. */
  readonly skipped: readonly string[];
  /** The first has all peers and all states; the others vary one thing. */
  readonly cases: readonly CaseResult[];
  readonly x25519: readonly X25519Row[];
  readonly targets: readonly TargetResult[];
}

const OPERATIONS: readonly Operation[] = ['seal', 'unseal', 'prepare'];

export function formatEnvelopeResult({
  kernel,
  skipped,
  cases,
  x25519,
  targets,
}: EnvelopeResult): string {
  return [
    [`kernel ${kernel}`, ...skipped].join('\n'),
    ...cases.map(formatCase),
    formatX25519(x25519),
    formatTargets(targets),
  ].join('\n\n');
}

function formatCase({ contentBytes, recipientCount, roundCount, rows }: CaseResult): string {
  const title = `v1 envelope, USMC of ${contentBytes} bytes, ${recipientCount} in a call, ${roundCount} rounds`;
  const header = [
    'µs each',
    'p25..p75',
    'CPU µs',
    'a second',
    'x libsignal (p25..p75)',
    'x noble',
    'x one thread',
  ];
  const tables = OPERATIONS.flatMap((operation) => {
    const ofOperation = rows.filter((row) => row.operation === operation);
    if (ofOperation.length === 0) return [];
    return [formatTable([operation, ...header], ofOperation.map(envelopeCells))];
  });
  return [title, ...tables].join('\n');
}

function envelopeCells(row: EnvelopeRow): string[] {
  return [
    row.name,
    formatNumber(row.microsecondsPerEnvelope.median),
    formatRange(row.microsecondsPerEnvelope),
    formatNumber(row.cpuMicrosecondsPerEnvelope.median),
    formatNumber(row.envelopesPerSecond),
    row.timesLibsignal ? formatRatio(row.timesLibsignal) : '',
    row.timesNoble ? formatNumber(row.timesNoble.median) : '',
    row.timesOneThread ? formatRatio(row.timesOneThread) : '',
  ];
}

function formatX25519(rows: readonly X25519Row[]): string {
  const header = ['bare X25519, batch of 256', 'µs each', 'p25..p75', 'x diffieHellman (p25..p75)'];
  return formatTable(
    header,
    rows.map(({ name, microseconds, timesOpenssl }) => [
      name,
      formatNumber(microseconds.median),
      formatRange(microseconds),
      formatRatio(timesOpenssl),
    ]),
  );
}

function formatTargets(targets: readonly TargetResult[]): string {
  const header = ['one thread, 600 bytes, 1,024 recipients', 'floor', 'measured (p25..p75)', ''];
  return formatTable(
    header,
    targets.map(({ name, floor, measured }) => [
      name,
      formatNumber(floor),
      measured ? formatRatio(measured) : 'not measured',
      measured && measured.median >= floor ? '' : 'below',
    ]),
  );
}
