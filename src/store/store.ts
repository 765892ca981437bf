/**
 * What a store keeps, a table for each kind. Keys are service ids (`contact`), addresses `serviceId.deviceId` (`session`,
 * `senderKey` with a distribution id behind it), numbers (prekeys), names; see records.ts for the values.
 */
export const TABLES = [
  'account',
  'contact',
  'session',
  'senderKey',
  'preKey',
  'signedPreKey',
  'kyberPreKey',
  'certificate',
  'broadcast',
  'outbox',
  'inbox',
] as const;
export type TableName = (typeof TABLES)[number];

/** Keys are 1 to 512 bytes of UTF-8. */
export const MAX_STORE_KEY_BYTES = 512;

/** A value put in, or, if it is null, whatever is there taken out. */
export interface Change {
  readonly table: TableName;
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

export interface ListOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string;
  /** Only keys behind this one, in the store's order. */
  readonly after?: string;
  /** At most as many entries. */
  readonly limit: number;
}

/**
 * A table of bytes for each kind of record, for one writer at a time. Asynchronous and batched, so that a database server
 * can stand behind it.
 *
 * All methods reject with ERR_CLOSED once it is closed, with ERR_STORE_LOCKED once another writer has taken the store over,
 * and with ERR_STORE_FAILED (cause: what failed underneath) when it cannot be read or written; nothing of a commit that
 * rejects is there.
 */
export interface Store extends AsyncDisposable {
  /** This writer's number: higher than that of every writer before it. */
  readonly epoch: number;

  /** @returns values in the order of the keys, undefined where there is none; each is the caller's own copy. */
  getMany(table: TableName, keys: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]>;

  /**
   * @returns entries in one order, which stays the same whatever is put in and taken out; `after` goes on in it. Those of table `inbox`
   * are in the order of their keys' UTF-8 bytes, and so are all of a store without `orderOf`.
   */
  list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]>;

  /**
   * Texts by whose order (of UTF-16 code units, as `<` has it) `list` gives out entries, of a store that has another one than that of
   * the keys; what shares its beginning lies together on the disk.
   */
  readonly orderOf?: (table: TableName, key: string) => string;

  /**
   * Applies all changes, in their order, or none; values are copied, and the caller's again when it resolves. Commits that are
   * asked for while another is being flushed may share a flush. When it resolves they are on the disk, to stay there whatever happens
   * to the process or the machine; every read that begins later sees them. Commits are applied in the order of their calls.
   */
  commit(changes: readonly Change[]): Promise<void>;

  /**
   * Whether this writer may still act on what it read: `false` once another writer has taken the store over. Asked right before
   * each request to the service, so that a process that was frozen meanwhile sends nothing from a store that is no longer its
   * own. Synchronous and cheap (10,000 calls a second): the answer may be as old as no other writer can be new. A store without
   * it is never taken over.
   */
  mayAct?(): boolean;

  /** Waits for what is under way, and lets the next writer in. Further calls do nothing. */
  close(): Promise<void>;
}
