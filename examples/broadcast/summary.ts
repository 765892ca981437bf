import type { BroadcastReport } from './broadcast.js';

const FAILURES_SHOWN = 5;

function seconds(elapsedMs: number): string {
  return `${(elapsedMs / 1_000).toFixed(3)} s`;
}

function perSecond(count: number, elapsedMs: number): string {
  return elapsedMs === 0 ? '-' : Math.round((count / elapsedMs) * 1_000).toLocaleString('en-US');
}

/** Columns under each other: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
}

/** Returns the report of the broadcast as text for the terminal. */
export function summarize(report: BroadcastReport): string {
  const { sealed, failures, decrypted, subscribers, broadcastMs, kernel, threads } = report;
  const times = table([
    ['stage', 'time', 'messages/s'],
    ['broadcast', seconds(broadcastMs), perSecond(sealed, broadcastMs)],
  ]);
  const counts = table([
    ['sealed', String(sealed)],
    ['failed', String(failures.length)],
    ['decrypted', `${decrypted} of ${subscribers}`],
    ['kernel', `${kernel}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`],
  ]);
  // The store had everything that this run did not learn, begin or fetch.
  const work = table([
    ['profile keys learned', `${report.profileKeysLearned} of ${subscribers}`],
    ['sessions begun from prekeys', `${report.sessionsBegun} of ${subscribers}`],
    ['certificates fetched', String(report.certificatesFetched)],
  ]);
  const failed = failures
    .slice(0, FAILURES_SHOWN)
    .map(({ serviceId, at, error }) => `failed at ${at}: ${serviceId}: ${error.message}`);
  if (failures.length > FAILURES_SHOWN)
    failed.push(`and ${failures.length - FAILURES_SHOWN} more failed`);
  return [
    '',
    ...times,
    '',
    ...counts,
    '',
    ...work,
    ...(failed.length > 0 ? ['', ...failed] : []),
  ].join('\n');
}
