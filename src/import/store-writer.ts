import { SealcastError } from '../errors.js';
import type { Change, Store } from '../store/store.js';

/** Rows of a commit: what is read of the source at a time is in memory. */
export const CHUNK_ROWS = 500;

/** Iterates over parts of a collection. */
export function* chunksOf<Item>(items: Iterable<Item>, size: number): Generator<Item[], void> {
  let chunk: Item[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Store of an import, which is reserved for it. */
export class StoreWriter {
  readonly store: Store;
  readonly #signal: AbortSignal | undefined;

  constructor(store: Store, signal: AbortSignal | undefined) {
    this.store = store;
    this.#signal = signal;
  }

  /** @throws SealcastError ERR_ABORTED */
  check(): void {
    if (this.#signal?.aborted !== true) return;
    const { reason } = this.#signal as { readonly reason: unknown };
    throw new SealcastError('ERR_ABORTED', 'the call was aborted', { cause: reason });
  }

  /** Commits unless the import was aborted. */
  async commit(changes: readonly Change[]): Promise<void> {
    this.check();
    if (changes.length > 0) await this.store.commit(changes);
  }
}
