import { EnumNames, RecordType } from '../codec.js';
import type { Change, Store } from '../store.js';

/**
 * State of an import: `copying`, rows may be missing; `copied`, all rows are there, and the source
 * may or may not be marked as moved.
 */
export type ImportState = 'copying' | 'copied';

/**
 * Import under way. As long as the record is in the store, the source may still be able to start,
 * and no account opens on the store.
 */
export interface PendingImportRecord {
  /** Service id of the imported account: a UUID. */
  readonly aci: string;
  readonly deviceId: number;
  readonly state: ImportState;
  /** JSON: what was imported and skipped, in numbers. */
  readonly counts: string;
}

const KEY = 'pendingImport';
const PENDING_IMPORT = new RecordType('PendingImport');
const STATES = new EnumNames<ImportState>('PendingImport.State', 'state of an import');

/** Loads the import under way; undefined where there is none. */
export async function loadPendingImport(store: Store): Promise<PendingImportRecord | undefined> {
  const [value] = await store.getMany('account', [KEY]);
  if (value === undefined) return undefined;
  const wire = PENDING_IMPORT.decode(value);
  return {
    aci: wire['aci'] as string,
    deviceId: wire['deviceId'] as number,
    state: STATES.nameOf(wire['state']),
    counts: wire['counts'] as string,
  };
}

/** @param pending undefined removes it */
export const pendingImportChange = (pending: PendingImportRecord | undefined): Change => ({
  table: 'account',
  key: KEY,
  value:
    pending === undefined
      ? null
      : PENDING_IMPORT.encode({ ...pending, state: STATES.numberOf(pending.state) }),
});
