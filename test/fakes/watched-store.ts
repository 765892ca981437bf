import type { Change, ListOptions, Store, StoreEntry, TableName } from 'sealcast';
import { decodeBroadcast } from '#dist/src/store/tables/broadcasts.js';
import { decodeOutbox } from '#dist/src/store/tables/outbox.js';

/** What a change is about, in the words of a broadcast. */
export type ChangeLabel =
  | 'queued rows'
  | 'encrypted rows'
  | 'done rows'
  | 'pruned rows'
  | 'a broadcast ingesting'
  | 'a broadcast sending'
  | 'a broadcast finished'
  | 'a broadcast pruned'
  | 'no broadcast'
  | 'a record';

function labelOf({ table, value }: Change): ChangeLabel {
  if (table === 'outbox')
    return value === null ? 'pruned rows' : `${decodeOutbox(value).state} rows`;
  if (table === 'broadcast')
    return value === null ? 'no broadcast' : `a broadcast ${decodeBroadcast(value).state}`;
  return 'a record';
}

/** What a commit is about: those who commit at the same time share one. */
export function labelsOf(changes: readonly Change[]): Set<ChangeLabel | TableName> {
  return new Set(changes.flatMap((change) => [labelOf(change), change.table]));
}

export interface StoreWatch {
  /** The commit begins when it resolves; if it rejects, so does the commit. */
  readonly before?: (changes: readonly Change[]) => void | Promise<void>;
  /** The changes are on the disk; whoever committed them is told when it resolves. */
  readonly after?: (changes: readonly Change[]) => void | Promise<void>;
  readonly failed?: (error: unknown) => void;
  /** The read begins when it resolves. */
  readonly beforeRead?: (table: TableName, keys: readonly string[]) => void | Promise<void>;
  /** The values are read; the reader gets them when it resolves. */
  readonly afterRead?: (table: TableName, keys: readonly string[]) => void | Promise<void>;
}

/** A store whose commits are seen, and held up, by a test. */
export class WatchedStore implements Store {
  readonly epoch: number;
  readonly #inner: Store;
  readonly #watch: StoreWatch;

  constructor(inner: Store, watch: StoreWatch) {
    this.#inner = inner;
    this.#watch = watch;
    this.epoch = inner.epoch;
  }

  async getMany(
    table: TableName,
    keys: readonly string[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    await this.#watch.beforeRead?.(table, keys);
    const values = await this.#inner.getMany(table, keys);
    await this.#watch.afterRead?.(table, keys);
    return values;
  }

  list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]> {
    return this.#inner.list(table, options);
  }

  async commit(changes: readonly Change[]): Promise<void> {
    const { before, after, failed } = this.#watch;
    await before?.(changes);
    try {
      await this.#inner.commit(changes);
    } catch (error) {
      failed?.(error);
      throw error;
    }
    await after?.(changes);
  }

  mayAct(): boolean {
    return this.#inner.mayAct?.() ?? true;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
