import type { AccountRuntime } from '../runtime/account-runtime.js';
import type { Policies } from '../runtime/options.js';
import type { Records } from '../runtime/records.js';
import type { Telemetry } from '../runtime/telemetry.js';
import type { Counters } from './counters.js';
import type { Notify } from './events.js';
import type { FatalErrorLatch } from './fatal-error-latch.js';
import type { GroupDecryptor } from './decrypt/groups.js';
import type { Inbox } from './inbox.js';
import type { LostLetters } from './lost-letters.js';
import type { RecentSet } from './recent-set.js';
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
  readonly lostLetters: LostLetters;
  readonly telemetry: Telemetry;
  readonly notify: Notify;
  /** Whether one more sender may be asked to send something again. */
  readonly mayAsk: () => boolean;
  /** Those of Kyber prekeys that are handed out again and again. */
  readonly lastResortsAmong: (kyberPreKeyIds: readonly number[]) => Promise<ReadonlySet<number>>;
  /** So many prekeys are used up. */
  readonly onPreKeysUsed: (count: number) => void;
}
