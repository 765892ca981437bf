import { SealcastError } from '../errors.js';
import type { ResendQueue } from '../runtime/resend-queue.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import { changeBroadcast } from './broadcast-records.js';
import type { BroadcastContext } from './context.js';
import type { Counts } from './delivery.js';

/** Figures of a run whose deliveries have all ended. */
export interface RunFigures {
  /** Broadcast as the run knows it. */
  readonly record: BroadcastRecord;
  readonly counts: Counts;
  /** Recipients that the run has seen, invalid entries among them. */
  readonly recipientCount: number;
  /** Damaged rows that do not say whose they are. */
  readonly namelessRows: number;
}

/** Saving of the state that a broadcast has after a run. */
export interface EndOptions {
  readonly id: string;
  readonly context: Pick<BroadcastContext, 'clock' | 'locks' | 'outbox'>;
  readonly endStates: Pick<ResendQueue, 'stateAfter'>;
}

/**
 * Asserts an outcome for each recipient: otherwise the store has lost rows, and there is no
 * summary.
 *
 * @throws SealcastError ERR_STORE_FAILED.
 */
export function assertComplete({ record, counts, recipientCount, namelessRows }: RunFigures): void {
  const outcomes = Object.values(counts).reduce((sum, count) => sum + count, 0);
  // Rows that were gone before they were looked at are missing from the count of the run, too.
  const expected = Math.max(recipientCount, (record.recipients ?? 0) + record.invalidRecipients);
  if (outcomes === expected) return;
  const nameless =
    namelessRows === 0
      ? ''
      : `; ${namelessRows} records are damaged and name no recipient: broadcast() it again with all recipients`;
  const message = `end the broadcast: the store has ${outcomes} outcomes for ${expected} recipients${nameless}`;
  throw new SealcastError('ERR_STORE_FAILED', message);
}

/**
 * Saves the state that the broadcast has after the run.
 *
 * @param scope whether the run was for all recipients, or for some that were named.
 * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
 */
export async function saveEndState(
  { id, context, endStates }: EndOptions,
  { record, recipientCount }: RunFigures,
  scope: 'all' | 'some',
): Promise<void> {
  await changeBroadcast(context, id, (stored = record) => {
    const state = endStates.stateAfter(id, stored, scope);
    if (state === stored.state) return undefined;
    const rows = scope === 'all' ? recipientCount - stored.invalidRecipients : 0;
    return {
      ...stored,
      state,
      // A broadcast that was finished keeps that time: a resend does not keep it in the store for
      // longer.
      finishedAtMs: stored.finishedAtMs === 0 ? context.clock.now() : stored.finishedAtMs,
      ...(rows > 0 && { recipients: rows }),
    };
  });
}
