import { SealcastError } from '../errors.js';
import { AbortWatch } from '../util/abort-watch.js';
import { abortedError } from '../engine/scheduler.js';
import type { BroadcastRecord, BroadcastState } from '../store/records.js';
import { DeliveryStream } from './delivery-stream.js';
import { PauseGate } from './flow/pause-gate.js';
import type { BroadcasterLimits, CheckedBroadcast } from './options.js';
import { Pipeline, type RunRecipients } from './pipeline.js';
import { BroadcastRun, type BroadcastSummary } from './run.js';
import { SendLimiter } from './flow/send-limiter.js';
import type { BroadcastContext } from './context.js';

/** A broadcast's record, saved, and whether it has no recipients yet. */
export interface Opened {
  readonly record: BroadcastRecord;
  readonly isNew: boolean;
}

export interface StartOptions extends Pick<CheckedBroadcast, 'signal' | 'dryRun'> {
  readonly id: string;
  readonly services: BroadcastContext;
  readonly limits: BroadcasterLimits;
  readonly recipients: RunRecipients;
  readonly endState: (record: BroadcastRecord) => BroadcastState;
  /** What is waited for before it is opened, unless it is stopped. */
  readonly ready?: () => Promise<void>;
  readonly open: () => Promise<Opened>;
  /** What has to end before it begins. */
  readonly after: Promise<unknown> | undefined;
}

export interface Started {
  readonly run: BroadcastRun;
  readonly stop: (error: unknown) => void;
  /** Settles when nothing of it is under way any more. */
  readonly ended: Promise<BroadcastSummary>;
}

/** Many broadcasts may share one signal, a service's that shuts down. */
const callersSignals = new AbortWatch();

/** Sets a broadcast going, and gives the handle to it. */
export function startRun(options: StartOptions): Started {
  const { id, signal, services } = options;
  const aborts = new AbortWatch();
  const gate = new PauseGate(aborts);
  const stream = new DeliveryStream(() => services.outbox.deliveries(id));
  let stopped: { readonly error: unknown } | undefined;
  let pipeline: Pipeline | undefined;
  let onStop!: () => void;
  const stopping = new Promise<void>((resolve) => (onStop = resolve));
  const stop = (error: unknown): void => {
    stopped ??= { error };
    onStop();
    pipeline?.stop(error);
  };
  const assertGoing = (): void => {
    if (stopped !== undefined) throw stopped.error;
  };
  const onAbort = (): void => {
    if (signal !== undefined) stop(abortedError(signal));
  };
  if (signal?.aborted === true) onAbort();
  const unwatch = signal && callersSignals.add(signal, onAbort);

  const work = async (): Promise<BroadcastSummary> => {
    try {
      // What is stopped before it began leaves nothing behind.
      assertGoing();
      if (options.after !== undefined) {
        gate.close('resend');
        await Promise.race([options.after, stopping]);
        gate.open('resend');
        assertGoing();
      }
      if (options.ready !== undefined) {
        // Where it takes time, it is an answer about the certificate.
        await gate.during('certificate', Promise.race([options.ready(), stopping]));
        assertGoing();
      }
      const opened = await options.open();
      pipeline = makePipeline(options, opened, gate, stream, aborts);
      run.begin(pipeline);
      if (stopped !== undefined) pipeline.stop(stopped.error);
      const summary = await runPipeline(pipeline, opened, options);
      stream.end();
      return summary;
    } catch (error) {
      stream.end(error);
      throw error;
    } finally {
      unwatch?.();
    }
  };
  // Not before the caller has the handle.
  const ended = Promise.resolve().then(work);
  const run = new BroadcastRun(id, gate, stream, ended);
  services.telemetry.log.info({ id }, 'broadcast begins');
  return { run, stop, ended };
}

function makePipeline(
  options: StartOptions,
  { record }: Opened,
  gate: PauseGate,
  stream: DeliveryStream,
  aborts: AbortWatch,
): Pipeline {
  const { id, services, dryRun, limits, endState } = options;
  return new Pipeline({
    id,
    record,
    services,
    gate,
    window: new SendLimiter({
      maxSends: limits.concurrency,
      perSecond: record.maxPerSecond ?? Infinity,
      aborts,
      gate,
      clock: services.clock,
    }),
    maxRetryAfterMs: limits.maxRetryAfterMs,
    chunkSize: limits.chunkSize,
    maxLive: 4 * Math.max(limits.chunkSize, limits.concurrency),
    stream,
    dryRun,
    aborts,
    endState: () => endState(record),
  });
}

async function runPipeline(
  pipeline: Pipeline,
  { record, isNew }: Opened,
  { id, services: { clock, telemetry }, recipients }: StartOptions,
): Promise<BroadcastSummary> {
  const startMs = clock.monotonicMs();
  telemetry.publish('broadcast:start', { id, resumed: !isNew });
  let errorCode: string | undefined;
  try {
    await pipeline.run(recipients, isNew);
  } catch (error) {
    errorCode = error instanceof SealcastError ? error.code : 'UNKNOWN';
    throw error;
  } finally {
    const counts = { ...pipeline.counts };
    telemetry.publish('broadcast:end', { id, counts, ...(errorCode !== undefined && { errorCode }) });
    telemetry.log.info({ id, ...counts, ...(errorCode !== undefined && { code: errorCode }) }, 'broadcast ended');
  }
  const { timestamp } = record;
  const durationMs = clock.monotonicMs() - startMs;
  return { id, timestamp, recipients: pipeline.recipientCount, ...pipeline.counts, durationMs };
}
