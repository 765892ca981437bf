import { randomUUID } from 'node:crypto';
import { AbortWatch } from '../abort-watch.js';
import { Hub } from '../account/hub.js';
import { contactChange } from '../account/records.js';
import type { ResendQueue } from '../account/resend-queue.js';
import { Semaphore } from '../account/semaphore.js';
import { tooLargeError } from '../content/index.js';
import { SealcastError } from '../errors.js';
import { refuse } from '../options.js';
import type { Sealer } from '../sealer.js';
import type { BroadcastRecord, ContactRecord } from '../store/records.js';
import { DRY_CERTIFICATE, DryTransport, OverlayStore } from './dry-run.js';
import type { Notify } from './events.js';
import type { HubOptions, Policies } from '../account/options.js';
import type { BroadcasterLimits, CheckedBroadcast } from './options.js';
import { Outbox } from './outbox.js';
import type { BroadcastRun, ResumedBroadcast } from './run.js';
import type { Services } from './services.js';
import type { RunRecipients } from './pipeline.js';
import { startRun, type Opened, type StartOptions } from './start-run.js';

/** What a Broadcaster was opened with, checked. */
export interface CoreOptions extends HubOptions {
  readonly policies: Policies;
  readonly limits: BroadcasterLimits;
  readonly notify: Notify;
}

interface Underway {
  readonly stop: (error: unknown) => void;
  readonly ended: Promise<unknown>;
}

/** A Broadcaster's inside, loaded when one is opened: who only seals needs none of it. */
export class BroadcasterCore {
  readonly #services: Services;
  readonly #limits: BroadcasterLimits;
  readonly #hub: Hub;
  readonly #underway = new Map<string, Underway>();
  /** Of the broadcasts in the store: their ids. */
  readonly #idsByTimestamp = new Map<number, string>();
  readonly #resends: ResendQueue;
  #detach: () => void = () => undefined;
  #closed = false;

  private constructor(hub: Hub, limits: BroadcasterLimits, services: Services) {
    this.#hub = hub;
    this.#limits = limits;
    this.#services = services;
    this.#resends = hub.resends;
  }

  static async open(options: CoreOptions): Promise<BroadcasterCore> {
    const { store, transport, policies, limits, telemetry, notify } = options;
    const hub = await Hub.open(options);
    const services: Services = {
      account: () => hub.account,
      policies,
      outbox: new Outbox(store),
      transport,
      ratchet: hub.ratchet,
      seals: hub.seals,
      certificates: hub.certificates,
      locks: hub.locks,
      resends: hub.resends,
      preKeyRequests: new Semaphore(limits.preKeyConcurrency, new AbortWatch()),
      telemetry,
      notify,
    };
    const core = new BroadcasterCore(hub, limits, services);
    hub.onCertificateProblem.add(core.#onCertificateProblem);
    try {
      await core.#prune();
      core.#detach = hub.resends.attach({
        idOf: (timestamp) => core.#idsByTimestamp.get(timestamp),
        beginResend: (id) => core.#whenIdle(id, () => core.#resend(id)),
      });
    } catch (error) {
      await core.#letGo();
      throw error;
    }
    return core;
  }

  readonly #onCertificateProblem = (error: SealcastError, attempt: number): void => {
    this.#services.notify('certificateProblem', { error, attempt });
  };

  async #letGo(): Promise<void> {
    this.#hub.onCertificateProblem.delete(this.#onCertificateProblem);
    this.#detach();
    await this.#hub.release();
  }

  get sealer(): Sealer {
    return this.#hub.sealer;
  }

  broadcast(checked: CheckedBroadcast): BroadcastRun {
    const id = checked.id ?? randomUUID();
    if (this.#underway.has(id)) refuse('id', 'that of no broadcast that is under way');
    const other = checked.timestamp === undefined ? undefined : this.#idsByTimestamp.get(checked.timestamp);
    // Receivers would take the two messages for one, and show the first alone.
    if (other !== undefined && other !== id) refuse('timestamp', 'that of no other broadcast in the store');
    const services = checked.dryRun ? this.#dryServices() : this.#services;
    return this.#start(id, checked, services, checked.recipients, () => this.#open(id, checked, services.outbox));
  }

  async resume(signal: AbortSignal | undefined): Promise<ResumedBroadcast[]> {
    const unfinished: string[] = [];
    for await (const { id, record } of this.#services.outbox.broadcasts()) {
      if (record.state !== 'finished') unfinished.push(id);
    }
    const resumed: ResumedBroadcast[] = [];
    for (const id of unfinished) {
      // While the ones before it were finished, somebody may have taken it up, or finished it.
      const record = await this.#services.outbox.broadcast(id);
      if (record === undefined || record.state === 'finished' || this.#underway.has(id)) continue;
      // A text that broadcast() refuses never gets the rest of its recipients: it ends with those it has.
      const isOpen = record.state === 'ingesting' && tooLargeError(record.body) === undefined;
      if (isOpen) resumed.push({ id, status: 'needs-recipients' });
      else resumed.push(await this.#resumeOne(id, record, signal));
    }
    return resumed;
  }

  async #resumeOne(id: string, record: BroadcastRecord, signal: AbortSignal | undefined): Promise<ResumedBroadcast> {
    const options = { signal, dryRun: false, maxPerSecond: Infinity };
    const opened = (): Promise<Opened> => Promise.resolve({ record, isNew: false });
    const run = this.#start(id, options, this.#services, 'outbox', opened);
    try {
      return { id, status: 'finished', summary: await run.summary() };
    } catch (error) {
      if (signal?.aborted === true || this.#closed) throw error;
      return { id, status: 'failed', error };
    }
  }

  #start(
    id: string,
    options: Pick<CheckedBroadcast, 'signal' | 'dryRun' | 'maxPerSecond'>,
    services: Services,
    recipients: RunRecipients,
    open: () => Promise<Opened>,
    endState: StartOptions['endState'] = () => this.#resends.stateAfterAll(id),
  ): BroadcastRun {
    const started = startRun({ ...options, id, services, limits: this.#limits, recipients, open, endState });
    this.#underway.set(id, started);
    const forget = (): boolean => this.#underway.delete(id);
    started.ended.then(forget, forget);
    return started.run;
  }

  #whenIdle(id: string, then: () => void): void {
    const underway = this.#underway.get(id);
    if (underway === undefined) {
      then();
      return;
    }
    const again = (): void => this.#whenIdle(id, then);
    underway.ended.then(again, again);
  }

  /** Sends once more to those who could not decrypt; the broadcast is not under way. */
  #resend(id: string): void {
    const only = this.#closed ? [] : this.#resends.take(id);
    if (only.length === 0) return;
    const open = async (): Promise<Opened> => {
      const record = await this.#services.outbox.broadcast(id);
      if (record === undefined) throw new SealcastError('ERR_STORE_FAILED', `there is no broadcast ${id} any more`);
      return { record, isNew: false };
    };
    const options = { signal: undefined, dryRun: false, maxPerSecond: Infinity };
    const endState: StartOptions['endState'] = (record) => this.#resends.stateAfterResend(id, record);
    // Nobody waits for it; what it cannot do now is left to resume(). The telemetry has what it failed of.
    void this.#start(id, options, this.#services, { only }, open, endState)
      .summary()
      .catch(() => undefined);
  }

  /** The broadcast's record: the one that is there, if it is of the same message. */
  async #open(id: string, { body, timestamp, urgent }: CheckedBroadcast, outbox: Outbox): Promise<Opened> {
    const known = await outbox.broadcast(id);
    const nowMs = Date.now();
    if (known !== undefined) {
      if (known.body !== body || known.urgent !== urgent || (timestamp ?? known.timestamp) !== known.timestamp) {
        const message = `broadcast ${id} is of another message, timestamp or urgency`;
        throw new SealcastError('ERR_BROADCAST_MISMATCH', message, { field: 'id' });
      }
    }
    const record: BroadcastRecord = {
      state: 'ingesting',
      body,
      timestamp: known?.timestamp ?? timestamp ?? this.#nextTimestamp(nowMs),
      urgent,
      createdAtMs: known?.createdAtMs ?? nowMs,
      finishedAtMs: 0,
      invalidRecipients: 0,
    };
    this.#idsByTimestamp.set(record.timestamp, id);
    if (outbox === this.#services.outbox) this.#resends.reopened(id);
    await outbox.saveBroadcast(id, record);
    return { record, isNew: known === undefined };
  }

  /** Receivers take two messages with one timestamp for the same. A clock may be set back, and show a time twice. */
  #nextTimestamp(nowMs: number): number {
    let timestamp = nowMs;
    while (this.#idsByTimestamp.has(timestamp)) timestamp += 1;
    return timestamp;
  }

  #dryServices(): Services {
    return {
      ...this.#services,
      outbox: new Outbox(new OverlayStore(this.#hub.options.store)),
      transport: new DryTransport(),
      // Its overlay forgets all, and the rows that requests are about are not its own.
      resends: { isRequested: () => false, answering: () => undefined },
      certificates: { get: () => Promise.resolve(DRY_CERTIFICATE), isUsable: () => true },
    };
  }

  /** Many at once share a transaction. */
  async changeContact(serviceId: string, change: (contact: ContactRecord) => ContactRecord): Promise<void> {
    const { locks, outbox } = this.#services;
    await locks.with([serviceId], async () => {
      const contact = await outbox.contact(serviceId);
      const changed = change(contact);
      if (changed !== contact) await outbox.commit([contactChange(serviceId, changed)]);
    });
  }

  async #prune(): Promise<void> {
    const { outbox } = this.#services;
    const beforeMs = Date.now() - this.#limits.keepFinishedMs;
    const old: { readonly id: string; readonly record: BroadcastRecord }[] = [];
    for await (const { id, record } of outbox.broadcasts()) {
      const isOld = record.state === 'finished' && record.finishedAtMs < beforeMs;
      if (isOld || record.state === 'pruned') old.push({ id, record });
      else this.#idsByTimestamp.set(record.timestamp, id);
    }
    for (const { id, record } of old) {
      await outbox.prune(id, record);
      this.#resends.pruned(id);
    }
  }

  /** Stops what is under way, with the error, and ends the workers. */
  async close(error: SealcastError): Promise<void> {
    this.#closed = true;
    const underway = [...this.#underway.values()];
    for (const { stop } of underway) stop(error);
    await Promise.allSettled(underway.map(({ ended }) => ended));
    await this.#letGo();
  }
}
