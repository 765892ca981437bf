import {
  decodeInbox,
  decodeRetry,
  encodeInbox,
  encodeRetry,
  type InboxRecord,
  type RetryRecord,
} from '../store/records-inbox.js';
import type { Change, Store } from '../store/store.js';

/** Rows of one kind are in the order of their numbers: that of a batch, and that in the batch. */
const MESSAGE_PREFIX = 'm/';
const RETRY_PREFIX = 'r/';
const BATCH_DIGITS = 14;
const PLACE_DIGITS = 6;
/** Rows that are read together. */
const PAGE_ROWS = 256;

const rowKey = (prefix: string, batch: number, place: number): string =>
  `${prefix}${String(batch).padStart(BATCH_DIGITS, '0')}/${String(place).padStart(PLACE_DIGITS, '0')}`;
const batchOf = (key: string): number => Number(key.slice(MESSAGE_PREFIX.length, MESSAGE_PREFIX.length + BATCH_DIGITS));

/** What an account was sent and has not been dealt with, in a store. */
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

  async *messages(): AsyncGenerator<{ readonly key: string; readonly batch: number; readonly row: InboxRecord }> {
    for await (const { key, value } of this.#rows(MESSAGE_PREFIX)) {
      yield { key, batch: batchOf(key), row: decodeInbox(value) };
    }
  }

  async *retries(): AsyncGenerator<{ readonly key: string; readonly batch: number; readonly row: RetryRecord }> {
    for await (const { key, value } of this.#rows(RETRY_PREFIX)) {
      yield { key, batch: batchOf(key), row: decodeRetry(value) };
    }
  }

  async *#rows(prefix: string): AsyncGenerator<{ readonly key: string; readonly value: Uint8Array<ArrayBuffer> }> {
    for (let after: string | undefined; ;) {
      const page = await this.#store.list('inbox', {
        prefix,
        limit: PAGE_ROWS,
        ...(after !== undefined && { after }),
      });
      yield* page;
      if (page.length < PAGE_ROWS) return;
      after = page.at(-1)?.key;
    }
  }
}
