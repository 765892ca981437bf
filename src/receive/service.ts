import { AbortWatch } from '../util/abort-watch.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { openRuntime } from '../runtime/open-runtime.js';
import type { RuntimeOptions, Policies } from '../runtime/options.js';
import { PreKeys } from '../account/prekeys/manager.js';
import { Records } from '../runtime/records.js';
import { Semaphore } from '../util/semaphore.js';
import { SealcastError } from '../errors.js';
import { refuse, viewOf } from '../sealer/options.js';
import type { AccountTransport } from '../transport/account-transport.js';
import type { EventSink } from '../util/event-relay.js';
import { Batch } from './batch.js';
import { BlockedList } from './blocked-list.js';
import { Counters } from './counters.js';
import { InboxCleanup } from './inbox-cleanup.js';
import { readInbox } from './inbox-reader.js';
import { stopReasonOf, type ReceiverEvents } from './events.js';
import { FatalErrorLatch, type PreKeyUses, type ReceiveContext } from './context.js';
import { GroupDecryptor } from './decrypt/groups.js';
import { lastReceivedChange } from '../store/tables/account.js';
import { Inbox } from '../store/tables/inbox.js';
import { EnvelopeQueue, type IncomingEnvelope, LostEnvelopes } from './envelope-queue.js';
import { MessageStream } from './message-stream.js';
import { EnvelopeOpener } from './envelope-opener.js';
import { MAX_ENVELOPE_BYTES, type ReceivedMessage, type ReceiverStats } from './types.js';
import { LruMap, RecentSet } from '../util/lru-map.js';
import { downloadsOf } from './received-message.js';
import { Redelivery } from './redelivery.js';
import { RetryLimits } from './retry/limits.js';
import { RetrySender } from './retry/sender.js';
import { SessionDecryptor } from './decrypt/sessions.js';
import { UnansweredPruner } from './unanswered-pruner.js';

/**
 * Envelopes that are opened together, and batches that are in work at the same time. The service
 * has at most 256 envelopes on their way: taken as one batch they would go through one step after
 * the other, with the workers idle while the disk is busy. Smaller batches than these overlap
 * better, and take more of the processors.
 */
const BATCH_ENVELOPES = 128;
/**
 * Bytes of a batch. Envelopes have 1 to 2 KB; strangers choose the size of theirs, and one batch
 * goes through the store in one transaction.
 */
const BATCH_BYTES = 1024 * 1024;
const BATCHES_IN_WORK = 3;
/** Least time between two notes that the service's queue was read. */
const RECEIVED_INTERVAL_MS = 3_600_000;
const ALERT_INTERVAL_MS = 24 * 3_600_000;
/** Alerts that are remembered. */
const MAX_ALERTS = 64;
/** Receipts that are remembered. */
const MAX_RECEIPTS = 16_384;
/**
 * Prekeys of another program. The receiver cannot tell which Kyber prekeys are last-resort ones, so
 * all of them stay, and none is used twice with the same keys.
 */
const FOREIGN_PREKEYS: PreKeyUses = {
  lastResortsAmong: (ids) => Promise.resolve(new Set(ids)),
  noteUsed: () => undefined,
};

/** Options of a Receiver, checked. */
export interface ServiceOptions extends RuntimeOptions {
  readonly transport: AccountTransport;
  readonly policies: Policies;
  readonly maintainPreKeys: boolean;
  readonly maxUnansweredContacts: number;
  readonly events: EventSink<ReceiverEvents>;
}

/** Implementation of `Receiver`, loaded when one is opened. */
export class ReceiveService {
  readonly runtime: AccountRuntime;
  readonly #options: ServiceOptions;
  readonly #context: ReceiveContext;
  readonly #opener: EnvelopeOpener;
  readonly #queue: EnvelopeQueue;
  readonly #stream: MessageStream;
  readonly #cleanup: InboxCleanup;
  readonly #redelivery: Redelivery;
  readonly #retries: RetrySender;
  readonly #blockedList: BlockedList;
  readonly #unanswered: UnansweredPruner;
  /** Of our ACI, and of our PNI, which does nothing while there is none. */
  readonly #preKeys: readonly PreKeys[];
  readonly #batches = new Semaphore(BATCHES_IN_WORK, new AbortWatch());
  readonly #closing = new AbortController();
  /** Fires when intake ends: the account's connection is gone, or the Receiver stops. */
  readonly #ending = new AbortController();
  /** When alerts were passed on last, ms of the monotonic clock. */
  readonly #alerts = new LruMap<string, number>(MAX_ALERTS);
  /** When the store was told last that the service's queue was read, ms of the monotonic clock. */
  #receivedNotedMs = -Infinity;
  /** Whether the service keeps nothing for this device, but what is on its way. */
  #isCaughtUp = false;
  #noting: Promise<void> = Promise.resolve();
  #nextBatch = 1;
  #work: Promise<void> = Promise.resolve();
  #stopListening: () => void = () => undefined;
  #endSkews: (() => void) | undefined;
  #endProblems: () => void = () => undefined;
  readonly #endPni: () => void;

  private constructor(runtime: AccountRuntime, options: ServiceOptions) {
    const { store, transport, policies, telemetry, events, trustRoots, maintainPreKeys } = options;
    const records = new Records(store, runtime.clock);
    const inbox = new Inbox(store);
    this.#blockedList = new BlockedList(runtime, records);
    this.#unanswered = new UnansweredPruner({
      runtime,
      records,
      inbox,
      maxContacts: options.maxUnansweredContacts,
    });
    this.runtime = runtime;
    this.#options = options;
    const aciPreKeys = new PreKeys(runtime, transport);
    const pniPreKeys = new PreKeys(runtime, transport, 'pni');
    this.#preKeys = [aciPreKeys, pniPreKeys];
    for (const { problems } of this.#preKeys)
      problems.subscribe((error) => events.emit('preKeyProblem', { error }));
    this.#redelivery = new Redelivery(transport, runtime.clock, this.#ending.signal);
    this.#cleanup = new InboxCleanup({
      remove: (keys) => records.commit(inbox.remove(keys)),
      failed: (error) => this.#fail(error),
    });
    this.#retries = new RetrySender({ runtime, records, policies, telemetry }, this.#cleanup);
    this.#context = {
      downloads: downloadsOf({ cdn: transport.cdn, clock: runtime.clock }),
      runtime,
      records,
      inbox,
      sessions: new SessionDecryptor(store, runtime.sessionClient),
      groups: new GroupDecryptor(store, runtime.sessionClient),
      policies,
      counters: new Counters(telemetry, events),
      retryLimits: new RetryLimits(),
      resendLimits: new RetryLimits(),
      receipts: new RecentSet(MAX_RECEIPTS),
      firstFailure: new FatalErrorLatch(),
      lostEnvelopes: new LostEnvelopes(),
      telemetry,
      events,
      retries: this.#retries,
      preKeys: {
        aci: maintainPreKeys ? aciPreKeys : FOREIGN_PREKEYS,
        pni: maintainPreKeys ? pniPreKeys : FOREIGN_PREKEYS,
      },
      blockedList: this.#blockedList,
      unanswered: this.#unanswered,
    };
    // The service has no one-time prekeys of a new PNI.
    this.#endPni = runtime.pniChanges.subscribe(() => pniPreKeys.noteUsed(1));
    this.#opener = new EnvelopeOpener(runtime.sealer, trustRoots, {
      aci: runtime.account.aci,
      deviceId: runtime.account.deviceId,
      identityPublicKey: runtime.account.identityPublicKey,
      pni: () => runtime.pni?.serviceId,
    });
    this.#queue = new EnvelopeQueue(this.#redelivery);
    this.#stream = new MessageStream(this.#cleanup);
  }

  /** Opens the service, which takes the rows of the inbox first, and then new envelopes. */
  static async open(options: ServiceOptions): Promise<ReceiveService> {
    const runtime = await openRuntime(options);
    const service = new ReceiveService(runtime, options);
    service.#endProblems = runtime.certificateProblems.subscribe((problem) =>
      options.events.emit('certificateProblem', problem),
    );
    try {
      service.#nextBatch = await readInbox(service.#context, service.#stream, service.#retries);
      service.#listen();
    } catch (error) {
      await service.#retries.close();
      await service.#release();
      throw error;
    }
    if (options.maintainPreKeys) for (const preKeys of service.#preKeys) preKeys.start();
    service.#blockedList.apply();
    service.#unanswered.start();
    service.#work = service.#receive().catch((error: unknown) => service.#fail(error));
    return service;
  }

  #listen(): void {
    const { transport, events } = this.#options;
    const stopListening: unknown = transport.receive({
      onIncomingMessage: (bytes, deliveredMs, ack) =>
        this.#queue.push({ ...checkIncoming(bytes), deliveredMs, ack }),
      onQueueEmpty: () => {
        this.#isCaughtUp = true;
        this.#noteReceived(RECEIVED_INTERVAL_MS);
        events.emit('queueEmpty');
      },
      onAlerts: (alerts) => this.#noteAlerts(alerts),
      onConnectionInterrupted: (cause) => {
        this.#isCaughtUp = false;
        this.#queue.forget();
        events.emit('interrupted', { cause });
      },
      onConnectionEnded: (error) => this.#endIntake(error),
    });
    if (typeof stopListening !== 'function')
      refuse('transport.receive', 'a function that gives one that ends it');
    this.#stopListening = stopListening as () => void;
  }

  /** Tells the store that the service's queue was read, unless it was told within the interval. */
  #noteReceived(intervalMs: number): void {
    const { clock } = this.runtime;
    const nowMs = clock.monotonicMs();
    if (!this.#isCaughtUp || nowMs - this.#receivedNotedMs < intervalMs) return;
    this.#receivedNotedMs = nowMs;
    this.#noting = this.#context.records
      .commit([lastReceivedChange(clock.now())])
      .catch((error: unknown) => {
        // Only advice to a person depends on it.
        const code = codeOf(error);
        this.#context.telemetry.log.warn({ code }, 'note the time of the last receive: failed');
      });
  }

  /** Passes alerts on, each once a day: the service repeats them at every connect. */
  #noteAlerts(alerts: readonly string[]): void {
    const nowMs = this.runtime.clock.monotonicMs();
    for (const alert of alerts) {
      const toldMs = this.#alerts.get(alert);
      if (toldMs !== undefined && nowMs - toldMs < ALERT_INTERVAL_MS) continue;
      this.#alerts.set(alert, nowMs);
      this.#context.telemetry.log.warn({ alert }, 'the service warned this device');
      this.#options.events.emit('alert', { alert });
    }
  }

  async #receive(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await this.#stream.room();
      await this.#batches.acquire(signal);
      const envelopes = await this.#queue.next(BATCH_ENVELOPES, BATCH_BYTES);
      if (envelopes.length === 0) return;
      const { clock } = this.runtime;
      const startMs = clock.monotonicMs();
      const outcomes = await this.#opener.open(envelopes);
      this.#context.telemetry.publish('received:stage', {
        stage: 'unseal',
        envelopes: envelopes.length,
        durationMs: clock.monotonicMs() - startMs,
      });
      this.#take(new Batch(this.#nextBatch++, envelopes, outcomes, this.#context), envelopes);
    }
  }

  /** Works through batches side by side, and gives them out one after the other. */
  #take(batch: Batch, envelopes: readonly IncomingEnvelope[]): void {
    const taker = this.#cleanup.expectTaker();
    const working = batch.run(taker, !this.#stream.isDiscarding);
    const before = this.#redelivery.tail;
    const givenOut = working
      .then(async ({ given, retries, deferred }) => {
        taker.committed();
        this.#noteReceived(RECEIVED_INTERVAL_MS);
        await before;
        this.#redelivery.noteDeferred(deferred);
        if (deferred > 0) this.#queue.giveBack();
        this.#stream.push(given);
        for (const { key, row } of retries) this.#retries.add(key, row);
      })
      .catch((error: unknown) => {
        this.#context.counters.count('deferred', envelopes.length);
        this.#fail(error);
      })
      .finally(() => {
        taker.end();
        this.#batches.release();
      });
    this.#redelivery.follow(givenOut);
  }

  /**
   * Ends the intake: no further envelopes come. Batches in work are finished and given out; retry
   * requests, which take another connection, go on until `close()`.
   */
  #endIntake(error: SealcastError): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#context.telemetry.log.error(
      { code: error.code },
      'receiver stopped: the account has no connection any more',
    );
    this.#queue.end();
    this.#stream.expectEnd();
    for (const preKeys of this.#preKeys) void preKeys.stop();
    void this.#work
      .then(() => this.#redelivery.tail)
      .then(() => {
        if (this.#closing.signal.aborted) return;
        this.#stream.endAfterReady(error);
        this.#options.events.emit('stopped', { error, reason: stopReasonOf(error) });
      });
  }

  /**
   * Stops with an error. Envelopes that were not committed were not acknowledged, and come again to
   * the Receiver that is opened next.
   */
  #fail(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#context.telemetry.log.error({ code: codeOf(error) }, 'receiver stopped');
    this.#stop(error);
    this.#options.events.emit('stopped', { error, reason: stopReasonOf(error) });
  }

  #stop(error: unknown): void {
    this.#closing.abort(error ?? new SealcastError('ERR_CLOSED', 'this Receiver is closed'));
    this.#ending.abort();
    this.#queue.end();
    this.#stream.end(error);
    try {
      this.#stopListening();
    } catch (thrown) {
      // The transport keeps the resources that it cannot release: its envelopes are ignored from
      // here on.
      this.#context.telemetry.log.warn(
        { code: codeOf(thrown) },
        'stop listening: the transport failed',
      );
    }
  }

  /** Notifies of clock skews from now on, of one that is known first. Further calls do nothing. */
  tellClockSkews(): void {
    this.#endSkews ??= this.runtime.time.subscribe((skew) =>
      this.#options.events.emit('clockSkew', skew),
    );
  }

  iterate(): AsyncGenerator<ReceivedMessage, void, void> {
    return this.#stream.iterate();
  }

  discard(): void {
    this.#stream.discard();
  }

  get stats(): ReceiverStats {
    return {
      ...this.#context.counters.snapshot,
      waiting: this.#queue.length,
      ready: this.#stream.length,
    };
  }

  /** Finishes batches in work, and releases all resources. */
  async close(): Promise<void> {
    if (!this.#ending.signal.aborted) this.#noteReceived(0);
    if (!this.#closing.signal.aborted) this.#stop(undefined);
    await this.#work;
    await this.#redelivery.tail;
    await Promise.all([this.#retries.close(), ...this.#preKeys.map((each) => each.stop())]);
    await Promise.all([this.#cleanup.close(), this.#noting]);
    await this.#release();
  }

  async #release(): Promise<void> {
    this.#endProblems();
    this.#endPni();
    this.#endSkews?.();
    await this.#blockedList.close();
    await this.#unanswered.stop();
    await this.runtime.release();
  }
}

const codeOf = (error: unknown): string =>
  error instanceof SealcastError ? error.code : 'UNKNOWN';

/**
 * Refuses anything but bytes, in the call of the transport. Of an envelope that is too large only
 * that fact is kept: it is refused.
 */
function checkIncoming(
  bytes: Uint8Array<ArrayBuffer>,
): Pick<IncomingEnvelope, 'bytes' | 'isTooLarge'> {
  if (viewOf(bytes) === null) refuse('envelope', 'a Uint8Array');
  const isTooLarge = bytes.length > MAX_ENVELOPE_BYTES;
  return { bytes: isTooLarge ? new Uint8Array(0) : bytes, isTooLarge };
}
