import { EnumNames, nonEmpty, RecordType } from '../codec.js';
import { DamageLog } from '../damage.js';
import { scanRecords } from '../scan.js';
import type { Change, Store } from '../store.js';

/**
 * Kind of envelope in which a message came.
 *
 * `receipt`: the service says that a device took a message that we had sent it unsealed.
 */
export type EnvelopeType = 'prekey' | 'whisper' | 'sender-key' | 'plaintext' | 'receipt';

/** Message that was decrypted, and is not dealt with yet. */
export interface InboxRecord {
  /** Service id. */
  readonly sender: string;
  readonly senderDevice: number;
  readonly sealed: boolean;
  /** ms since the epoch, as the sender has it; `serverTimestamp`: as the service has it. */
  readonly timestamp: number;
  readonly serverTimestamp: number;
  readonly envelopeType: EnvelopeType;
  /** A serialized Content. */
  readonly content: Uint8Array;
  readonly groupId?: Uint8Array;
}

/** Retry request for a message that could not be decrypted, to be sent to its sender. */
export interface RetryRecord {
  /** Service id and device that sent the message. */
  readonly sender: string;
  readonly senderDevice: number;
  /** Timestamp of the message, ms since the epoch. */
  readonly timestamp: number;
  /** A serialized PlaintextContent. */
  readonly message: Uint8Array;
  /**
   * 33 bytes: the identity key to seal the retry request for; absent where the message came
   * unsealed.
   */
  readonly identityKey?: Uint8Array;
  readonly groupId?: Uint8Array;
}

const INBOX = new RecordType('Inbox');
const RETRY = new RecordType('Retry');

const ENVELOPE_TYPES = new EnumNames<EnvelopeType>('Inbox.EnvelopeType', 'type of an envelope');

export function encodeInbox(row: InboxRecord): Uint8Array<ArrayBuffer> {
  // Field by field: on Node 20 a copy of the row takes as long as the rest of this.
  const fields: Record<keyof InboxRecord, unknown> = {
    sender: row.sender,
    senderDevice: row.senderDevice,
    sealed: row.sealed,
    timestamp: row.timestamp,
    serverTimestamp: row.serverTimestamp,
    envelopeType: ENVELOPE_TYPES.numberOf(row.envelopeType),
    content: row.content,
    groupId: row.groupId,
  };
  return INBOX.encode(fields);
}
export function decodeInbox(bytes: Uint8Array): InboxRecord {
  const wire = INBOX.decode(bytes);
  const groupId = nonEmpty(wire['groupId']);
  return {
    sender: wire['sender'] as string,
    senderDevice: wire['senderDevice'] as number,
    sealed: wire['sealed'] as boolean,
    timestamp: wire['timestamp'] as number,
    serverTimestamp: wire['serverTimestamp'] as number,
    envelopeType: ENVELOPE_TYPES.nameOf(wire['envelopeType']),
    content: wire['content'] as Uint8Array,
    ...(groupId !== undefined && { groupId }),
  };
}

export function encodeRetry(row: RetryRecord): Uint8Array<ArrayBuffer> {
  return RETRY.encode(row);
}
export function decodeRetry(bytes: Uint8Array): RetryRecord {
  const wire = RETRY.decode(bytes);
  const identityKey = nonEmpty(wire['identityKey']);
  const groupId = nonEmpty(wire['groupId']);
  return {
    sender: wire['sender'] as string,
    senderDevice: wire['senderDevice'] as number,
    timestamp: wire['timestamp'] as number,
    message: wire['message'] as Uint8Array,
    ...(identityKey !== undefined && { identityKey }),
    ...(groupId !== undefined && { groupId }),
  };
}

/**
 * Rows of one kind are in the order of their numbers: that of a batch, then the place in the batch.
 */
const MESSAGE_PREFIX = 'm/';
const RETRY_PREFIX = 'r/';
const BATCH_DIGITS = 14;
const PLACE_DIGITS = 6;
/** Rows of a page: fewer than elsewhere, because messages may be long. */
const PAGE_ROWS = 256;

const rowKey = (prefix: string, batch: number, place: number): string =>
  `${prefix}${String(batch).padStart(BATCH_DIGITS, '0')}/${String(place).padStart(PLACE_DIGITS, '0')}`;
const batchOf = (key: string): number =>
  Number(key.slice(MESSAGE_PREFIX.length, MESSAGE_PREFIX.length + BATCH_DIGITS));

/** Message or retry request in the store, with its place. */
export interface InboxRow<Row> {
  readonly key: string;
  /** Number of its batch: no later row has it. */
  readonly batch: number;
  /** Undefined where it is damaged. */
  readonly row: Row | undefined;
}

/** Table of an account's messages that are not dealt with, and of its retry requests. */
export class Inbox {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  messageChange(batch: number, place: number, row: InboxRecord): Change & { readonly key: string } {
    return { table: 'inbox', key: rowKey(MESSAGE_PREFIX, batch, place), value: encodeInbox(row) };
  }

  retryChange(batch: number, place: number, row: RetryRecord): Change & { readonly key: string } {
    return { table: 'inbox', key: rowKey(RETRY_PREFIX, batch, place), value: encodeRetry(row) };
  }

  remove(keys: readonly string[]): Change[] {
    return keys.map((key) => ({ table: 'inbox', key, value: null }));
  }

  /** Iterates over the messages, in the order in which they came. */
  messages(): AsyncGenerator<InboxRow<InboxRecord>, void, void> {
    return this.#rows(MESSAGE_PREFIX, decodeInbox);
  }

  /** Iterates over the retry requests, in the order in which they were made. */
  retries(): AsyncGenerator<InboxRow<RetryRecord>, void, void> {
    return this.#rows(RETRY_PREFIX, decodeRetry);
  }

  /** Iterates over the senders of all rows that can be read, with repetitions. */
  async *senders(): AsyncGenerator<string, void, void> {
    for await (const { row } of this.messages()) if (row !== undefined) yield row.sender;
    for await (const { row } of this.retries()) if (row !== undefined) yield row.sender;
  }

  /** Counts a row whose content cannot be read. */
  noteDamaged(key: string): void {
    DamageLog.of(this.#store).note('inbox', key);
  }

  async *#rows<Row>(
    prefix: string,
    decode: (bytes: Uint8Array) => Row,
  ): AsyncGenerator<InboxRow<Row>, void, void> {
    const options = { prefix, pageRows: PAGE_ROWS };
    for await (const { records, damaged } of scanRecords(this.#store, 'inbox', decode, options)) {
      for (const { key, value } of records) yield { key, batch: batchOf(key), row: value };
      for (const { key } of damaged)
        if (key !== undefined) yield { key, batch: batchOf(key), row: undefined };
    }
  }
}
