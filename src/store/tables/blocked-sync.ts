import { RecordType } from '../codec.js';
import type { Change, Store } from '../store.js';

const KEY = 'blockedSync';
const BLOCKED_SYNC = new RecordType('BlockedSync');

/**
 * Loads the primary device's list of blocked contacts, as long as it is not applied to them.
 *
 * @returns ACIs; undefined where no list waits.
 */
export async function loadBlockedSync(store: Store): Promise<readonly string[] | undefined> {
  const [value] = await store.getMany('account', [KEY]);
  return value === undefined ? undefined : (BLOCKED_SYNC.decode(value)['acis'] as string[]);
}

/** @param acis the whole list; undefined: it is applied. */
export const blockedSyncChange = (acis: readonly string[] | undefined): Change => ({
  table: 'account',
  key: KEY,
  value: acis === undefined ? null : BLOCKED_SYNC.encode({ acis }),
});
