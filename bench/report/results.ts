// The committed results, as the benchmarks wrote them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvelopeResult } from '../envelope/report.js';
import type { BroadcastResult } from '../broadcast/broadcast.js';
import type { BroadcastMemoryResult } from '../broadcast-memory/broadcast-memory.js';
import type { StrangersResult } from '../strangers/strangers.js';
import type { KernelResult } from '../kernel/report.js';
import type { EventLoopResult } from '../pool/event-loop.js';
import type { MemoryResult } from '../pool/memory.js';
import type { ScanResult } from '../pool/scan.js';
import type { ReceiveResult } from '../receive/receive.js';
import type { StartUpResult } from '../pool/start-up.js';
import type { Environment } from './environment.js';

export type BenchResult =
  | EnvelopeResult
  | KernelResult
  | StartUpResult
  | ScanResult
  | EventLoopResult
  | MemoryResult
  | BroadcastResult
  | StrangersResult
  | BroadcastMemoryResult
  | ReceiveResult;

export const BENCHMARKS = [
  'envelope',
  'kernel',
  'start-up',
  'scan',
  'event-loop',
  'memory',
  'broadcast',
  'strangers',
  'broadcast-memory',
  'receive',
] as const;
const FILE_NAME = new RegExp(`^(${BENCHMARKS.join('|')})-node\\d+\\.json$`);

/** The results in a directory, by ascending version of Node. */
export function readResults(directory: string): BenchResult[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => FILE_NAME.test(name))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as BenchResult)
    .sort((a, b) => nodeMajor(a.environment) - nodeMajor(b.environment));
}

export function resultsOf<Name extends BenchResult['benchmark']>(
  results: readonly BenchResult[],
  name: Name,
): readonly Extract<BenchResult, { benchmark: Name }>[] {
  return results.filter(
    (result): result is Extract<BenchResult, { benchmark: Name }> => result.benchmark === name,
  );
}

export function nodeMajor({ node }: Environment): number {
  return Number.parseInt(node, 10);
}

export function nodeLine(environment: Environment): string {
  return `Node ${nodeMajor(environment)}`;
}
