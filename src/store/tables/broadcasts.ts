import { encodeMessage } from '../../content/index.js';
import { assertWhole, EnumNames, nonEmpty, RecordType, type Wire } from '../codec.js';
import { damagedError } from '../damage.js';
import { readRecords, scanRecords } from '../scan.js';
import type { SealcastError } from '../../errors.js';
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
  /** Name of the list that its recipients come from; absent: they come from the caller. */
  readonly list?: string;
  /** Whether the list has not counted yet who is gone; only where there is a list. */
  readonly isCountDue?: boolean;
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
  const list = wire['list'] as string;
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
    ...(list !== '' && { list }),
    ...(wire['isCountDue'] === true && { isCountDue: true }),
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

/**
 * Decodes the record of a broadcast that was saved.
 *
 * @throws SealcastError ERR_STORE_FAILED: it is damaged. One that was cut short would otherwise
 *   send an empty message.
 */
function decodeSaved(bytes: Uint8Array): BroadcastRecord {
  const { content, body, timestamp } = BROADCAST.decode(bytes);
  assertWhole(nonEmpty(content) !== undefined || body !== '', 'Broadcast');
  assertWhole((timestamp as number) > 0, 'Broadcast');
  return decodeBroadcast(bytes);
}

/**
 * Loads a broadcast; undefined where there is none.
 *
 * @throws SealcastError ERR_STORE_FAILED, with `table`: its record is damaged.
 */
export async function loadBroadcast(
  store: Store,
  id: string,
): Promise<BroadcastRecord | undefined> {
  const [record] = await readRecords(store, 'broadcast', [id], decodeSaved);
  if (record instanceof Error) throw record;
  return record;
}

/** Iterates over all broadcasts that can be read, in the store's order. */
export async function* scanBroadcasts(
  store: Store,
): AsyncGenerator<{ readonly id: string; readonly record: BroadcastRecord }, void, void> {
  for await (const found of scanAllBroadcasts(store)) if ('record' in found) yield found;
}

/** Broadcast whose record is damaged. */
export interface DamagedBroadcast {
  /** Where the id is unreadable too: `damaged:` and a name of the record that stays the same. */
  readonly id: string;
  readonly error: SealcastError;
}

/** Iterates over all broadcasts, in the store's order, the damaged ones with an error. */
export async function* scanAllBroadcasts(
  store: Store,
): AsyncGenerator<
  { readonly id: string; readonly record: BroadcastRecord } | DamagedBroadcast,
  void,
  void
> {
  for await (const { records, damaged } of scanRecords(store, 'broadcast', decodeSaved)) {
    for (const { key, value } of records) yield { id: key, record: value };
    for (const { key, name } of damaged)
      yield { id: key ?? `damaged:${name}`, error: damagedError('broadcast') };
  }
}

/** @param record null removes the broadcast */
export const broadcastChange = (id: string, record: BroadcastRecord | null): Change => ({
  table: 'broadcast',
  key: id,
  value: record && encodeBroadcast(record),
});
