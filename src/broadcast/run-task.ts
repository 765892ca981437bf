import { SealcastError } from '../errors.js';
import { AbortWatch } from '../util/abort-watch.js';
import { abortedError } from '../engine/scheduler.js';
import { KEPT_MS } from '../attachments/input.js';
import type { ResendQueue } from '../runtime/resend-queue.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { BroadcastRecords, UploadedBroadcast } from './broadcast-records.js';
import { DeliveryStream } from './delivery-stream.js';
import { PauseGate } from './flow/pause-gate.js';
import type { BroadcasterLimits, CheckedBroadcast } from './options.js';
import { Pipeline, type RunRecipients } from './pipeline.js';
import { BroadcastRun, type BroadcastSummary } from './run.js';
import { SendLimiter } from './flow/send-limiter.js';
import type { BroadcastContext } from './context.js';
import { uploadMessage } from './message-upload.js';
import { sendTranscript } from './transcript.js';
import { countAbsences } from './absence-count.js';
import type { Run } from './run-registry.js';

export interface RunTaskOptions {
  readonly id: string;
  readonly context: BroadcastContext;
  readonly limits: BroadcasterLimits;
  readonly dryRun: boolean;
  readonly signal: AbortSignal | undefined;
  readonly recipients: RunRecipients;
  /** Message that is sent; undefined: the one that the store has under the id. */
  readonly message: CheckedBroadcast | undefined;
  readonly records: BroadcastRecords;
  readonly endStates: Pick<ResendQueue, 'stateAfter' | 'reopened'>;
  /** Promise that settles before the run begins. */
  readonly after: Promise<unknown> | undefined;
}

/** Watch of callers' signals. Many broadcasts may share one, that of a process that shuts down. */
const callersSignals = new AbortWatch();

/**
 * One run of a broadcast, from its start to its summary. It waits for the runs before it and for
 * the service's time, opens the record, and works through the pipeline.
 */
export class RunTask implements Run {
  readonly run: BroadcastRun;
  /** Settles when nothing of it is under way any more. */
  readonly ended: Promise<BroadcastSummary>;
  readonly #options: RunTaskOptions;
  readonly #aborts = new AbortWatch();
  readonly #gate = new PauseGate(this.#aborts);
  readonly #stream: DeliveryStream;
  readonly #stopping: Promise<void>;
  /** Ends the watch of the caller's signal. */
  readonly #unwatch: (() => void) | undefined;
  #onStop!: () => void;
  #stopped: { readonly error: unknown } | undefined;
  #pipeline: Pipeline | undefined;

  /** Begins in a later microtask, when the caller has the handle. */
  constructor(options: RunTaskOptions) {
    const { id, context, signal } = options;
    this.#options = options;
    this.#stream = new DeliveryStream(() => context.outbox.deliveries(id));
    this.#stopping = new Promise<void>((resolve) => (this.#onStop = resolve));
    this.#unwatch = signal && callersSignals.add(signal, () => this.stop(abortedError(signal)));
    if (signal?.aborted === true) this.stop(abortedError(signal));
    // No further step: the id is free as soon as the last delivery was iterated.
    this.ended = Promise.resolve().then(() => this.#work());
    this.run = new BroadcastRun(id, this.#gate, this.#stream, this.ended);
    context.telemetry.log.info({ id }, 'broadcast begins');
  }

  challengeAnswered(): void {
    this.#gate.open('challenge');
  }

  /** Stops the run; `ended` then rejects with the error. */
  stop(error: unknown): void {
    this.#stopped ??= { error };
    this.#onStop();
    this.#pipeline?.stop(error);
  }

  async #work(): Promise<BroadcastSummary> {
    const { id, message, records, context, recipients, after } = this.#options;
    const { clock, telemetry } = context;
    try {
      // A run that is stopped before it began leaves nothing behind.
      this.#assertGoing();
      if (after !== undefined) {
        this.#gate.close('resend');
        await Promise.race([after, this.#stopping]);
        this.#gate.open('resend');
        this.#assertGoing();
      }
      // Where it takes time, the wait is for an answer about the certificate.
      const settling = Promise.race([context.certificates.settleClock(), this.#stopping]);
      await this.#gate.during('certificate', settling);
      this.#assertGoing();
      const { record, isNew } =
        recipients === 'outbox'
          ? await records.reopen(id)
          : await records.open(id, message && (await this.#upload(message)));
      const pipeline = this.#makePipeline(record);
      this.#pipeline = pipeline;
      this.run.begin(pipeline);
      if (this.#stopped !== undefined) pipeline.stop(this.#stopped.error);
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
        telemetry.publish('broadcast:end', {
          id,
          counts,
          ...(errorCode !== undefined && { errorCode }),
        });
        telemetry.log.info(
          { id, ...counts, ...(errorCode !== undefined && { code: errorCode }) },
          'broadcast ended',
        );
      }
      if (!this.#options.dryRun && record.list !== undefined) await countAbsences(id, context);
      if (!this.#options.dryRun && record.transcript === 'due') await this.#tellOwnDevices();
      const { timestamp } = record;
      const durationMs = clock.monotonicMs() - startMs;
      this.#stream.end();
      return { id, timestamp, recipients: pipeline.recipientCount, ...pipeline.counts, durationMs };
    } catch (error) {
      // Deliveries may be open that no run in memory knows: only a run for all ends the broadcast.
      this.#options.endStates.reopened(id);
      this.#stream.end(error);
      throw error;
    } finally {
      this.#unwatch?.();
    }
  }

  /** Uploads the message's files: once, whatever the number of recipients. */
  async #upload(message: CheckedBroadcast): Promise<UploadedBroadcast> {
    const { id, context, dryRun, limits } = this.#options;
    const { outbox, transport, clock } = context;
    const controller = new AbortController();
    void this.#stopping.then(() => controller.abort(this.#stopped?.error));
    const known = await outbox.broadcast(id);
    const isKnown = known !== undefined && known.state !== 'pruned';
    const uploaded = await uploadMessage(message.message, {
      transport,
      store: outbox.source,
      clock,
      id,
      signal: controller.signal,
      dryRun,
      maxRetryAfterMs: limits.maxRetryAfterMs,
      // The recipients that are left get the attachments that the others got.
      ...(isKnown && { reuseMs: KEPT_MS, isKnown }),
    });
    this.#assertGoing();
    return { ...message, message: uploaded };
  }

  /** Ends when the note was sent or failed, or the run is stopped. */
  async #tellOwnDevices(): Promise<void> {
    const { id, context } = this.#options;
    const controller = new AbortController();
    void this.#stopping.then(() =>
      controller.abort(new SealcastError('ERR_ABORTED', 'the broadcast was stopped')),
    );
    await sendTranscript(id, context, controller.signal);
  }

  #assertGoing(): void {
    if (this.#stopped !== undefined) throw this.#stopped.error;
  }

  #makePipeline(record: BroadcastRecord): Pipeline {
    const { id, limits, dryRun, endStates } = this.#options;
    const context: BroadcastContext = { ...this.#options.context, list: record.list };
    const { chunkSize, concurrency, maxRetryAfterMs } = limits;
    const window = new SendLimiter({
      maxSends: concurrency,
      perSecond: record.maxPerSecond ?? Infinity,
      aborts: this.#aborts,
      gate: this.#gate,
      clock: context.clock,
    });
    return new Pipeline({
      id,
      record,
      context,
      gate: this.#gate,
      window,
      maxRetryAfterMs,
      chunkSize,
      maxLive: 4 * Math.max(chunkSize, concurrency),
      stream: this.#stream,
      dryRun,
      aborts: this.#aborts,
      endStates,
    });
  }
}
