/*
 * Keys of damaged entries in an encrypted store.
 *
 * An entry's key is encrypted with its value, under a hash: of a damaged entry only the hash is
 * left. Other tables have entries of the same contact or broadcast under hashes of the same
 * segments (see KeyHasher), and these name it:
 *
 *   damaged entry   key                     read from
 *   contact         serviceId               a session of the contact
 *   session         serviceId.deviceId      the contact, or another session; the id by trial
 *   broadcast       id                      a row of the broadcast
 *   outbox          id/serviceId            the broadcast, or another row; the contact, or a session
 *
 * Keys of other tables stay unknown, and so do those of entries whose neighbors are all damaged.
 */
import { beginsWith } from '../checks.js';
import { outboxKey } from '../tables/outbox.js';
import { serviceIdIn, sessionChangeAt, sessionKey } from '../tables/sessions.js';
import type { DamagedEntry, TableName } from '../store.js';
import { isDamaged } from '../damage.js';
import type { Entries } from './entries.js';
import { HASH_BYTES } from './key-hasher.js';

/** Entries that are looked at to name another one. */
const MAX_NEIGHBORS = 16;
/** Highest id of a device, as the service gives them. */
const MAX_DEVICE_ID = 127;
const SLASH = Buffer.from('/');
const POINT = Buffer.from('.');

/** Table of stored entries, from a key on. */
interface SearchableTable {
  getRange(options: {
    readonly start: Uint8Array;
  }): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/** Tables of a store, and the form of their entries. */
export interface KeySearch {
  readonly tables: Readonly<Record<TableName, SearchableTable>>;
  readonly entries: Entries;
}

/**
 * Finds the key of a damaged entry by its stored form.
 *
 * Where no other entry tells the key, the stored form names the entry. Reads a few entries, within
 * the transaction of the caller.
 */
export function findKey(table: TableName, keptKey: Buffer, search: KeySearch): DamagedEntry {
  const key = keyOf(table, keptKey, search);
  return { key, name: key ?? keptKey.toString('hex') };
}

function keyOf(
  table: TableName,
  keptKey: Buffer,
  { tables, entries }: KeySearch,
): string | undefined {
  const isKey = (key: string): boolean => entries.keptKey(table, Buffer.from(key)).equals(keptKey);
  // Stored unchanged.
  const text = keptKey.toString();
  if (isKey(text)) return text;
  const search = new NeighborSearch(tables, entries);
  return candidatesOf(table, keptKey, search).find(isKey);
}

function candidatesOf(table: TableName, keptKey: Buffer, search: NeighborSearch): string[] {
  // The key's last segment, and what is in front of its separator.
  const first = keptKey.subarray(0, -(HASH_BYTES + 1));
  const last = keptKey.subarray(-HASH_BYTES);
  if (table === 'contact') return search.serviceIds(keptKey);
  if (table === 'broadcast') return search.broadcastIds(keptKey);
  if (table === 'session') {
    const addresses = search
      .serviceIds(first.subarray(-HASH_BYTES))
      .flatMap((serviceId) =>
        Array.from({ length: MAX_DEVICE_ID }, (_, i) => sessionKey(serviceId, i + 1)),
      );
    return addresses.flatMap((address) =>
      (['aci', 'pni'] as const).map((identity) => sessionChangeAt(address, null, identity).key),
    );
  }
  if (table !== 'outbox') return [];
  const serviceIds = search.serviceIds(last);
  return search
    .broadcastIds(first)
    .flatMap((id) => serviceIds.map((serviceId) => outboxKey(id, serviceId)));
}

class NeighborSearch {
  readonly #tables: KeySearch['tables'];
  readonly #entries: Entries;

  constructor(tables: KeySearch['tables'], entries: Entries) {
    this.#tables = tables;
    this.#entries = entries;
  }

  /** @param hash of a service id */
  serviceIds(hash: Buffer): string[] {
    const contacts = this.#keysFrom('contact', hash);
    const sessions = this.#keysFrom('session', Buffer.concat([hash, POINT]));
    return [...contacts, ...sessions.map(serviceIdIn)];
  }

  /** @param hash of a broadcast's id */
  broadcastIds(hash: Buffer): string[] {
    const broadcasts = this.#keysFrom('broadcast', hash);
    const rows = this.#keysFrom('outbox', Buffer.concat([hash, SLASH]));
    return [...broadcasts, ...rows.map((key) => key.slice(0, key.lastIndexOf('/')))];
  }

  /** First readable key among the entries that begin with the prefix; none, or one. */
  #keysFrom(table: TableName, prefix: Buffer): string[] {
    if (prefix.length === 0) return [];
    let looked = 0;
    for (const { key, value } of this.#tables[table].getRange({ start: prefix })) {
      if (looked++ === MAX_NEIGHBORS || !beginsWith(key, prefix)) break;
      try {
        return [this.#entries.open(table, key, value).key];
      } catch (error) {
        if (!isDamaged(error)) throw error;
      }
    }
    return [];
  }
}
