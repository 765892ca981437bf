// A row of the envelope benchmark: who did what, in which state, and how long it took.
import {
  microsecondsOf,
  samplesOf,
  timesAsFast,
  type RoundSamples,
  type RoundTask,
} from '../measure/rounds.js';
import { summarize, type Summary } from '../measure/statistics.js';
import { formatThreads } from '../peers/sealcast.js';

/** `prepare` is Sealer.prepare() alone: what a recipient costs that is prepared ahead. */
export type Operation = 'seal' | 'unseal' | 'prepare';

export type SubjectName =
  'sealcast' | 'libsignal' | 'openssl' | 'openssl-kept' | 'noble' | RustName;
/** State that the Rust peer keeps of each party: nothing, DH(S, R), or tables of R as well. */
export type RustName = 'rust' | 'rust-kept' | 'rust-tables';

/** State that sealcast has of the other party beforehand. */
export type Acquaintance =
  /** Sealing: has all that can be computed ahead. */
  | 'prepared'
  /** Sealing: the same, with `packed`. */
  | 'prepared-packed'
  /**
   * Sealing: was sealed for once; what is computed for a recipient who came back is computed now.
   */
  | 'second-contact'
  /** Sealing, preparing: was never met. */
  | 'first-contact'
  /** Unsealing: DH(R, S) is known. */
  | 'known'
  /** Unsealing: the same, and certificates are validated against trust roots. */
  | 'known-validated'
  /** Unsealing: neither the sender nor its certificate was met before. */
  | 'never-seen';

export interface RowIdentity {
  readonly operation: Operation;
  readonly subject: SubjectName;
  /** sealcast's; null for the peers. */
  readonly kernel: string | null;
  readonly threads: number;
  /** null for the peers. */
  readonly acquaintance: Acquaintance | null;
}

export interface EnvelopeRow extends RowIdentity {
  readonly name: string;
  readonly microsecondsPerEnvelope: Summary;
  /** Processor time of all threads. */
  readonly cpuMicrosecondsPerEnvelope: Summary;
  readonly envelopesPerSecond: number;
  /**
   * How many times as fast: quartiles of the ratios within each round. Absent where the other was
   * not timed.
   */
  readonly timesLibsignal?: Summary;
  readonly timesNoble?: Summary;
  /** Of several threads: against one thread in the same state. */
  readonly timesOneThread?: Summary;
}

export interface EnvelopeTask {
  readonly identity: RowIdentity;
  /** `run` does it for `operationCount` envelopes. */
  readonly task: Omit<RoundTask, 'name'>;
}

const SUBJECT_NAMES: Readonly<Record<Exclude<SubjectName, 'sealcast'>, string>> = {
  libsignal: 'libsignal addon',
  openssl: 'node:crypto by hand',
  'openssl-kept': 'node:crypto by hand, DH(S, R) kept',
  noble: '@noble (pure JavaScript)',
  rust: 'Rust in WebAssembly',
  'rust-kept': 'Rust in WebAssembly, DH(S, R) kept',
  'rust-tables': 'Rust in WebAssembly, DH(S, R) and tables kept',
};

const ACQUAINTANCE_NAMES: Readonly<Record<Acquaintance, string>> = {
  prepared: 'prepared',
  'prepared-packed': 'prepared, envelopes packed',
  'second-contact': 'second contact',
  'first-contact': 'first contact',
  known: 'sender known',
  'known-validated': 'sender known, certificates validated',
  'never-seen': 'sender never seen',
};

export function rowName({
  operation,
  subject,
  kernel,
  threads,
  acquaintance,
}: RowIdentity): string {
  if (subject !== 'sealcast') return SUBJECT_NAMES[subject];
  const state =
    operation === 'prepare' ? 'prepare() alone' : acquaintance && ACQUAINTANCE_NAMES[acquaintance];
  return [`sealcast (${kernel ?? ''})`, formatThreads(threads), state].join(', ');
}

export function roundTasks(tasks: readonly EnvelopeTask[]): RoundTask[] {
  return tasks.map(({ identity, task }) => ({ name: rowName(identity), ...task }));
}

export function rowsOf(tasks: readonly EnvelopeTask[], samples: RoundSamples): EnvelopeRow[] {
  const identities = tasks.map(({ identity }) => identity);
  return identities.map((identity) => {
    const name = rowName(identity);
    const against = (baseline: RowIdentity | undefined): Summary | undefined =>
      baseline && timesAsFast(samples, name, rowName(baseline));
    const ofSameOperation = identities.filter(({ operation }) => operation === identity.operation);
    const timesLibsignal = against(ofSameOperation.find(({ subject }) => subject === 'libsignal'));
    const timesNoble = against(ofSameOperation.find(({ subject }) => subject === 'noble'));
    const timesOneThread =
      identity.threads > 1
        ? against(ofSameOperation.find((other) => isOneThreadOf(other, identity)))
        : undefined;
    const microsecondsPerEnvelope = summarize(microsecondsOf(samples, name));
    return {
      ...identity,
      name,
      microsecondsPerEnvelope,
      cpuMicrosecondsPerEnvelope: summarize(
        samplesOf(samples, name).map(({ cpuMicroseconds }) => cpuMicroseconds),
      ),
      envelopesPerSecond: 1e6 / microsecondsPerEnvelope.median,
      ...(timesLibsignal && { timesLibsignal }),
      ...(timesNoble && { timesNoble }),
      ...(timesOneThread && { timesOneThread }),
    };
  });
}

export function findRow(
  rows: readonly EnvelopeRow[],
  wanted: Partial<RowIdentity>,
): EnvelopeRow | undefined {
  const keys = Object.keys(wanted) as (keyof RowIdentity)[];
  return rows.find((row) => keys.every((key) => row[key] === wanted[key]));
}

function isOneThreadOf(
  other: RowIdentity,
  { subject, kernel, acquaintance }: RowIdentity,
): boolean {
  return (
    other.threads === 1 &&
    other.subject === subject &&
    other.kernel === kernel &&
    other.acquaintance === acquaintance
  );
}
