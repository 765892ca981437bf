import { randomUUID } from 'node:crypto';
import { AbortWatch } from '../util/abort-watch.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { openRuntime } from '../runtime/open-runtime.js';
import { Identities } from '../runtime/pending-identities.js';
import { onAddressed } from '../access/unanswered.js';
import { contactChange, type ContactRecord } from '../store/tables/contacts.js';
import type { ResendQueue } from '../runtime/resend-queue.js';
import { SharedEncryption } from '../session/shared-encryption.js';
import { Semaphore } from '../util/semaphore.js';
import { isPrimary } from '../util/addresses.js';
import { OwnDeviceSender } from '../runtime/own-device-sender.js';
import { SendGuard } from '../runtime/send-guard.js';
import type { SealcastError } from '../errors.js';
import { refuse } from '../sealer/options.js';
import { isDamaged } from '../store/damage.js';
import type { Sealer } from '../sealer/sealer.js';
import { dryRunContext } from './dry-run.js';
import type {
  BroadcasterEvents,
  BroadcasterLimits,
  CheckedBroadcast,
  Transcripts,
} from './options.js';
import { withAnySignal } from '../util/abort.js';
import { countAbsences } from './absence-count.js';
import { sendTranscript } from './transcript.js';
import type { EventSink } from '../util/event-relay.js';
import { BroadcastIndex } from './broadcast-index.js';
import { BroadcastRecords, needsRecipients } from './broadcast-records.js';
import type { RuntimeOptions, Policies } from '../runtime/options.js';
import { Outbox } from './outbox.js';
import { PreKeyFetches } from './flow/prekey-fetches.js';
import { Pruner } from './pruner.js';
import type { BroadcastRun, ResumedBroadcast } from './run.js';
import type { BroadcastContext } from './context.js';
import { Runs } from './run-registry.js';
import { RunTask, type RunTaskOptions } from './run-task.js';

/** Options that a Broadcaster was opened with, checked. */
export interface ServiceOptions extends RuntimeOptions {
  readonly policies: Policies;
  readonly limits: BroadcasterLimits;
  /** Of broadcasts that do not say. */
  readonly transcripts?: Transcripts | undefined;
  readonly events: EventSink<BroadcasterEvents>;
}

/** Implementation of `Broadcaster`, loaded lazily so that seal-only users do not pay for it. */
export class BroadcastService {
  readonly #context: BroadcastContext;
  readonly #limits: BroadcasterLimits;
  readonly #runtime: AccountRuntime;
  readonly #runs: Runs;
  readonly #pruner: Pruner;
  readonly #index: BroadcastIndex;
  readonly #records: BroadcastRecords;
  readonly #resends: ResendQueue;
  readonly identities: Identities;
  #endProblems: () => void = () => undefined;
  #detach: () => void = () => undefined;
  #endSkews: (() => void) | undefined;
  readonly #closing = new AbortController();
  #closed = false;

  private constructor(
    runtime: AccountRuntime,
    { limits, transcripts }: Pick<ServiceOptions, 'limits' | 'transcripts'>,
    context: BroadcastContext,
  ) {
    this.#runtime = runtime;
    this.#limits = limits;
    this.#context = context;
    this.#resends = runtime.resends;
    this.identities = new Identities(runtime);
    this.#index = BroadcastIndex.of(runtime.resends);
    this.#runs = new Runs(runtime.resends);
    const { outbox, clock } = context;
    this.#records = new BroadcastRecords({
      outbox,
      locks: runtime.locks,
      clock,
      index: this.#index,
      transcripts: transcripts ?? (isPrimary(context.account()) ? 'none' : 'summary'),
      dryRun: false,
    });
    this.#pruner = new Pruner({
      outbox: context.outbox,
      locks: context.locks,
      keepFinishedMs: limits.keepFinishedMs,
      clock: context.clock,
      telemetry: context.telemetry,
      runs: this.#runs,
      index: this.#index,
    });
  }

  static async open(options: ServiceOptions): Promise<BroadcastService> {
    const { store, transport, policies, limits, telemetry, events } = options;
    const runtime = await openRuntime(options);
    const guard = SendGuard.of(store);
    const outbox = new Outbox(store, runtime.clock);
    const context: BroadcastContext = {
      account: () => runtime.account,
      profileKey: runtime.profileKey,
      pniSignature: () =>
        runtime.pni && { pni: runtime.pni.serviceId, signature: runtime.pni.signature },
      policies,
      outbox,
      transport,
      sessionClient: runtime.sessionClient,
      firstSessions: new SharedEncryption(runtime.sessionClient, outbox),
      seals: runtime.seals,
      certificates: runtime.certificates,
      locks: runtime.locks,
      resends: runtime.resends,
      guard,
      preKeys: new PreKeyFetches(
        transport,
        new Semaphore(limits.preKeyConcurrency, new AbortWatch()),
        guard,
      ),
      telemetry,
      events,
      clock: runtime.clock,
      ownDevices: new OwnDeviceSender(runtime),
    };
    const service = new BroadcastService(runtime, options, context);
    service.#endProblems = runtime.certificateProblems.subscribe((problem) =>
      events.emit('certificateProblem', problem),
    );
    try {
      await service.#pruner.start();
      service.#detach = runtime.resends.attach({
        idOf: (timestamp) => service.#index.idOf(timestamp),
        beginResend: (id) => service.#runs.whenIdle(id, () => service.#resend(id)),
      });
    } catch (error) {
      await service.#release();
      throw error;
    }
    return service;
  }

  /** Whether the transport has a CDN. */
  get canUpload(): boolean {
    const { transport } = this.#context;
    return transport.cdn !== undefined && transport.getUploadForm !== undefined;
  }

  async #release(): Promise<void> {
    this.#endProblems();
    this.#detach();
    this.#endSkews?.();
    await this.#pruner.stop();
    await this.#runtime.release();
  }

  /** Notifies of clock skews from now on, of one that is known first. Further calls do nothing. */
  tellClockSkews(): void {
    this.#endSkews ??= this.#runtime.time.subscribe((skew) =>
      this.#context.events.emit('clockSkew', skew),
    );
  }

  publicId(id: string): string {
    return this.#runtime.publicIds.nameOf(id);
  }

  challengeAnswered(): void {
    this.#runs.challengeAnswered();
  }

  get sealer(): Sealer {
    return this.#runtime.sealer;
  }

  broadcast(checked: CheckedBroadcast): BroadcastRun {
    const id = checked.id ?? randomUUID();
    if (!checked.dryRun && this.#runs.hasUsersRun(id))
      refuse('id', 'that of no broadcast that is under way');
    if (checked.list !== undefined && checked.list.store !== this.#runtime.options.store)
      refuse('recipients', 'a list in the store of this Broadcaster');
    if (checked.timestamp !== undefined)
      this.#index.assertFree({ id, timestamp: checked.timestamp });
    const { signal, recipients } = checked;
    if (checked.dryRun) return this.#startDry(id, checked);
    return this.#start(id, 'run', { signal, recipients, message: checked });
  }

  /** Begins a run of what the store has under the id. */
  resumeOne(id: string, signal: AbortSignal | undefined): BroadcastRun {
    if (this.#runs.hasUsersRun(id)) refuse('id', 'that of no broadcast that is under way');
    return this.#start(id, 'run', { signal, recipients: 'outbox', message: undefined });
  }

  async resumeAll(signal: AbortSignal | undefined): Promise<ResumedBroadcast[]> {
    const unfinished: string[] = [];
    const untold: string[] = [];
    const uncounted: string[] = [];
    const damaged = new Map<string, SealcastError>();
    for await (const found of this.#context.outbox.broadcasts()) {
      const { id } = found;
      if ('error' in found) {
        damaged.set(id, found.error);
        unfinished.push(id);
      } else if (found.record.state !== 'finished') unfinished.push(id);
      else {
        if (found.record.isCountDue === true) uncounted.push(id);
        if (found.record.transcript === 'due') untold.push(id);
      }
    }
    for (const id of uncounted)
      if (!this.#runs.hasUsersRun(id)) await countAbsences(id, this.#context);
    for (const id of untold) await this.#tellOwnDevices(id, signal);
    const resumed: ResumedBroadcast[] = [];
    for (const id of unfinished) {
      const error = damaged.get(id);
      if (error !== undefined) {
        resumed.push({ id, status: 'failed', error });
        continue;
      }
      // While the ones before it were finished, another call may have resumed it, or finished it.
      const record = await this.#context.outbox.broadcast(id).catch((error: unknown) => {
        if (isDamaged(error)) return error;
        throw error;
      });
      if (record instanceof Error) {
        resumed.push({ id, status: 'failed', error: record });
        continue;
      }
      if (record === undefined || record.state === 'finished' || this.#runs.hasUsersRun(id))
        continue;
      if (needsRecipients(record)) resumed.push({ id, status: 'needs-recipients' });
      else resumed.push(await this.#outcomeOf(id, signal));
    }
    return resumed;
  }

  /** Sends the note about a broadcast that has ended; its run could not. */
  async #tellOwnDevices(id: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#runs.hasUsersRun(id)) return;
    await withAnySignal([signal, this.#closing.signal], (either) =>
      sendTranscript(id, this.#context, either),
    );
  }

  async #outcomeOf(id: string, signal: AbortSignal | undefined): Promise<ResumedBroadcast> {
    const run = this.resumeOne(id, signal);
    try {
      return { id, status: 'finished', summary: await run.summary() };
    } catch (error) {
      if (signal?.aborted === true || this.#closed) throw error;
      return { id, status: 'failed', error };
    }
  }

  /** Begins a run once the runs of the broadcast that are under way have ended. */
  #start(
    id: string,
    kind: 'run' | 'resend',
    what: Pick<RunTaskOptions, 'signal' | 'recipients' | 'message'>,
  ): BroadcastRun {
    const task = new RunTask({
      ...what,
      id,
      context: this.#context,
      limits: this.#limits,
      dryRun: false,
      records: this.#records,
      endStates: this.#resends,
      after: this.#runs.endOf(id),
    });
    this.#runs.add(id, kind, task);
    return task.run;
  }

  /**
   * Begins a dry run, which shares no state and leaves none. Another run of the same id may be
   * under way, or begin.
   */
  #startDry(id: string, message: CheckedBroadcast): BroadcastRun {
    const context = dryRunContext(this.#context, this.#runtime.options.store);
    const { outbox, clock } = context;
    const task = new RunTask({
      id,
      context,
      limits: this.#limits,
      dryRun: true,
      signal: message.signal,
      recipients: message.recipients,
      message,
      records: new BroadcastRecords({
        outbox,
        locks: this.#context.locks,
        clock,
        index: this.#index,
        transcripts: 'none',
        dryRun: true,
      }),
      endStates: { stateAfter: () => 'finished', reopened: () => undefined },
      after: undefined,
    });
    this.#runs.addDry(task);
    return task.run;
  }

  /** Sends once more to the recipients that could not decrypt. The broadcast is not under way. */
  #resend(id: string): void {
    const only = this.#closed ? [] : this.#resends.take(id);
    if (only.length === 0) return;
    // No caller waits for it. The rest that it cannot do now is left to resume(). The telemetry has
    // the reason why it failed.
    void this.#start(id, 'resend', { signal: undefined, recipients: { only }, message: undefined })
      .summary()
      .catch(() => undefined);
  }

  /**
   * Blocks or unblocks as the open account does; where none is open, only the contact's record
   * changes.
   */
  async setBlocked(serviceId: string, blocked: boolean): Promise<void> {
    const blocker = this.#runtime.blocker;
    if (blocker !== undefined) {
      if (!blocked) return blocker.unblock(serviceId);
      // An account without a profile to upload under another key blocks without one.
      if (await blocker.tryBlock(serviceId)) return;
    }
    return this.changeContact(serviceId, (contact) => ({
      ...contact,
      blocked,
      blockedByPrimary: false,
      lacksProfileKey: blocked && contact.lacksProfileKey,
    }));
  }

  /** Changes a contact's record for a caller. Many calls at once share a transaction. */
  async changeContact(
    serviceId: string,
    change: (contact: ContactRecord) => ContactRecord,
  ): Promise<void> {
    const { locks, outbox } = this.#context;
    await locks.with([serviceId], async () => {
      const contact = await outbox.contact(serviceId);
      const changed = onAddressed(change(contact));
      if (changed !== contact) await outbox.commit([contactChange(serviceId, changed)]);
    });
  }

  /** Stops the runs with the error, and ends the workers. */
  async close(error: SealcastError): Promise<void> {
    this.#closed = true;
    this.#closing.abort(error);
    // Another Broadcaster on the store answers retry requests from now on.
    this.#detach();
    await this.#runs.stop(error);
    await this.#release();
  }
}
