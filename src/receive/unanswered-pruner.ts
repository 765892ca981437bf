import { mayBeDropped } from '../access/unanswered.js';
import { SealcastError } from '../errors.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import type { Records } from '../runtime/records.js';
import { isDamaged } from '../store/damage.js';
import { readRecords } from '../store/scan.js';
import type { Change, Store } from '../store/store.js';
import { scanBroadcasts } from '../store/tables/broadcasts.js';
import {
  contactRemovals,
  findContacts,
  isReadable,
  scanContacts,
  type ContactRecord,
} from '../store/tables/contacts.js';
import type { Inbox } from '../store/tables/inbox.js';
import { outboxKey } from '../store/tables/outbox.js';
import { TimeSlicer } from '../util/time-slicer.js';

const HOUR_MS = 3_600_000;
/** Delay of the first look: a process that ends at once reads no contacts for it. */
export const FIRST_LOOK_MS = 60_000;
/** Time between two looks, ms. */
export const LOOK_INTERVAL_MS = 6 * HOUR_MS;
/** Contacts whose locks are held together. */
const CHUNK_CONTACTS = 128;
/**
 * Changes of a commit that is not made larger. A contact has 3, and at most some 65,000 (127
 * devices with 2 sessions and 256 sender keys each).
 */
const MAX_CHANGES = 1_024;
/**
 * Contacts that may begin between two looks, at least: a look reads all contacts, and must cost
 * less than the messages that cause it.
 */
export const MIN_BEGUN = 1_024;

interface Candidate {
  readonly serviceId: string;
  readonly lastSeenMs: number;
}

export interface UnansweredPrunerOptions {
  readonly runtime: AccountRuntime;
  readonly records: Pick<Records, 'commit'>;
  readonly inbox: Pick<Inbox, 'senders'>;
  /** Unanswered contacts that are kept. */
  readonly maxContacts: number;
}

/**
 * Drops the oldest unanswered contacts above a number, with their sessions and sender keys. A
 * stranger who makes up accounts, or has many, would fill the disk with them.
 *
 * A look counts the contacts by the hour in which they were last seen (`lastSeenMs` is not more
 * precise), and drops those of the oldest hours, some at a time, under their locks. A kill in
 * between leaves the rest to the next look: a contact goes in one commit, with all that is theirs.
 *
 * No clock decides, so one that is wrong drops nothing: the service gave the times, and only their
 * order counts.
 */
export class UnansweredPruner {
  readonly #options: UnansweredPrunerOptions;
  /** Contacts that began since the last look. */
  #begun = 0;
  #cancel: () => void = () => undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: UnansweredPrunerOptions) {
    this.#options = options;
  }

  /** Schedules the looks. */
  start(): void {
    this.#schedule(FIRST_LOOK_MS);
  }

  /** Notes contacts that messages began, on the disk by now: with too many, a look begins. */
  noteBegun(count: number): void {
    this.#begun += count;
    if (this.#isFull) this.#begin();
  }

  /** Ends the looks. Resolves when the store is no longer touched. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#looking;
  }

  get #isFull(): boolean {
    return this.#begun > Math.max(this.#options.maxContacts, MIN_BEGUN);
  }

  #schedule(delayMs: number): void {
    this.#cancel();
    if (this.#isStopped) return;
    this.#cancel = this.#options.runtime.clock.setTimeout(() => this.#begin(), delayMs);
  }

  #begin(): void {
    if (this.#isStopped) return;
    this.#looking ??= this.#lookAgain().finally(() => {
      this.#looking = undefined;
      this.#schedule(LOOK_INTERVAL_MS);
    });
  }

  /** Looks, and once more where too many contacts began meanwhile. Never throws. */
  async #lookAgain(): Promise<void> {
    const { log } = this.#options.runtime.options.telemetry;
    try {
      do {
        const dropped = await this.#look();
        if (dropped > 0) {
          log.warn(
            { contacts: dropped, kept: this.#options.maxContacts },
            'prune contacts: the oldest unanswered ones were dropped',
          );
        }
      } while (this.#isFull && !this.#isStopped);
    } catch (error) {
      if (this.#isStopped) return;
      // Without this, each further contact would begin a look.
      this.#begun = 0;
      const code = error instanceof SealcastError ? error.code : 'UNKNOWN';
      log.warn({ code }, 'prune contacts: failed, retry in six hours');
    }
  }

  /** @returns contacts that were dropped. */
  async #look(): Promise<number> {
    const { maxContacts } = this.#options;
    const begunBefore = this.#begun;
    const hours = new Map<number, number>();
    let count = 0;
    for await (const candidate of this.#candidates()) {
      const hour = hourOf(candidate);
      hours.set(hour, (hours.get(hour) ?? 0) + 1);
      count += 1;
    }
    if (this.#isStopped) return 0;
    const dropped = count > maxContacts ? await this.#dropOldest(hours, count - maxContacts) : 0;
    // Contacts that began during the look may be in the count already: the next look is early then.
    this.#begun -= begunBefore;
    return dropped;
  }

  /**
   * Drops that many contacts of the oldest hours, but for those that must stay.
   *
   * @param hours contacts of each hour.
   */
  async #dropOldest(hours: ReadonlyMap<number, number>, excess: number): Promise<number> {
    const quotas = new Map<number, number>();
    let left = excess;
    for (const [hour, contacts] of [...hours].sort(([a], [b]) => a - b)) {
      if (left === 0) break;
      const quota = Math.min(contacts, left);
      quotas.set(hour, quota);
      left -= quota;
    }
    let dropped = 0;
    let chunk: Candidate[] = [];
    for await (const candidate of this.#candidates()) {
      const hour = hourOf(candidate);
      const quota = quotas.get(hour) ?? 0;
      if (quota === 0) continue;
      quotas.set(hour, quota - 1);
      chunk.push(candidate);
      if (chunk.length < CHUNK_CONTACTS) continue;
      dropped += await this.#drop(chunk);
      chunk = [];
    }
    return dropped + (await this.#drop(chunk));
  }

  /** Iterates over the contacts that may be dropped by their records, until it is stopped. */
  async *#candidates(): AsyncGenerator<Candidate, void, void> {
    const slicer = new TimeSlicer();
    for await (const { serviceId, contact } of scanContacts(this.#options.runtime.options.store)) {
      if (this.#isStopped) return;
      if (this.#mayDrop(serviceId, contact)) yield { serviceId, lastSeenMs: contact.lastSeenMs };
      if (slicer.isOver) await slicer.next();
    }
  }

  #mayDrop(serviceId: string, contact: ContactRecord): boolean {
    return mayBeDropped(contact) && serviceId !== this.#options.runtime.account.aci;
  }

  /** Drops those of the contacts that still may be, read again under their locks. */
  async #drop(candidates: readonly Candidate[]): Promise<number> {
    if (candidates.length === 0 || this.#isStopped) return 0;
    const { runtime, records } = this.#options;
    const { store } = runtime.options;
    const serviceIds = candidates.map(({ serviceId }) => serviceId);
    return runtime.locks.with(serviceIds, async () => {
      const contacts = await findContacts(store, serviceIds);
      const inUse = await this.#inUse(serviceIds);
      let changes: Change[] = [];
      let dropped = 0;
      for (const [i, { serviceId, lastSeenMs }] of candidates.entries()) {
        const contact = contacts[i];
        if (this.#isStopped) break;
        if (contact === undefined || !isReadable(contact) || inUse.has(serviceId)) continue;
        // One that wrote meanwhile is among the newest.
        if (!this.#mayDrop(serviceId, contact) || contact.lastSeenMs !== lastSeenMs) continue;
        const removals = await removalsOrNone(store, serviceId);
        if (removals === undefined) continue;
        changes.push(...removals);
        dropped += 1;
        if (changes.length < MAX_CHANGES) continue;
        await records.commit(changes);
        changes = [];
      }
      await records.commit(changes);
      return dropped;
    });
  }

  /**
   * Finds the contacts with a row in the inbox, or in an unfinished broadcast.
   *
   * The caller holds their locks: with them, no message of theirs enters the inbox.
   *
   * Rows of finished broadcasts tell nothing: a broadcast that came to a contact made them an
   * answered one.
   */
  async #inUse(serviceIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { runtime, inbox } = this.#options;
    const { store } = runtime.options;
    const inUse = new Set<string>();
    for await (const sender of inbox.senders()) inUse.add(sender);
    for await (const { id, record } of scanBroadcasts(store)) {
      if (record.state !== 'ingesting' && record.state !== 'sending') continue;
      const keys = serviceIds.map((serviceId) => outboxKey(id, serviceId));
      // A row that is damaged is one, too.
      const rows = await readRecords(store, 'outbox', keys, (bytes) => bytes);
      serviceIds.forEach((serviceId, i) => {
        if (rows[i] !== undefined) inUse.add(serviceId);
      });
    }
    return inUse;
  }
}

/** Makes the changes that remove a contact; undefined where a row of theirs is damaged. */
async function removalsOrNone(
  store: Store,
  serviceId: string,
): Promise<readonly Change[] | undefined> {
  try {
    return await contactRemovals(store, serviceId);
  } catch (error) {
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

const hourOf = ({ lastSeenMs }: Candidate): number => Math.floor(lastSeenMs / HOUR_MS);
