import { OWN_LOCKS } from '../runtime/own-locks.js';
import type { RecipientLocks } from '../session/recipient-locks.js';
import { encodeMessage, messageError } from '../content/index.js';
import { SealcastError } from '../errors.js';
import { refuse } from '../sealer/options.js';
import type { BroadcastRecord } from '../store/tables/broadcasts.js';
import type { Clock } from '../util/clock.js';
import type { BroadcastIndex } from './broadcast-index.js';
import type { AttachmentPointer } from '../content/index.js';
import type { CheckedBroadcast, Transcripts } from './options.js';

/** Broadcast whose files were uploaded. */
export type UploadedBroadcast = CheckedBroadcast<AttachmentPointer>;
import type { Outbox } from './outbox.js';

/** Record of a broadcast, saved, and whether it has no recipients yet. */
export interface OpenedBroadcast {
  readonly record: BroadcastRecord;
  readonly isNew: boolean;
}

export interface BroadcastRecordsOptions {
  readonly outbox: Outbox;
  readonly locks: RecipientLocks;
  readonly clock: Pick<Clock, 'now'>;
  readonly index: BroadcastIndex;
  /** Whether our own devices learn of a broadcast that does not say. */
  readonly transcripts: Transcripts;
  /** Whether the outbox is a dry run's: its broadcasts are in no index. */
  readonly dryRun: boolean;
}

/**
 * Whether the broadcast can be finished only with its recipients. A message that `broadcast()`
 * refuses never gets the rest of them. Such a broadcast ends with those that it has: with a text
 * that is too long, each fails; with a message that cannot be read, the run does.
 */
export function needsRecipients({ state, content }: BroadcastRecord): boolean {
  if (state !== 'ingesting') return false;
  try {
    return messageError(content) === undefined;
  } catch {
    return false;
  }
}

/**
 * Changes the record of a broadcast, under the lock of the records.
 *
 * @param change gets the record as the store has it, and returns undefined where it stays.
 * @returns whether the record was changed.
 * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
 */
export function changeBroadcast(
  { locks, outbox }: { readonly locks: RecipientLocks; readonly outbox: Outbox },
  id: string,
  change: (stored: BroadcastRecord | undefined) => BroadcastRecord | undefined,
): Promise<boolean> {
  return locks.with([OWN_LOCKS.broadcasts], async () => {
    const changed = change(await outbox.broadcast(id));
    if (changed === undefined) return false;
    await outbox.saveBroadcast(id, changed);
    return true;
  });
}

/** Opens the record of a broadcast that a run begins or resumes. */
export class BroadcastRecords {
  readonly #options: BroadcastRecordsOptions;

  constructor(options: BroadcastRecordsOptions) {
    this.#options = options;
  }

  /**
   * Saves the record of the message, and returns it; without a message, returns the stored one.
   *
   * @throws SealcastError ERR_BROADCAST_MISMATCH, ERR_INVALID_ARGUMENT, ERR_STORE_FAILED,
   *   ERR_STORE_LOCKED.
   */
  open(id: string, message: UploadedBroadcast | undefined): Promise<OpenedBroadcast> {
    // Otherwise a retry request that is being committed would replace the new record.
    return this.#options.locks.with([OWN_LOCKS.broadcasts], () => this.#open(id, message));
  }

  async #open(id: string, message: UploadedBroadcast | undefined): Promise<OpenedBroadcast> {
    const { outbox, index, dryRun } = this.#options;
    const known = await outbox.broadcast(id);
    if (message === undefined) {
      if (known === undefined)
        throw new SealcastError('ERR_STORE_FAILED', 'the broadcast is no longer in the store');
      return { record: known, isNew: false };
    }
    // In one step: of two broadcasts that begin together, each takes a timestamp of its own.
    const record = this.#recordOf(message, known);
    const { timestamp } = record;
    if (!dryRun) index.reserve({ id, timestamp });
    try {
      await outbox.saveBroadcast(id, record);
    } catch (error) {
      if (!dryRun && known === undefined) index.remove({ id, timestamp });
      throw error;
    }
    return { record, isNew: known === undefined };
  }

  /**
   * Returns the stored record of a broadcast whose recipients are all in the outbox.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   */
  async reopen(id: string): Promise<OpenedBroadcast> {
    const record = await this.#options.outbox.broadcast(id);
    if (record === undefined || record.state === 'pruned')
      refuse('id', 'that of a broadcast in the store');
    if (needsRecipients(record))
      refuse('id', 'that of a broadcast with all its recipients: broadcast() this one again');
    return { record, isNew: false };
  }

  /** Makes the broadcast's new record, from the known one if that is of the same message. */
  #recordOf(checked: UploadedBroadcast, known: BroadcastRecord | undefined): BroadcastRecord {
    const { clock, index, transcripts } = this.#options;
    const { message, urgent } = checked;
    const nowMs = clock.now();
    const maxPerSecond = checked.maxPerSecond ?? known?.maxPerSecond;
    const timestamp = checked.timestamp ?? known?.timestamp ?? index.freeTimestamp(nowMs);
    const content = encodeMessage(message, timestamp);
    if (known !== undefined) {
      const isSameMessage =
        Buffer.compare(known.content, content) === 0 && known.timestamp === timestamp;
      if (!isSameMessage || known.urgent !== urgent) {
        const reason = 'the broadcast of this id is of another message, timestamp or urgency';
        throw new SealcastError('ERR_BROADCAST_MISMATCH', reason, { field: 'id' });
      }
      if (checked.list !== undefined && known.list !== checked.list.name) {
        const reason = 'the broadcast of this id does not go to this list';
        throw new SealcastError('ERR_BROADCAST_MISMATCH', reason, { field: 'recipients' });
      }
    }
    const list = checked.list?.name ?? known?.list;
    const isWanted =
      checked.transcripts === undefined
        ? known === undefined
          ? transcripts === 'summary'
          : known.transcript === 'due'
        : checked.transcripts === 'summary';
    const transcript = known?.transcript === 'sent' ? 'sent' : isWanted ? 'due' : 'none';
    // Rows of a broadcast that was being pruned are gone.
    const recipients = known?.state === 'pruned' ? undefined : known?.recipients;
    return {
      state: 'ingesting',
      ...(transcript !== 'none' && { transcript }),
      content,
      timestamp,
      urgent,
      createdAtMs: known?.createdAtMs ?? nowMs,
      finishedAtMs: 0,
      invalidRecipients: 0,
      ...(maxPerSecond !== undefined && { maxPerSecond }),
      ...(recipients !== undefined && { recipients }),
      ...(list !== undefined && { list, isCountDue: true }),
    };
  }
}
