import type { RootDatabase } from 'lmdb';
import { TABLES, type TableName } from '../store.js';
import { isDamaged } from '../damage.js';
import { migrateBroadcast } from '../tables/broadcasts.js';
import { EncryptedEntries, type Entries } from './entries.js';
import { findKey } from './lost-keys.js';
import { sizeOf, type DataFileRoom } from './file-room.js';
import { TABLE_OPTIONS, type Table } from './environment.js';
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

/** Record that a migration could not read, and has left as it was. */
export interface DamagedRecord {
  readonly table: TableName;
  /** As the store counts it later: its key, or the stored form of it in hex. */
  readonly name: string;
}

/**
 * Migrates entries from an older schema to that of today, all of them or none.
 *
 * It runs within the transaction that opens the store. Bytes that are damaged are kept unchanged,
 * under their new key where keys are hashed: one damaged record keeps no other from its new form.
 *
 * @returns the damaged records.
 */
export function migrate(
  schema: number,
  tables: Readonly<Record<TableName, Table>>,
  entries: Entries,
): readonly DamagedRecord[] {
  const damaged: DamagedRecord[] = [];
  if (schema < 2 && entries instanceof EncryptedEntries) damaged.push(...hashKeys(tables, entries));
  if (schema < 3) damaged.push(...migrateBroadcasts(tables, entries));
  return damaged;
}

/** @returns undefined where the bytes are damaged. */
function unlessDamaged<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (!isDamaged(error)) throw error;
    return undefined;
  }
}

/** Hashes the keys of an encrypted store, which schema 1 stored unchanged. */
function hashKeys(
  tables: Readonly<Record<TableName, Table>>,
  entries: EncryptedEntries,
): DamagedRecord[] {
  const damaged: DamagedRecord[] = [];
  for (const name of TABLES) {
    const table = tables[name];
    // All keys first: the iteration would find those that are put in meanwhile, too.
    for (const key of [...table.getKeys()]) {
      const keyBytes = Buffer.from(key);
      const kept = table.get(keyBytes);
      if (kept === undefined) continue;
      const moved = unlessDamaged(() => entries.moved(name, keyBytes, kept));
      if (moved === undefined) damaged.push({ table: name, name: keyBytes.toString() });
      const keptKey = entries.keptKey(name, keyBytes);
      if (keptKey.equals(keyBytes)) continue;
      // A copy: `kept` is a view that the next write may change.
      const target = moved ?? Buffer.from(kept);
      table.removeSync(keyBytes);
      table.putSync(keptKey, target);
    }
  }
  return damaged;
}

/** Converts broadcasts: until schema 3 a record had only the text, in place of a Content. */
function migrateBroadcasts(
  tables: Readonly<Record<TableName, Table>>,
  entries: Entries,
): DamagedRecord[] {
  const table = tables.broadcast;
  const damaged: DamagedRecord[] = [];
  for (const found of [...table.getKeys()]) {
    const keptKey = Buffer.from(found);
    const kept = table.get(keptKey);
    if (kept === undefined) continue;
    const entry = unlessDamaged(() => entries.open('broadcast', keptKey, kept));
    if (entry === undefined) {
      const { name } = findKey('broadcast', keptKey, { tables, entries });
      damaged.push({ table: 'broadcast', name });
      continue;
    }
    const { key, value } = entry;
    const migrated = migrateBroadcast(value);
    if (migrated === undefined) continue;
    const keyBytes = Buffer.from(key);
    const target = Buffer.alloc(entries.keptBytes('broadcast', keyBytes, migrated));
    entries.seal('broadcast', keyBytes, keptKey, migrated, target);
    table.putSync(keptKey, target);
  }
  return damaged;
}
