import { EnumNames, nonEmpty, RecordType } from '../codec.js';
import { scan } from '../scan.js';
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
  return INBOX.encode({ ...row, envelopeType: ENVELOPE_TYPES.numberOf(row.envelopeType) });
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

  async *messages(): AsyncGenerator<{
    readonly key: string;
    readonly batch: number;
    readonly row: InboxRecord;
  }> {
    for await (const { key, value } of scan(this.#store, 'inbox', {
      prefix: MESSAGE_PREFIX,
      pageRows: PAGE_ROWS,
    })) {
      yield { key, batch: batchOf(key), row: decodeInbox(value) };
    }
  }

  async *retries(): AsyncGenerator<{
    readonly key: string;
    readonly batch: number;
    readonly row: RetryRecord;
  }> {
    for await (const { key, value } of scan(this.#store, 'inbox', {
      prefix: RETRY_PREFIX,
      pageRows: PAGE_ROWS,
    })) {
      yield { key, batch: batchOf(key), row: decodeRetry(value) };
    }
  }
}
