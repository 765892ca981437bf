// Memory, over that of bare Node, of a Sealer that has seen many recipients and has prepared them:
// each in a process of its own.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TABLES_COST_BYTES } from '#dist/src/kernel/control.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { formatNumber, formatTable } from '../report/table.js';
import type { MemoryReading, MemoryStage } from './memory-child.js';
import { withKeyFile } from './with-key-file.js';

export interface MemoryRow extends MemoryReading {
  readonly overBareNodeBytes: number;
}

export interface MemoryResult {
  readonly benchmark: 'memory';
  readonly environment: Environment;
  readonly recipientCount: number;
  readonly threads: number;
  readonly recipientCacheBytes: number;
  /** Growth of the process for a recipient, when all are sealed for once and then prepared. */
  readonly bytesPerPreparedRecipient: number;
  readonly rows: readonly MemoryRow[];
}

export interface MemoryBenchOptions {
  readonly recipientCount: number;
  readonly threads: number;
  readonly onProgress: (message: string) => void;
}

const CHILD_PATH = fileURLToPath(new URL('./memory-child.js', import.meta.url));
/**
 * Over what the tables of all recipients take: the slots of a few may crowd one place of the index.
 */
const SLACK = 1.05;
const MEBIBYTE = 2 ** 20;
const run = promisify(execFile);

export async function runMemoryBench({
  recipientCount,
  threads,
  onProgress,
}: MemoryBenchOptions): Promise<MemoryResult> {
  const recipientCacheBytes = Math.ceil(recipientCount * TABLES_COST_BYTES * SLACK);
  onProgress('bare Node');
  const bare = await readChild(['bare']);
  onProgress(`a Sealer with ${recipientCount} recipients`);
  const sealer = await withKeyFile(recipientCount, (keyPath) =>
    readChild(['sealer', keyPath, String(threads), String(recipientCacheBytes)]),
  );
  const bareRssBytes = rssBytesOf(bare, 'bare');
  const rows = [...bare, ...sealer].map((reading) => ({
    ...reading,
    overBareNodeBytes: reading.rssBytes - bareRssBytes,
  }));
  const grownBytes = rssBytesOf(sealer, 'recipients-prepared') - rssBytesOf(sealer, 'keys-read');
  return {
    benchmark: 'memory',
    environment: describeEnvironment(),
    recipientCount,
    threads,
    recipientCacheBytes,
    bytesPerPreparedRecipient: grownBytes / recipientCount,
    rows,
  };
}

export function stageName(stage: MemoryStage, recipientCount: number): string {
  const count = recipientCount.toLocaleString('en-US');
  const names: Readonly<Record<MemoryStage, string>> = {
    bare: 'bare Node',
    imported: 'sealcast imported',
    created: 'Sealer created',
    'keys-read': `${count} public keys read`,
    'recipients-seen': `${count} recipients sealed for once`,
    'recipients-prepared': `${count} recipients prepared`,
  };
  return names[stage];
}

export function formatMemoryResult({
  recipientCount,
  bytesPerPreparedRecipient,
  rows,
}: MemoryResult): string {
  const header = ['memory', 'RSS MiB', 'over bare Node MiB', 'heap MiB', 'array buffers MiB'];
  const cells = rows.map((row) => [
    stageName(row.stage, recipientCount),
    ...[row.rssBytes, row.overBareNodeBytes, row.heapUsedBytes, row.arrayBufferBytes].map((bytes) =>
      formatNumber(bytes / MEBIBYTE),
    ),
  ]);
  return `${formatTable(header, cells)}\n${formatNumber(bytesPerPreparedRecipient)} bytes for a prepared recipient`;
}

function rssBytesOf(readings: readonly MemoryReading[], stage: MemoryStage): number {
  return readings.find((reading) => reading.stage === stage)?.rssBytes ?? NaN;
}

async function readChild(args: readonly string[]): Promise<MemoryReading[]> {
  const { stdout } = await run(process.execPath, ['--expose-gc', CHILD_PATH, ...args]);
  return JSON.parse(stdout) as MemoryReading[];
}
