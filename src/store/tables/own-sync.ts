import { RecordType } from '../codec.js';
import type { Change, Store } from '../store.js';

const KEYS = { blocked: 'blockedSync', progress: 'ownSync' } as const;
const BLOCKED_SYNC = new RecordType('BlockedSync');
const OWN_SYNC = new RecordType('OwnSync');

/**
 * Loads the primary device's list of blocked contacts, as long as it is not applied to them.
 *
 * @returns ACIs; undefined where no list waits.
 */
export async function loadBlockedSync(store: Store): Promise<readonly string[] | undefined> {
  const [value] = await store.getMany('account', [KEYS.blocked]);
  return value === undefined ? undefined : (BLOCKED_SYNC.decode(value)['acis'] as string[]);
}

/** @param acis the whole list; undefined: it is applied. */
export const blockedSyncChange = (acis: readonly string[] | undefined): Change => ({
  table: 'account',
  key: KEYS.blocked,
  value: acis === undefined ? null : BLOCKED_SYNC.encode({ acis }),
});

/** Progress of a linked device in following its primary. */
export interface OwnSyncRecord {
  /** Whether the primary was asked for its lists and settings. */
  readonly requested: boolean;
  /** Version of the storage service's manifest whose contacts were taken; 0: none. */
  readonly manifestVersion: number;
  /** Whether the profile key may have been replaced: see OwnProfileKey. */
  readonly isKeyDoubted: boolean;
}

export async function loadOwnSync(store: Store): Promise<OwnSyncRecord> {
  const [value] = await store.getMany('account', [KEYS.progress]);
  const wire = OWN_SYNC.decode(value ?? new Uint8Array(0));
  return {
    requested: wire['requested'] as boolean,
    manifestVersion: wire['manifestVersion'] as number,
    isKeyDoubted: wire['isKeyDoubted'] as boolean,
  };
}

/** @param record undefined removes it: the device is linked to another primary, or again. */
export const ownSyncChange = (record: OwnSyncRecord | undefined): Change => ({
  table: 'account',
  key: KEYS.progress,
  value: record === undefined ? null : OWN_SYNC.encode(record),
});
