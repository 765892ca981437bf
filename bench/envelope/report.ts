import type { Environment } from '../report/environment.js';
import { summarize, type Summary } from '../report/statistics.js';
import { formatNumber, formatTable } from '../report/table.js';
import type { RoundSamples } from './rounds.js';

export type Operation = 'seal' | 'unseal';

export interface EnvelopeRow {
  readonly operation: Operation;
  readonly name: string;
  readonly microsecondsPerEnvelope: Summary;
  /** Processor time of all threads. */
  readonly cpuMicrosecondsPerEnvelope: Summary;
  readonly envelopesPerSecond: number;
  /** How many times as fast: quartiles of the ratios within each round. */
  readonly timesLibsignal: Summary;
  readonly timesNoble: Summary;
}

export interface EnvelopeResult {
  readonly benchmark: 'envelope';
  readonly environment: Environment;
  readonly kernel: string;
  readonly recipientCount: number;
  readonly contentBytes: number;
  readonly roundCount: number;
  /** Of the peers that are timed on fewer envelopes a round. */
  readonly envelopesPerRound: Readonly<Record<string, number>>;
  readonly rows: readonly EnvelopeRow[];
}

export interface Baselines {
  readonly libsignal: string;
  readonly noble: string;
}

export function rowsOf(operation: Operation, samples: RoundSamples, baselines: Baselines): EnvelopeRow[] {
  const libsignal = microsecondsOf(samples, baselines.libsignal);
  const noble = microsecondsOf(samples, baselines.noble);
  return [...samples].map(([name, ofRounds]) => {
    const microseconds = microsecondsOf(samples, name);
    const microsecondsPerEnvelope = summarize(microseconds);
    return {
      operation,
      name,
      microsecondsPerEnvelope,
      cpuMicrosecondsPerEnvelope: summarize(ofRounds.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      envelopesPerSecond: 1e6 / microsecondsPerEnvelope.median,
      timesLibsignal: summarize(ratios(libsignal, microseconds)),
      timesNoble: summarize(ratios(noble, microseconds)),
    };
  });
}

export function formatRange(summary: Summary): string {
  return `${formatNumber(summary.p25)}..${formatNumber(summary.p75)}`;
}

/** A ratio's median with its quartiles: 1.24 (1.21..1.26). */
export function formatRatio(summary: Summary): string {
  return `${formatNumber(summary.median)} (${formatRange(summary)})`;
}

export function formatEnvelopeResult(result: EnvelopeResult): string {
  const operations: readonly Operation[] = ['seal', 'unseal'];
  return operations
    .map((operation) => {
      const header = [
        operation,
        'µs each',
        'p25..p75',
        'CPU µs',
        'a second',
        'x libsignal (p25..p75)',
        'x noble (p25..p75)',
      ];
      const rows = result.rows
        .filter((row) => row.operation === operation)
        .map((row) => [
          row.name,
          formatNumber(row.microsecondsPerEnvelope.median),
          formatRange(row.microsecondsPerEnvelope),
          formatNumber(row.cpuMicrosecondsPerEnvelope.median),
          formatNumber(row.envelopesPerSecond),
          formatRatio(row.timesLibsignal),
          formatRatio(row.timesNoble),
        ]);
      return formatTable(header, rows);
    })
    .join('\n\n');
}

function ratios(numerators: readonly number[], denominators: readonly number[]): number[] {
  return numerators.map((numerator, round) => numerator / (denominators[round] ?? NaN));
}

function microsecondsOf(samples: RoundSamples, name: string): number[] {
  const found = samples.get(name);
  if (found === undefined) throw new Error(`no samples of ${name}`);
  return found.map(({ microseconds }) => microseconds);
}
