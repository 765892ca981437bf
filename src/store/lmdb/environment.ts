import type { Database, RootDatabase } from 'lmdb';
import { TABLES } from '../store.js';

/** Table of LMDB. Keys are bytes, so that LMDB's order is that of UTF-8, and so are values. */
export type Table = Database<Uint8Array, Uint8Array>;
export const TABLE_OPTIONS = { encoding: 'binary', keyEncoding: 'binary' } as const;

/**
 * Opens the LMDB environment in a directory. Threads of one process share it (lmdb counts its
 * openings), so every thread opens it with these options.
 */
export async function openEnvironment(path: string): Promise<RootDatabase> {
  // Loaded lazily, so that seal-only users never load it.
  const { open } = await import('lmdb');
  return open({
    path,
    ...TABLE_OPTIONS,
    // A path with a dot in it is a directory nevertheless.
    noSubdir: false,
    maxDbs: TABLES.length + 1,
    // Promises of writes resolve when they are flushed; see CommitQueue.
    overlappingSync: false,
    // Transactions begin when CommitQueue has written all of a group, and not in the middle of it.
    eventTurnBatching: false,
    ...{ txnStartThreshold: Infinity, batchStartThreshold: Infinity },
    ...{ permissionsMode: 0o600 },
  });
}
