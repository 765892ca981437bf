import { setMaxListeners } from 'node:events';
import { SealcastError } from '../errors.js';
import type { AbortWatch } from '../util/abort-watch.js';
import { messageError } from '../content/index.js';
import type { ResendQueue } from '../runtime/resend-queue.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import { changeBroadcast } from './broadcast-records.js';
import { ChunkQueue } from './chunk-queue.js';
import type { DeliveryStream } from './delivery-stream.js';
import { DeliverySender, type Dispatched } from './sender.js';
import { Encryptor } from './encryptor.js';
import type { Stranger } from './session-setup.js';
import type { PauseGate } from './flow/pause-gate.js';
import { ingest } from './ingest.js';
import type { Recipients } from './options.js';
import {
  DeliveryRows,
  acceptedStatus,
  damagedStep,
  failure,
  type Counts,
  type Delivery,
  type DeliveryStep,
} from './delivery.js';
import { OutcomeWriter } from './outcome-writer.js';
import { Semaphore } from '../util/semaphore.js';
import { assertComplete, saveEndState, type RunFigures } from './run-end.js';
import type { SendLimiter } from './flow/send-limiter.js';
import type { BroadcastContext } from './context.js';
import { SessionManager } from './session-manager.js';

/**
 * Chunks whose ratchet steps are under way at the same time. While one is being committed, the next
 * ones are encrypted.
 */
const CHUNKS_IN_WORK = 3;

export interface PipelineOptions {
  readonly id: string;
  readonly record: BroadcastRecord;
  readonly context: BroadcastContext;
  readonly gate: PauseGate;
  readonly window: SendLimiter;
  readonly maxRetryAfterMs: number;
  /** Recipients that are encrypted and committed together. */
  readonly chunkSize: number;
  /** Recipients that are on their way at the same time. */
  readonly maxLive: number;
  readonly stream: DeliveryStream;
  readonly dryRun: boolean;
  readonly aborts: AbortWatch;
  /** Tells the broadcast's state once the run has come to its end. */
  readonly endStates: Pick<ResendQueue, 'stateAfter'>;
}

/**
 * Recipients of a run: the ones that come in, the ones in the outbox, or the named ones among
 * these.
 */
export type RunRecipients = Recipients | 'outbox' | { readonly only: readonly string[] };

/**
 * One broadcast: recipients go into the outbox, from there through the ratchet and the kernel to
 * the service, and back as done.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  #record: BroadcastRecord;
  #invalidCount = 0;
  /**
   * Reason why the message is not sent. An older version accepted longer texts, and the store may
   * have some.
   */
  readonly #refused: DeliveryStep | undefined;
  readonly #rows: DeliveryRows;
  readonly #encryptor: Encryptor;
  readonly #steps: SessionManager;
  readonly #sender: DeliverySender;
  readonly #outcomes: OutcomeWriter;
  readonly #live: Semaphore;
  readonly #chunks: Semaphore;
  readonly #controller = new AbortController();
  /** Work that is under way; none of it rejects. */
  readonly #running = new Set<Promise<void>>();
  readonly counts: Counts = { sealed: 0, unsealed: 0, unregistered: 0, failed: 0 };
  /** Recipients known so far. */
  recipientCount = 0;
  ingested = false;
  /** Damaged rows that do not say whose they are. */
  #namelessRows = 0;

  constructor(options: PipelineOptions) {
    const { id, record, context, maxLive } = options;
    const { signal } = this.#controller;
    // Thousands of recipients may wait on it, each for its own time.
    setMaxListeners(0, signal);
    this.#options = options;
    this.#record = record;
    this.#chunks = new Semaphore(CHUNKS_IN_WORK, options.aborts);
    this.#live = new Semaphore(maxLive, options.aborts);
    const error = messageError(record.content);
    this.#refused = error && failure(error);
    this.#rows = new DeliveryRows(id, context.resends);
    this.#encryptor = new Encryptor({ id, record, context, rows: this.#rows });
    this.#steps = new SessionManager(id, context, this.#encryptor, signal);
    this.#sender = new DeliverySender({
      id,
      broadcast: record,
      context,
      sessions: this.#steps,
      gate: options.gate,
      window: options.window,
      maxRetryAfterMs: options.maxRetryAfterMs,
      slots: this.#live,
      signal,
    });
    this.#outcomes = new OutcomeWriter(this.#rows, context);
  }

  /**
   * Stops the work under way; `run` then rejects with the error. The ciphertexts stay in the
   * outbox.
   */
  stop(error: unknown): void {
    this.#controller.abort(error);
    this.#options.stream.stopBackpressure();
  }

  /**
   * Resolves when every delivery has ended and its outcome is on the disk.
   *
   * @param isNew whether the broadcast has no rows yet.
   */
  async run(recipients: RunRecipients, isNew: boolean): Promise<void> {
    const { signal } = this.#controller;
    try {
      if (typeof recipients === 'object' && 'only' in recipients) {
        this.ingested = true;
        this.recipientCount = recipients.only.length;
        await this.#takeChunks(recipients.only);
      } else {
        if (recipients === 'outbox') this.#countInvalid();
        else await this.#ingest(recipients, isNew);
        this.ingested = true;
        if (!isNew) await this.#resumeOutbox();
      }
    } catch (error) {
      this.stop(error);
    }
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (signal.aborted) throw signal.reason;
    const isForSome = typeof recipients === 'object' && 'only' in recipients;
    const figures: RunFigures = {
      record: this.#record,
      counts: this.counts,
      recipientCount: this.recipientCount,
      namelessRows: this.#namelessRows,
    };
    if (!isForSome) assertComplete(figures);
    await saveEndState(this.#options, figures, isForSome ? 'some' : 'all');
  }

  /**
   * Puts the recipients into the outbox. A new broadcast sends to them while they come in; another
   * one first counts them and looks them up.
   */
  async #ingest(recipients: Recipients, isNew: boolean): Promise<void> {
    const { id, context } = this.#options;
    const { signal } = this.#controller;
    const queue = new ChunkQueue(context.outbox.placeOf);
    const feeding = isNew ? this.#feed(queue) : Promise.resolve();
    feeding.catch((error: unknown) => {
      this.stop(error);
      queue.end();
    });
    try {
      const batches = ingest(id, recipients, context.outbox, signal);
      for await (const { added, damaged, invalid } of batches) {
        signal.throwIfAborted();
        for (const { serviceId, error } of damaged)
          await this.#failDamaged(serviceId, error, isNew);
        for (const { index, given } of invalid) await this.#refuse(index, given);
        if (!isNew) continue;
        this.recipientCount += added.length;
        await queue.add(added);
      }
      const invalidRecipients = this.#invalidCount;
      // Of a broadcast that has rows already, the end of the run counts them.
      const rows = this.recipientCount - invalidRecipients;
      await changeBroadcast(context, id, (stored = this.#record) => {
        this.#record = {
          ...stored,
          state: 'sending',
          invalidRecipients,
          ...(rows > 0 && { recipients: rows }),
        };
        return this.#record;
      });
      this.ingested = true;
    } catch (error) {
      this.stop(error);
      throw error;
    } finally {
      queue.end();
      await feeding.catch(() => undefined);
    }
  }

  async #feed(queue: ChunkQueue): Promise<void> {
    const { chunkSize } = this.#options;
    for (;;) {
      const serviceIds = await queue.next(chunkSize);
      if (serviceIds.length === 0) return;
      await this.#takeChunk(serviceIds, true);
    }
  }

  /** Counts the invalid entries of an earlier run, which reported them as failed. */
  #countInvalid(): void {
    this.recipientCount += this.#record.invalidRecipients;
    this.counts.failed += this.#record.invalidRecipients;
  }

  async #refuse(index: number, given: string): Promise<void> {
    this.#invalidCount += 1;
    this.recipientCount += 1;
    const message = `entry ${index}: the recipient must be a service id (a UUID, or PNI: and a UUID)`;
    const error = new SealcastError('ERR_RECIPIENT_INVALID', message, { index });
    await this.#deliver({ recipient: given, status: 'failed', error });
  }

  /**
   * Ends a delivery whose row is damaged, and that is named by the caller alone: the row may not
   * say whose it is. Unless the broadcast is new, the outbox is counted afterwards.
   */
  async #failDamaged(serviceId: string, error: SealcastError, isNew: boolean): Promise<void> {
    this.#rows.begin(serviceId, error);
    const delivery = await this.#saveEnd(serviceId, { ...failure(error), attempts: 0 });
    if (isNew) {
      this.recipientCount += 1;
      await this.#deliver(delivery);
    } else await this.#options.stream.push(delivery);
  }

  /**
   * Resumes the deliveries of the outbox, and counts the ones that have ended. One whose row is
   * damaged ends as failed; where the row does not say whose it is, its outcome is missing in the
   * end.
   */
  async #resumeOutbox(): Promise<void> {
    const { id, context } = this.#options;
    for await (const { rows, damaged } of context.outbox.pages(id)) {
      this.recipientCount += rows.length + damaged.length;
      const open: string[] = [];
      for (const { serviceId } of damaged) {
        if (serviceId === undefined) this.#namelessRows += 1;
        else open.push(serviceId);
      }
      for (const { serviceId, row } of rows) {
        if (row.state === 'done') this.counts[row.status] += 1;
        else open.push(serviceId);
      }
      await this.#takeChunks(open);
    }
  }

  async #takeChunks(serviceIds: readonly string[]): Promise<void> {
    const { chunkSize } = this.#options;
    for (let at = 0; at < serviceIds.length; at += chunkSize) {
      await this.#takeChunk(serviceIds.slice(at, at + chunkSize), false);
    }
  }

  /** Resolves when the next chunk may follow. */
  async #takeChunk(serviceIds: readonly string[], fresh: boolean): Promise<void> {
    const { signal } = this.#controller;
    await this.#live.acquire(signal, serviceIds.length);
    await this.#chunks.acquire(signal);
    this.#track(this.#encryptChunk(serviceIds, fresh).finally(() => this.#chunks.release()));
  }

  async #encryptChunk(serviceIds: readonly string[], fresh: boolean): Promise<void> {
    const refused = this.#refused;
    if (refused !== undefined) {
      for (const serviceId of serviceIds) {
        this.#rows.begin(serviceId, undefined);
        this.#track(this.#finish(serviceId, () => refused));
      }
      return;
    }
    const { steps, strangers } = await (fresh
      ? this.#encryptor.encryptNew(serviceIds)
      : this.#encryptor.encryptChunk(serviceIds, false));
    for (const [serviceId, step] of steps) {
      if (step === undefined) this.#live.release();
      else this.#track(this.#finish(serviceId, () => step));
    }
    for (const stranger of strangers) {
      this.#track(this.#finish(stranger.serviceId, () => this.#establish(stranger)));
    }
  }

  /** Begins sessions. A dry run requests no prekeys: it says which way would be tried. */
  async #establish(stranger: Stranger): Promise<DeliveryStep> {
    const { dryRun } = this.#options;
    if (!dryRun)
      return this.#options.gate.during(
        'prekeys',
        this.#steps.establish(stranger.serviceId, stranger),
      );
    const { serviceId, contact } = stranger;
    return { kind: 'ended', status: acceptedStatus(serviceId, contact) };
  }

  async #finish(
    serviceId: string,
    begin: () => DeliveryStep | Promise<DeliveryStep>,
  ): Promise<void> {
    const first = await firstStep(begin);
    const dispatched = await this.#sender.dispatch(serviceId, first);
    const delivery = await this.#saveEnd(serviceId, dispatched);
    await this.#deliver(delivery);
    this.#options.context.onPartEnded?.(serviceId);
    // Not before: a delivery that no iteration takes keeps its slot.
    this.#live.release();
  }

  /** Puts the end of a delivery on the disk. */
  async #saveEnd(serviceId: string, dispatched: Dispatched): Promise<Delivery> {
    const { status, error } = dispatched;
    const delivery: Delivery = {
      recipient: serviceId,
      status,
      ...(error !== undefined && { error }),
    };
    this.#options.stream.writing(serviceId);
    await this.#outcomes.record(delivery, dispatched.sealedWith);
    this.#publish(dispatched);
    return delivery;
  }

  async #deliver(delivery: Delivery): Promise<void> {
    this.counts[delivery.status] += 1;
    await this.#options.stream.push(delivery);
  }

  #publish({ status, error, attempts }: Dispatched): void {
    const { id, context } = this.#options;
    context.telemetry.publish('delivery', {
      id,
      status,
      attempts,
      unsealedFallback: status === 'unsealed',
      ...(error !== undefined && { errorCode: error.code }),
    });
  }

  /** Tracks work until it ends. The first failure that is not one recipient's own stops all. */
  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.stop(error))
      .finally(() => {
        this.#running.delete(tracked);
      });
    this.#running.add(tracked);
  }
}

/** First step of a delivery; its end where the store has something of the recipient damaged. */
async function firstStep(begin: () => DeliveryStep | Promise<DeliveryStep>): Promise<DeliveryStep> {
  try {
    return await begin();
  } catch (error) {
    return damagedStep(error);
  }
}
