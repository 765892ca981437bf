import type { AccountRuntime } from '../runtime/account-runtime.js';
import type { Policies } from '../runtime/options.js';
import type { Records } from '../runtime/records.js';
import type { Telemetry } from '../runtime/telemetry.js';
import type { Counters } from './counters.js';
import type { ReceiverEvents } from './events.js';
import type { EventSink } from '../util/event-relay.js';
import type { GroupDecryptor } from './decrypt/groups.js';
import type { Inbox } from '../store/tables/inbox.js';
import type { LostEnvelopes } from './envelope-queue.js';
import type { RecentSet } from '../util/lru-map.js';
import type { RetryLimits } from './retry/limits.js';
import type { SessionDecryptor } from './decrypt/sessions.js';

/** What all batches of a Receiver share. */
export interface ReceiveContext {
  readonly runtime: AccountRuntime;
  readonly records: Records;
  readonly inbox: Inbox;
  readonly sessions: SessionDecryptor;
  readonly groups: GroupDecryptor;
  readonly policies: Policies;
  readonly counters: Counters;
  /** On what is asked for, and on what is sent again. */
  readonly retryLimits: RetryLimits;
  readonly resendLimits: RetryLimits;
  /** The service's receipts: nothing in them tells one that comes again from another. */
  readonly receipts: RecentSet;
  readonly firstFailure: FatalErrorLatch;
  readonly lostEnvelopes: LostEnvelopes;
  readonly telemetry: Telemetry;
  readonly events: EventSink<ReceiverEvents>;
  readonly retries: RetryCapacity;
  readonly preKeys: PreKeyUses;
}

/** Requests to send something again, as far as they are bounded. */
export interface RetryCapacity {
  /** Whether one more may be added. */
  readonly hasRoom: boolean;
}

/** Our own prekeys, as far as receiving uses them. */
export interface PreKeyUses {
  /** Those of Kyber prekeys that are handed out again and again. */
  lastResortsAmong(kyberPreKeyIds: readonly number[]): Promise<ReadonlySet<number>>;
  /** So many prekeys are used up. */
  noteUsed(count: number): void;
}

/**
 * The first thing that made a Receiver stop. What one batch could not keep, and the service so delivers again, must not be overtaken
 * by what a later one has of the same senders.
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
