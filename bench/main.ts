// `npm run bench`: all benchmarks, or one (`--only NAME`, a name of `BENCHMARKS`). Only full runs
// write the committed and cited results; `--quick` prints and writes nothing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runBroadcastBench } from './broadcast/broadcast.js';
import { formatBroadcastResult } from './broadcast/report.js';
import { runBroadcastMemoryBench } from './broadcast-memory/broadcast-memory.js';
import { formatBroadcastMemoryResult } from './broadcast-memory/report.js';
import { runEnvelopeBench } from './envelope/envelope.js';
import { FULL_PLAN, QUICK_PLAN } from './envelope/plan.js';
import { formatEnvelopeResult } from './envelope/report.js';
import { runKernelBench } from './kernel/kernel.js';
import { formatKernelResult } from './kernel/report.js';
import { formatEventLoopResult, runEventLoopBench } from './pool/event-loop.js';
import { formatMemoryResult, runMemoryBench } from './pool/memory.js';
import { formatScanResult, runScanBench } from './pool/scan.js';
import { formatStartUpResult, runStartUpBench } from './pool/start-up.js';
import { runReceiveBench } from './receive/receive.js';
import { formatReceiveResult } from './receive/report.js';
import { formatStrangersResult } from './strangers/report.js';
import { runStrangersBench } from './strangers/strangers.js';
import {
  describeEnvironment,
  formatEnvironment,
  NODE_MAJOR,
  RESULTS_DIRECTORY,
} from './report/environment.js';
import { BENCHMARKS } from './report/results.js';

const CONTENT_BYTES = 600;
type Benchmark = (typeof BENCHMARKS)[number];

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, only: { type: 'string' }, population: { type: 'string' } },
});
const quick = values.quick ?? false;
const selected = BENCHMARKS.filter((name) => values.only === undefined || values.only === name);
if (selected.length === 0) {
  console.error(`--only takes one of ${BENCHMARKS.join(', ')}`);
  process.exit(1);
}

console.log(formatEnvironment(describeEnvironment()));
for (const name of selected) {
  const { result, text } = await runBenchmark(name);
  console.log(`\n${text}`);
  if (!quick) writeResult(name, result);
}

async function runBenchmark(name: Benchmark): Promise<{ result: object; text: string }> {
  const threads = availableParallelism();
  const onProgress = (message: string): void => showProgress(`${name}: ${message}`);
  try {
    switch (name) {
      case 'envelope': {
        const result = await runEnvelopeBench(quick ? QUICK_PLAN : FULL_PLAN, onProgress);
        return { result, text: formatEnvelopeResult(result) };
      }
      case 'kernel': {
        const result = await runKernelBench({ roundCount: quick ? 5 : 21, onProgress });
        return { result, text: formatKernelResult(result) };
      }
      case 'start-up': {
        const result = await runStartUpBench({
          runCount: quick ? 3 : 9,
          envelopeCount: 1_000,
          onProgress,
        });
        return { result, text: formatStartUpResult(result) };
      }
      case 'scan': {
        const result = await runScanBench({
          recipientCount: quick ? 2_000 : 10_000,
          threads,
          onProgress,
        });
        return { result, text: formatScanResult(result) };
      }
      case 'event-loop': {
        const envelopeCount = quick ? 2_000 : 10_000;
        const result = await runEventLoopBench({
          envelopeCount,
          contentBytes: CONTENT_BYTES,
          threads,
          onProgress,
        });
        return { result, text: formatEventLoopResult(result) };
      }
      case 'broadcast': {
        const result = await runBroadcastBench({
          recipientCounts: quick ? [500, 2_000] : [1_000, 10_000, 100_000],
          roundCount: quick ? 1 : 3,
          threads,
          threadCounts: [1, 2, 4],
          // 100,000 recipients take some minutes to make: `--population PATH` keeps them for the
          // next run.
          population: values.population,
          onProgress,
        });
        return { result, text: formatBroadcastResult(result) };
      }
      case 'strangers': {
        const result = await runStrangersBench({
          recipientCount: quick ? 1_000 : 10_000,
          roundCount: quick ? 1 : 3,
          threads,
          population: values.population,
          onProgress,
        });
        return { result, text: formatStrangersResult(result) };
      }
      case 'broadcast-memory': {
        const result = await runBroadcastMemoryBench({
          recipientCounts: quick ? [1_000, 5_000] : [10_000, 100_000],
          broadcasts: 5,
          threads,
          population: values.population,
          onProgress,
        });
        return { result, text: formatBroadcastMemoryResult(result) };
      }
      case 'receive': {
        const result = await runReceiveBench({
          messageCount: quick ? 1_000 : 10_000,
          roundCount: quick ? 1 : 3,
          threads,
          // A minute's work, kept likewise.
          population: values.population,
          onProgress,
        });
        return { result, text: formatReceiveResult(result) };
      }
      case 'memory': {
        const result = await runMemoryBench({
          recipientCount: quick ? 2_000 : 10_000,
          threads,
          onProgress,
        });
        return { result, text: formatMemoryResult(result) };
      }
    }
  } finally {
    showProgress('');
  }
}

/** One line that rewrites itself in a terminal; nothing where it would fill a log. */
function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function writeResult(name: Benchmark, result: object): void {
  mkdirSync(RESULTS_DIRECTORY, { recursive: true });
  const path = join(RESULTS_DIRECTORY, `${name}-node${NODE_MAJOR}.json`);
  writeFileSync(path, `${JSON.stringify(result, roundNumbers, 2)}\n`);
  console.log(`written: ${path}`);
}

/** Four significant digits: more would be noise in a diff. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value;
}
