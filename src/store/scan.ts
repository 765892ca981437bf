import type { Store, StoreEntry, TableName } from './store.js';

/** Rows that are read together. */
const PAGE_ROWS = 1024;

export interface ScanOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string;
  /** Default: 1,024. */
  readonly pageRows?: number;
}

/**
 * Iterates over pages of a table's entries, in the store's order; the last one may be empty.
 *
 * Entries may be put in and removed meanwhile: an entry that is there all along comes exactly once.
 */
export async function* scanPages(
  store: Store,
  table: TableName,
  { prefix = '', pageRows = PAGE_ROWS }: ScanOptions = {},
): AsyncGenerator<readonly StoreEntry[], void, void> {
  for (let after: string | undefined; ;) {
    const page = await store.list(table, {
      prefix,
      limit: pageRows,
      ...(after !== undefined && { after }),
    });
    yield page;
    if (page.length < pageRows) return;
    after = page.at(-1)?.key;
  }
}

/** Iterates over the entries of a table one by one, as {@link scanPages} gives them. */
export async function* scan(
  store: Store,
  table: TableName,
  options?: ScanOptions,
): AsyncGenerator<StoreEntry, void, void> {
  for await (const page of scanPages(store, table, options)) yield* page;
}
