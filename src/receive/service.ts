import { AbortWatch } from '../util/abort-watch.js';
import { AccountRuntime } from '../runtime/account-runtime.js';
import type { RuntimeOptions, Policies } from '../runtime/options.js';
import { PreKeys } from '../account/prekeys/manager.js';
import { Records } from '../runtime/records.js';
import { Semaphore } from '../util/semaphore.js';
import { backoffMs, wait } from '../util/sleep.js';
import { decodeContent } from '../content/index.js';
import { SealcastError } from '../errors.js';
import { refuse, viewOf } from '../sealer/options.js';
import type { AccountTransport } from '../transport/transport.js';
import { TimeSlicer } from '../util/time-slicer.js';
import { Batch } from './batch.js';
import { Counters } from './counters.js';
import { InboxCleanup } from './inbox-cleanup.js';
import type { Notify } from './events.js';
import { FatalErrorLatch } from './fatal-error-latch.js';
import { GroupDecryptor } from './decrypt/groups.js';
import { Inbox } from './inbox.js';
import { EnvelopeQueue, type IncomingEnvelope } from './envelope-queue.js';
import { LostLetters } from './lost-letters.js';
import { MessageStream } from './message-stream.js';
import { EnvelopeOpener } from './envelope-opener.js';
import { MAX_ENVELOPE_BYTES, receiptName, type ReceivedMessage, type ReceiverStats } from './types.js';
import { RecentSet } from './recent-set.js';
import { RetryLimits } from './retry/limits.js';
import { RetrySender } from './retry/sender.js';
import type { ReceiveContext } from './context.js';
import { SessionDecryptor } from './decrypt/sessions.js';

/**
 * Letters that are opened together, and batches that are decrypted and committed at the same time. The service has 256 letters on
 * their way at most: taken as one batch they would go through one step after the other, with the workers idle while the disk is
 * busy. Smaller ones than these overlap better, and take more of the processors.
 */
const BATCH_LETTERS = 128;
/** Letters have 1 to 2 KB; strangers' have as many as they like, and one batch goes through the store in one transaction. */
const BATCH_BYTES = 1024 * 1024;
const BATCHES_IN_WORK = 3;
/** Receipts that are remembered. */
const MAX_RECEIPTS = 16_384;
/** Before what no worker could decrypt is delivered again. */
const REDELIVERY_BASE_MS = 1_000;
const REDELIVERY_CEILING_MS = 60_000;

/** What a Receiver was opened with, checked. */
export interface CoreOptions extends RuntimeOptions {
  readonly transport: AccountTransport;
  readonly policies: Policies;
  readonly maintainPreKeys: boolean;
  readonly notify: Notify;
}

/** A Receiver's inside, loaded when one is opened. */
export class ReceiveService {
  readonly runtime: AccountRuntime;
  readonly #options: CoreOptions;
  readonly #services: ReceiveContext;
  readonly #opener: EnvelopeOpener;
  readonly #intake: EnvelopeQueue;
  readonly #stream: MessageStream;
  readonly #done: InboxCleanup;
  readonly #retries: RetrySender;
  readonly #preKeys: PreKeys;
  readonly #batches = new Semaphore(BATCHES_IN_WORK, new AbortWatch());
  readonly #closing = new AbortController();
  /** Nothing more is taken in: the account's connection is gone, or the Receiver stops. */
  readonly #ending = new AbortController();
  #nextBatch = 1;
  /** Batches, one behind the other, of which something was left with the service. */
  #deferrals = 0;
  /** When the last batch has been given out. */
  #tail: Promise<void> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  #stopListening: () => void = () => undefined;
  #endSkews: (() => void) | undefined;

  private constructor(runtime: AccountRuntime, options: CoreOptions) {
    const { store, transport, policies, telemetry, notify, trustRoots, maintainPreKeys } = options;
    const records = new Records(store, runtime.clock);
    const inbox = new Inbox(store);
    this.runtime = runtime;
    this.#options = options;
    this.#services = {
      runtime,
      records,
      inbox,
      sessions: new SessionDecryptor(store, runtime.ratchet),
      groups: new GroupDecryptor(store, runtime.ratchet),
      policies,
      counters: new Counters(telemetry, notify),
      retryLimits: new RetryLimits(),
      resendLimits: new RetryLimits(),
      receipts: new RecentSet(MAX_RECEIPTS),
      firstFailure: new FatalErrorLatch(),
      lostLetters: new LostLetters(),
      telemetry,
      notify,
      mayAsk: () => this.#retries.hasRoom,
      // Of another program's prekeys nobody here knows which ones stay: all of them do, and none is used twice with the same keys.
      lastResortsAmong: (ids) =>
        maintainPreKeys ? this.#preKeys.lastResortsAmong(ids) : Promise.resolve(new Set(ids)),
      onPreKeysUsed: (count) => this.#preKeys.noteUsed(count),
    };
    this.#preKeys = new PreKeys(runtime, transport, { onError: (error) => notify('preKeyProblem', { error }) });
    this.#opener = new EnvelopeOpener(runtime.sealer, trustRoots, runtime.account);
    this.#intake = new EnvelopeQueue(
      () => this.#settled(),
      () => transport.redeliver(),
    );
    this.#done = new InboxCleanup(
      (keys) => records.commit(inbox.remove(keys)),
      (error) => this.#fail(error),
    );
    this.#stream = new MessageStream((key) => this.#done.add(key));
    this.#retries = new RetrySender(this.#services, (key) => this.#done.add(key));
  }

  /** Takes what the inbox has, and then what comes. */
  static async open(options: CoreOptions): Promise<ReceiveService> {
    const runtime = await AccountRuntime.open(options);
    const core = new ReceiveService(runtime, options);
    runtime.onCertificateProblem.add(core.#onCertificateProblem);
    try {
      await core.#readInbox();
      core.#listen();
    } catch (error) {
      await core.#retries.close();
      await core.#release();
      throw error;
    }
    if (options.maintainPreKeys) core.#preKeys.start();
    core.#work = core.#receive().catch((error: unknown) => core.#fail(error));
    return core;
  }

  readonly #onCertificateProblem = (error: SealcastError, attempt: number): void => {
    this.#options.notify('certificateProblem', { error, attempt });
  };

  /** What was decrypted and not dealt with before the last close, or crash. */
  async #readInbox(): Promise<void> {
    const { inbox } = this.#services;
    const slicer = new TimeSlicer();
    for await (const { key, batch, row } of inbox.messages()) {
      if (slicer.isOver) await slicer.next();
      this.#nextBatch = Math.max(this.#nextBatch, batch + 1);
      const { content, groupId, ...facts } = row;
      const contentBytes = Uint8Array.from(content);
      const message: ReceivedMessage = {
        ...facts,
        content: facts.envelopeType === 'receipt' ? {} : decodeContent(contentBytes),
        contentBytes,
        ...(groupId !== undefined && { groupId: Uint8Array.from(groupId) }),
      };
      this.#stream.push([{ key, message }]);
      if (facts.envelopeType === 'receipt') this.#services.receipts.add(receiptName(message));
      this.#services.counters.count('messages');
    }
    for await (const { key, batch, row } of inbox.retries()) {
      this.#nextBatch = Math.max(this.#nextBatch, batch + 1);
      this.#retries.add(key, row);
    }
  }

  #listen(): void {
    const { transport, notify } = this.#options;
    const stopListening: unknown = transport.receive({
      onIncomingMessage: (bytes, deliveredMs, ack) => this.#intake.push({ ...checkLetter(bytes), deliveredMs, ack }),
      onQueueEmpty: () => notify('queueEmpty'),
      onConnectionInterrupted: (cause) => {
        this.#intake.forget();
        notify('interrupted', { cause });
      },
      onConnectionEnded: (error) => this.#endIntake(error),
    });
    if (typeof stopListening !== 'function') refuse('transport.receive', 'a function that gives one that ends it');
    this.#stopListening = stopListening as () => void;
  }

  /** All that was taken in is acknowledged; or left with the service, for some time if that happens again and again. */
  async #settled(): Promise<void> {
    await this.#tail;
    if (this.#deferrals === 0) return;
    const waitMs = backoffMs(this.#deferrals - 1, REDELIVERY_BASE_MS, REDELIVERY_CEILING_MS);
    // Closed meanwhile: there is nothing to wait for.
    await wait(waitMs, this.#ending.signal).catch(() => undefined);
  }

  async #receive(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await this.#stream.room();
      await this.#batches.acquire(signal);
      const letters = await this.#intake.next(BATCH_LETTERS, BATCH_BYTES);
      if (letters.length === 0) return;
      const startMs = performance.now();
      const openings = await this.#opener.open(letters);
      this.#services.telemetry.publish('received:stage', {
        stage: 'unseal',
        envelopes: letters.length,
        durationMs: performance.now() - startMs,
      });
      this.#take(new Batch(this.#nextBatch++, letters, openings, this.#services), letters);
    }
  }

  /** Batches are worked through side by side, and given out one after the other. */
  #take(batch: Batch, letters: readonly IncomingEnvelope[]): void {
    const taker = this.#done.expectTaker();
    const working = batch.run(() => taker.take(), !this.#stream.isDiscarding);
    const before = this.#tail;
    this.#tail = working
      .then(async ({ given, retries, deferred }) => {
        await before;
        this.#deferrals = deferred === 0 ? 0 : this.#deferrals + 1;
        if (deferred > 0) this.#intake.giveBack();
        this.#stream.push(given);
        for (const { key, row } of retries) this.#retries.add(key, row);
      })
      .catch((error: unknown) => {
        this.#services.counters.count('deferred', letters.length);
        this.#fail(error);
      })
      .finally(() => {
        taker.end();
        this.#batches.release();
      });
  }

  /**
   * Nothing more will come. Batches in work are finished and given out; requests to send something again, which take another
   * connection, go on until `close()`.
   */
  #endIntake(error: SealcastError): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#services.telemetry.log.error(
      { code: error.code },
      'receiver stopped: the account has no connection any more',
    );
    this.#intake.end();
    this.#stream.expectEnd();
    void this.#preKeys.stop();
    void this.#work
      .then(() => this.#tail)
      .then(() => {
        if (this.#closing.signal.aborted) return;
        this.#stream.endAfterReady(error);
        this.#options.notify('stopped', { error });
      });
  }

  /** Nothing more is taken: what was not committed was not acknowledged, and comes again to whoever is opened next. */
  #fail(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#services.telemetry.log.error({ code: codeOf(error) }, 'receiver stopped');
    this.#stop(error);
    this.#options.notify('stopped', { error });
  }

  #stop(error: unknown): void {
    this.#closing.abort(error ?? new SealcastError('ERR_CLOSED', 'this Receiver is closed'));
    this.#ending.abort();
    this.#intake.end();
    this.#stream.end(error);
    try {
      this.#stopListening();
    } catch (thrown) {
      // What a transport cannot let go of it has for itself: nothing that it says is heard any more.
      this.#services.telemetry.log.warn({ code: codeOf(thrown) }, 'the transport could not be let go');
    }
  }

  /** Notifies of clock skews from now on, of one that is known first. Further calls do nothing. */
  tellClockSkews(): void {
    this.#endSkews ??= this.runtime.time.subscribe((skew) => this.#options.notify('clockSkew', skew));
  }

  iterate(): AsyncGenerator<ReceivedMessage, void, void> {
    return this.#stream.iterate();
  }

  discard(): void {
    this.#stream.discard();
  }

  get stats(): ReceiverStats {
    return { ...this.#services.counters.snapshot, waiting: this.#intake.length, ready: this.#stream.length };
  }

  /** Finishes what is being decrypted, and lets go. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#stop(undefined);
    await this.#work;
    await this.#tail;
    await Promise.all([this.#retries.close(), this.#preKeys.stop()]);
    await this.#done.close();
    await this.#release();
  }

  async #release(): Promise<void> {
    this.runtime.onCertificateProblem.delete(this.#onCertificateProblem);
    this.#endSkews?.();
    await this.runtime.release();
  }
}

const codeOf = (error: unknown): string => (error instanceof SealcastError ? error.code : 'UNKNOWN');

/** Anything but bytes is told to the transport that gives it. Of an envelope that is too large only that is kept: it is refused. */
function checkLetter(bytes: Uint8Array<ArrayBuffer>): Pick<IncomingEnvelope, 'bytes' | 'isTooLarge'> {
  if (viewOf(bytes) === null) refuse('envelope', 'a Uint8Array');
  const isTooLarge = bytes.length > MAX_ENVELOPE_BYTES;
  return { bytes: isTooLarge ? new Uint8Array(0) : bytes, isTooLarge };
}
