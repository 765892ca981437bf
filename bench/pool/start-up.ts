// How long a fresh process takes until its first envelopes are sealed: loading, compiling and
// warming up are in it.
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KernelChoice } from 'sealcast/kernel';
import { findAvailableKernels } from '../kernel/available.js';
import { summarize, type Summary } from '../measure/statistics.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { formatNumber, formatRange, formatTable } from '../report/table.js';
import type { StartUpReading } from './start-up-child.js';
import { withKeyFile } from './with-key-file.js';

type Phase = Exclude<keyof StartUpReading, 'kernel'>;
const PHASES: readonly Phase[] = [
  'nodeMs',
  'importMs',
  'createMs',
  'sealMs',
  'sinceImportMs',
  'sinceProcessStartMs',
];

export interface StartUpRow extends Readonly<Record<Phase, Summary>> {
  readonly choice: KernelChoice;
  readonly kernel: string;
  readonly threads: number;
}

export interface StartUpResult {
  readonly benchmark: 'start-up';
  readonly environment: Environment;
  /** Sealed in one call, recipients never met. */
  readonly envelopeCount: number;
  readonly contentBytes: number;
  /** Fresh processes a row. */
  readonly runCount: number;
  readonly rows: readonly StartUpRow[];
}

export interface StartUpBenchOptions {
  readonly envelopeCount: number;
  readonly runCount: number;
  readonly onProgress: (message: string) => void;
}

const CHILD_PATH = fileURLToPath(new URL('./start-up-child.js', import.meta.url));
/** Bytes of a content that the child seals. */
const CONTENT_BYTES = 600;
const run = promisify(execFile);

export async function runStartUpBench(options: StartUpBenchOptions): Promise<StartUpResult> {
  const { envelopeCount, runCount, onProgress } = options;
  const { others } = await findAvailableKernels();
  const threadCounts = [...new Set([1, availableParallelism()])];
  const cases = (['auto', ...others] as const).flatMap((choice) =>
    threadCounts.map((threads) => ({ choice, threads, readings: [] as StartUpReading[] })),
  );
  await withKeyFile(envelopeCount, async (keyPath) => {
    // Interleaved, as everywhere: what disturbs the machine disturbs all of them.
    for (let i = 0; i < runCount; i++) {
      onProgress(`run ${i + 1} of ${runCount}`);
      for (const { choice, threads, readings } of cases) {
        const { stdout } = await run(process.execPath, [
          CHILD_PATH,
          keyPath,
          choice,
          String(threads),
        ]);
        readings.push(JSON.parse(stdout) as StartUpReading);
      }
    }
  });
  return {
    benchmark: 'start-up',
    environment: describeEnvironment(),
    envelopeCount,
    contentBytes: CONTENT_BYTES,
    runCount,
    rows: cases.map(({ choice, threads, readings }) => ({
      choice,
      kernel: readings[0]?.kernel ?? '',
      threads,
      ...summarizePhases(readings),
    })),
  };
}

export function formatStartUpResult({ envelopeCount, rows }: StartUpResult): string {
  const title = `first ${envelopeCount} envelopes of a fresh process, ms`;
  const header = [
    title,
    'Node',
    'import',
    'create',
    'seal',
    'since import',
    'p25..p75',
    'since process start',
  ];
  return formatTable(
    header,
    rows.map((row) => [
      `kernel ${row.choice} (${row.kernel}), ${row.threads} thread${row.threads === 1 ? '' : 's'}`,
      ...[row.nodeMs, row.importMs, row.createMs, row.sealMs, row.sinceImportMs].map(({ median }) =>
        formatNumber(median),
      ),
      formatRange(row.sinceImportMs),
      formatNumber(row.sinceProcessStartMs.median),
    ]),
  );
}

function summarizePhases(readings: readonly StartUpReading[]): Record<Phase, Summary> {
  const summaries = PHASES.map(
    (phase) => [phase, summarize(readings.map((reading) => reading[phase]))] as const,
  );
  return Object.fromEntries(summaries) as Record<Phase, Summary>;
}
