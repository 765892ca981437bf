import { encodeMessage } from '../../content/index.js';
import { EnumNames, nonEmpty, RecordType, type Wire } from '../codec.js';
import { scan } from '../scan.js';
import type { Change, Store } from '../store.js';

/**
 * State of a broadcast.
 *
 * `ingesting`: not all recipients are in the outbox yet. `sending`: they are. `pruned`: its rows
 * are being removed.
 */
export type BroadcastState = 'ingesting' | 'sending' | 'finished' | 'pruned';

/**
 * State of the note to the account's own other devices, which follows the last delivery. `none`:
 * there is none.
 */
export type TranscriptState = 'none' | 'due' | 'sent';

/** Record of a broadcast, one for all its recipients. */
export interface BroadcastRecord {
  readonly state: BroadcastState;
  /** The serialized Content, without the parts that differ per recipient (see `encodeMessage`). */
  readonly content: Uint8Array;
  /** ms since the epoch. Recipients recognize a message by it and the sender. */
  readonly timestamp: number;
  readonly urgent: boolean;
  readonly createdAtMs: number;
  readonly finishedAtMs: number;
  /** Entries among the recipients that were no service ids, and have no rows. */
  readonly invalidRecipients: number;
  /** Most recipients a second; absent: no limit. */
  readonly maxPerSecond?: number;
  /** Least number of its rows in the outbox; absent until all recipients were there once. */
  readonly recipients?: number;
  /** Absent: `none`. */
  readonly transcript?: TranscriptState;
}

const BROADCAST = new RecordType('Broadcast');
const STATES = new EnumNames<BroadcastState>('Broadcast.State', 'state of a broadcast');

const TRANSCRIPTS = new EnumNames<TranscriptState>('Broadcast.Transcript', 'transcript');

export function encodeBroadcast(broadcast: BroadcastRecord): Uint8Array<ArrayBuffer> {
  const { state, transcript = 'none' } = broadcast;
  return BROADCAST.encode({
    ...broadcast,
    state: STATES.numberOf(state),
    transcript: transcript === 'none' ? undefined : TRANSCRIPTS.numberOf(transcript),
  });
}
export function decodeBroadcast(bytes: Uint8Array): BroadcastRecord {
  const wire = BROADCAST.decode(bytes);
  const timestamp = wire['timestamp'] as number;
  const maxPerSecond = wire['maxPerSecond'] as number;
  const recipients = wire['recipients'] as number;
  const transcript = TRANSCRIPTS.nameOf(wire['transcript']);
  return {
    state: STATES.nameOf(wire['state']),
    content:
      nonEmpty(wire['content']) ?? encodeMessage({ body: wire['body'] as string }, timestamp),
    timestamp,
    urgent: wire['urgent'] as boolean,
    createdAtMs: wire['createdAtMs'] as number,
    finishedAtMs: wire['finishedAtMs'] as number,
    invalidRecipients: wire['invalidRecipients'] as number,
    ...(maxPerSecond > 0 && { maxPerSecond }),
    ...(recipients > 0 && { recipients }),
    ...(transcript !== 'none' && { transcript }),
  };
}

/**
 * Converts a record of version 0.1, which had only the text, to the form of today.
 *
 * @returns undefined for a record that has a Content, and for one that cannot be read: its reader
 *   says what is wrong with it.
 */
export function migrateBroadcast(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  try {
    const wire: Wire = BROADCAST.decode(bytes);
    return wire['body'] === '' ? undefined : encodeBroadcast(decodeBroadcast(bytes));
  } catch {
    return undefined;
  }
}

export async function loadBroadcast(
  store: Store,
  id: string,
): Promise<BroadcastRecord | undefined> {
  const [value] = await store.getMany('broadcast', [id]);
  return value === undefined ? undefined : decodeBroadcast(value);
}

/** Iterates over all broadcasts, in the store's order. */
export async function* scanBroadcasts(
  store: Store,
): AsyncGenerator<{ readonly id: string; readonly record: BroadcastRecord }, void, void> {
  for await (const { key, value } of scan(store, 'broadcast'))
    yield { id: key, record: decodeBroadcast(value) };
}

/** @param record null removes the broadcast */
export const broadcastChange = (id: string, record: BroadcastRecord | null): Change => ({
  table: 'broadcast',
  key: id,
  value: record && encodeBroadcast(record),
});
