// How long the event loop waits while envelopes are sealed: what a service's other work feels.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { sealedSenderEncrypt } from '@signalapp/libsignal-client';
import { createInputs } from '../envelope/inputs.js';
import { createSealcastPeer } from '../peers/sealcast.js';
import { entry, type EnvelopeInputs } from '../peers/peer.js';
import { describeEnvironment, type Environment } from '../report/environment.js';
import { formatNumber, formatTable } from '../report/table.js';

/** Milliseconds between two turns of a timer of one millisecond. An idle loop shows 1 ms. */
export interface LoopDelay {
  readonly name: string;
  readonly envelopeCount: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface EventLoopResult {
  readonly benchmark: 'event-loop';
  readonly environment: Environment;
  readonly kernel: string;
  readonly threads: number;
  readonly contentBytes: number;
  readonly rows: readonly LoopDelay[];
}

export interface EventLoopBenchOptions {
  readonly envelopeCount: number;
  readonly contentBytes: number;
  readonly threads: number;
  readonly onProgress: (message: string) => void;
}

const RESOLUTION_MS = 1;
const IDLE_MS = 1_000;

export async function runEventLoopBench(options: EventLoopBenchOptions): Promise<EventLoopResult> {
  const { envelopeCount, contentBytes, threads, onProgress } = options;
  onProgress(`making ${envelopeCount} subscribers`);
  const inputs = await createInputs(envelopeCount, contentBytes, 0);
  const peer = await createSealcastPeer(inputs, envelopeCount, { threads });
  try {
    onProgress(`sealing ${envelopeCount} envelopes at a time`);
    const sealAll = (): Promise<unknown> => peer.seal(envelopeCount);
    const rows = [
      await measure('idle', 0, () => sleep(IDLE_MS)),
      await measure('sealcast, recipients never seen', envelopeCount, sealAll),
      await measure('sealcast, recipients seen', envelopeCount, sealAll),
      await measure('libsignal addon, one await after the other', envelopeCount, () =>
        sealWithLibsignal(inputs),
      ),
    ];
    return {
      benchmark: 'event-loop',
      environment: describeEnvironment(),
      kernel: peer.kernel,
      threads: peer.threads,
      contentBytes,
      rows,
    };
  } finally {
    await peer.close();
  }
}

export function formatEventLoopResult(result: EventLoopResult): string {
  const header = ['event loop', 'envelopes', 'ms in all', 'p50 ms', 'p99 ms', 'max ms'];
  const rows = result.rows.map(({ name, envelopeCount, elapsedMs, p50Ms, p99Ms, maxMs }) => [
    name,
    String(envelopeCount),
    ...[elapsedMs, p50Ms, p99Ms, maxMs].map(formatNumber),
  ]);
  return formatTable(header, rows);
}

async function measure(
  name: string,
  envelopeCount: number,
  work: () => Promise<unknown>,
): Promise<LoopDelay> {
  await sleep(50);
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const startMs = performance.now();
  await work();
  const elapsedMs = performance.now() - startMs;
  // A delay is recorded when the timer fires at last: one that lasted until the work's end would
  // otherwise be missed.
  await sleep(5 * RESOLUTION_MS);
  histogram.disable();
  return {
    name,
    envelopeCount,
    elapsedMs,
    p50Ms: histogram.percentile(50) / 1e6,
    p99Ms: histogram.percentile(99) / 1e6,
    maxMs: histogram.max / 1e6,
  };
}

async function sealWithLibsignal(inputs: EnvelopeInputs): Promise<void> {
  for (const [i, usmc] of inputs.usmcs.entries()) {
    await sealedSenderEncrypt(usmc, entry(inputs.subscribers, i).address, inputs.senderStore);
  }
}
