import type { Summary } from '../measure/statistics.js';
import type { Environment } from '../report/environment.js';
import { formatNumber, formatRange, formatRatio, formatTable } from '../report/table.js';

export interface KernelRow {
  readonly operation: string;
  readonly bytes?: number;
  /** The kernel, with its number of lanes where it has several ways, or the peer. */
  readonly name: string;
  /** null for peers. */
  readonly kernel: string | null;
  /** Of one operation. */
  readonly nanoseconds: Summary;
  /** The fastest of the peers in this run; no ratios where there is none. */
  readonly bestPeer?: string;
  readonly timesBestPeer?: Summary;
}

export interface KernelResult {
  readonly benchmark: 'kernel';
  readonly environment: Environment;
  readonly kernels: readonly string[];
  /** The one of them that sealcast picks by itself. */
  readonly picked: string;
  /** One line for each kernel that this engine does not run. */
  readonly skipped: readonly string[];
  readonly roundCount: number;
  readonly rows: readonly KernelRow[];
}

export function formatKernelResult({ rows, skipped }: KernelResult): string {
  const operations = [...new Set(rows.map(({ operation }) => operation))];
  const tables = operations.map((operation) => {
    const header = [operation, 'ns each', 'p25..p75', 'MB/s', 'x best peer (p25..p75)'];
    const cells = rows
      .filter((row) => row.operation === operation)
      .map(({ name, nanoseconds, bytes, timesBestPeer }) => [
        name,
        formatNumber(nanoseconds.median),
        formatRange(nanoseconds),
        bytes === undefined ? '' : formatNumber((bytes * 1000) / nanoseconds.median),
        timesBestPeer === undefined ? '' : formatRatio(timesBestPeer),
      ]);
    return formatTable(header, cells);
  });
  return [...skipped, ...tables].join('\n\n');
}
