import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import type { StoredChange } from './worker-records.js';

/** The file grows by multiples of this size, of zeros that are written once and never read. */
const STEP_BYTES = 256 * 1024;

/** Amounts of a transaction's writes from which its size in pages follows. */
export interface WriteSize {
  readonly changes: number;
  readonly bytes: number;
  /** Pages of values that LMDB stores apart from its trees. */
  readonly overflowPages: number;
}

/** Size of one record of `meta`, without any other change. */
export const ONE_RECORD: WriteSize = { changes: 1, bytes: 1024, overflowPages: 0 };

/** Smallest size of a page. Larger pages take the same values in fewer pages. */
const SMALLEST_PAGE_BYTES = 4096;
const PAGE_HEADER_BYTES = 24;

/** Computes the size of changes in their stored form. */
export function sizeOf(changes: readonly StoredChange[]): WriteSize {
  let bytes = 0;
  let overflowPages = 0;
  for (const { keyBytes, value } of changes) {
    const valueBytes = value?.length ?? 0;
    bytes += keyBytes.length + valueBytes;
    // A node that is no larger than half a page stays in the tree.
    if (keyBytes.length + valueBytes > SMALLEST_PAGE_BYTES / 2 - 2 * PAGE_HEADER_BYTES) {
      overflowPages += Math.ceil((valueBytes + PAGE_HEADER_BYTES) / SMALLEST_PAGE_BYTES);
    }
  }
  return { changes: changes.length, bytes, overflowPages };
}

/**
 * Pages that every transaction may need in addition.
 *
 * They are branches near the roots of all tables, and the list of free pages.
 */
const FLAT_PAGES = 64;

/**
 * Bounds the pages that a transaction puts behind the last one, if no free one is found.
 *
 * LMDB never changes a page in place: a change copies its leaf, the branch above and, where it
 * merges, a neighbor; a split makes one more.
 */
function pagesFor(
  { changes, bytes, overflowPages }: WriteSize,
  pageBytes: number,
  lastPage: number,
): number {
  const copied = Math.min(3 * changes, lastPage + 1);
  // Split pages are at least a quarter full on average, in any order of the entries that were put
  // in.
  const split = Math.min(changes, copied + Math.ceil((4 * bytes) / pageBytes));
  const pages = copied + split + overflowPages;
  return pages + FLAT_PAGES + Math.ceil(pages / 256);
}

/**
 * Reserves the data file's blocks on the disk before LMDB writes to them.
 *
 * A full disk, a quota or a limit on the size of files fails here. lmdb 3.5.6 does not survive it:
 * after a failed write it prints a message of up to 130 bytes into 100 bytes of memory (mdb.c,
 * `mdb_page_flush`: `last_error`), which ended the process in 16 of 24 runs (measured: lmdb 3.5.6,
 * 2026-11).
 *
 * Only the file's end is written, in append mode: that never overwrites a page, not even of another
 * writer that took the store over.
 */
export class DataFileRoom {
  readonly #root: RootDatabase;
  readonly #path: string;
  #sizeBytes = 0;

  constructor(root: RootDatabase, directory: string) {
    this.#root = root;
    this.#path = join(directory, 'data.mdb');
  }

  /** @throws Error of the system (ENOSPC, EDQUOT, EFBIG, ...): LMDB was not called. */
  async reserve(size: WriteSize): Promise<void> {
    const { lastPageNumber, pageSize } = this.#root.getStats() as {
      lastPageNumber: number;
      pageSize: number;
    };
    const needed = (lastPageNumber + 1 + pagesFor(size, pageSize, lastPageNumber)) * pageSize;
    if (needed <= this.#sizeBytes) return;
    this.#sizeBytes = (await stat(this.#path)).size;
    if (needed <= this.#sizeBytes) return;
    await this.#growTo(Math.ceil(needed / STEP_BYTES) * STEP_BYTES);
  }

  /**
   * Reserves room to write all entries once more.
   *
   * Each value may be longer by at most its own length and 1 KiB.
   */
  async reserveForAll(): Promise<void> {
    const { lastPageNumber } = this.#root.getStats() as { lastPageNumber: number };
    await this.reserve({ changes: 0, bytes: 0, overflowPages: 4 * (lastPageNumber + 1) });
  }

  async #growTo(sizeBytes: number): Promise<void> {
    const zeros = Buffer.alloc(STEP_BYTES);
    const file = await open(this.#path, 'a');
    try {
      while (this.#sizeBytes < sizeBytes) {
        const { bytesWritten } = await file.write(
          zeros,
          0,
          Math.min(zeros.length, sizeBytes - this.#sizeBytes),
        );
        this.#sizeBytes += bytesWritten;
      }
    } finally {
      await file.close();
    }
  }
}
