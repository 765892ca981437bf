import type { AccountRuntime } from '../runtime/account-runtime.js';
import type { Policies } from '../runtime/options.js';
import type { Records } from '../runtime/records.js';
import type { Telemetry } from '../runtime/telemetry.js';
import type { IdentityKind } from '../store/tables/account.js';
import type { BlockedList } from './blocked-list.js';
import type { Counters } from './counters.js';
import type { ReceiverEvents } from './events.js';
import type { EventSink } from '../util/event-relay.js';
import type { GroupDecryptor } from './decrypt/groups.js';
import type { Inbox } from '../store/tables/inbox.js';
import type { LostEnvelopes } from './envelope-queue.js';
import type { Downloads } from './received-message.js';
import type { RecentSet } from '../util/lru-map.js';
import type { RetryLimits } from './retry/limits.js';
import type { SessionDecryptor } from './decrypt/sessions.js';
import type { UnansweredPruner } from './unanswered-pruner.js';

/** Parts that all batches of a Receiver share. */
export interface ReceiveContext {
  readonly runtime: AccountRuntime;
  readonly records: Records;
  readonly inbox: Inbox;
  readonly sessions: SessionDecryptor;
  readonly groups: GroupDecryptor;
  readonly policies: Policies;
  readonly counters: Counters;
  /** On retry requests that we send, and on resends. */
  readonly retryLimits: RetryLimits;
  readonly resendLimits: RetryLimits;
  /** The service's receipts: nothing in them tells a repeated one from another one. */
  readonly receipts: RecentSet;
  readonly firstFailure: FatalErrorLatch;
  readonly lostEnvelopes: LostEnvelopes;
  readonly telemetry: Telemetry;
  readonly events: EventSink<ReceiverEvents>;
  readonly retries: RetryCapacity;
  readonly blockedList: Pick<BlockedList, 'apply'>;
  readonly unanswered: Pick<UnansweredPruner, 'noteBegun'>;
  readonly preKeys: Readonly<Record<IdentityKind, PreKeyUses>>;
  readonly downloads: Downloads;
}

/** Capacity for retry requests, which are bounded. */
export interface RetryCapacity {
  /** Whether there is room for another one. */
  readonly hasRoom: boolean;
}

/** Our own prekeys, as far as receiving uses them. */
export interface PreKeyUses {
  /** Picks last-resort Kyber prekeys, which are handed out again and again. */
  lastResortsAmong(kyberPreKeyIds: readonly number[]): Promise<ReadonlySet<number>>;
  /** Notes that `count` prekeys are used up. */
  noteUsed(count: number): void;
}

/**
 * First error that made a Receiver stop. Envelopes that one batch could not keep come again, and
 * must not be overtaken by a later batch's envelopes of the same senders.
 */
export class FatalErrorLatch {
  #failure: { readonly error: unknown } | undefined;

  note(error: unknown): void {
    this.#failure ??= { error };
  }

  throwIfAny(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
