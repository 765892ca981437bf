// What a Sealer that has seen many recipients costs in memory over bare Node: each stage in a process of its own.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { formatNumber, formatTable } from '../report/table.js';
import type { MemoryReading } from './memory-child.js';

export interface MemoryRow extends MemoryReading {
  readonly overBareNodeBytes: number;
}

export interface MemoryResult {
  readonly benchmark: 'memory';
  readonly environment: Environment;
  readonly recipientCount: number;
  readonly threads: number;
  readonly rows: readonly MemoryRow[];
}

export interface MemoryBenchOptions {
  readonly recipientCount: number;
  readonly threads: number;
  readonly onProgress: (message: string) => void;
}

const CHILD_PATH = fileURLToPath(new URL('./memory-child.js', import.meta.url));
const MEBIBYTE = 2 ** 20;
const run = promisify(execFile);

export async function runMemoryBench(options: MemoryBenchOptions): Promise<MemoryResult> {
  const { recipientCount, threads, onProgress } = options;
  onProgress('bare Node');
  const bare = await readChild('bare', options);
  onProgress(`a Sealer with ${recipientCount} recipients`);
  const sealer = await readChild('sealer', options);
  const bareRssBytes = bare[0]?.rssBytes ?? NaN;
  const rows = [...bare, ...sealer].map((reading) => ({
    ...reading,
    overBareNodeBytes: reading.rssBytes - bareRssBytes,
  }));
  return { benchmark: 'memory', environment: describeEnvironment(), recipientCount, threads, rows };
}

export function formatMemoryResult(result: MemoryResult): string {
  const header = ['memory', 'RSS MiB', 'over bare Node MiB', 'heap MiB', 'array buffers MiB'];
  const rows = result.rows.map((row) => [
    row.stage,
    ...[row.rssBytes, row.overBareNodeBytes, row.heapUsedBytes, row.arrayBufferBytes].map((bytes) =>
      formatNumber(bytes / MEBIBYTE),
    ),
  ]);
  return formatTable(header, rows);
}

async function readChild(
  mode: 'bare' | 'sealer',
  { recipientCount, threads }: MemoryBenchOptions,
): Promise<MemoryReading[]> {
  const { stdout } = await run(process.execPath, [
    '--expose-gc',
    CHILD_PATH,
    mode,
    String(recipientCount),
    String(threads),
  ]);
  return JSON.parse(stdout) as MemoryReading[];
}
