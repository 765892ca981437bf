import type { RootDatabase } from 'lmdb';
import { TABLES, type TableName } from '../store.js';
import { migrateBroadcast } from '../tables/broadcasts.js';
import { EncryptedEntries, type Entries } from './entries.js';
import { sizeOf, type DataFileRoom } from './file-room.js';
import { TABLE_OPTIONS, type Table } from './lmdb-store.js';
import { readSchema, SCHEMA_VERSION, type Meta } from './meta.js';

/** Most bytes by which a record grows. */
const GROWTH_BYTES = 256;

/**
 * Reserves the room in the data file that {@link migrate} needs.
 *
 * It runs before the transaction: a full disk fails here.
 */
export async function reserveForMigration(
  {
    root,
    meta,
    room,
  }: { readonly root: RootDatabase; readonly meta: Meta; readonly room: DataFileRoom },
  isEncrypted: boolean,
): Promise<void> {
  const schema = readSchema(meta);
  if (schema === undefined || schema >= SCHEMA_VERSION) return;
  if (isEncrypted && schema === 1) return room.reserveForAll();
  const broadcasts = root.openDB<Buffer, Buffer>({ name: 'broadcast', ...TABLE_OPTIONS });
  const changes = [...broadcasts.getRange()].map(({ key, value }) => ({
    table: 'broadcast' as const,
    keyBytes: Buffer.from(key),
    value: new Uint8Array(value.length + GROWTH_BYTES),
  }));
  await room.reserve(sizeOf(changes));
}

/**
 * Migrates entries from an older schema to that of today, all of them or none.
 *
 * It runs within the transaction that opens the store.
 */
export function migrate(
  schema: number,
  tables: Readonly<Record<TableName, Table>>,
  entries: Entries,
): void {
  if (schema < 2 && entries instanceof EncryptedEntries) hashKeys(tables, entries);
  if (schema < 3) migrateBroadcasts(tables.broadcast, entries);
}

/** Hashes the keys of an encrypted store, which schema 1 stored unchanged. */
function hashKeys(tables: Readonly<Record<TableName, Table>>, entries: EncryptedEntries): void {
  for (const name of TABLES) {
    const table = tables[name];
    // All keys first: the iteration would find those that are put in meanwhile, too.
    for (const key of [...table.getKeys()]) {
      const keyBytes = Buffer.from(key);
      const kept = table.get(keyBytes);
      if (kept === undefined) continue;
      const moved = entries.moved(name, keyBytes, kept);
      if (moved.keptKey.equals(keyBytes)) continue;
      table.removeSync(keyBytes);
      table.putSync(moved.keptKey, moved.kept);
    }
  }
}

/** Converts broadcasts: until schema 3 a record had only the text, in place of a Content. */
function migrateBroadcasts(table: Table, entries: Entries): void {
  for (const found of [...table.getKeys()]) {
    const keptKey = Buffer.from(found);
    const kept = table.get(keptKey);
    if (kept === undefined) continue;
    const { key, value } = entries.open('broadcast', keptKey, kept);
    const migrated = migrateBroadcast(value);
    if (migrated === undefined) continue;
    const keyBytes = Buffer.from(key);
    const target = Buffer.alloc(entries.keptBytes('broadcast', keyBytes, migrated));
    entries.seal('broadcast', keyBytes, keptKey, migrated, target);
    table.putSync(keptKey, target);
  }
}
