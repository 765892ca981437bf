/**
 * Tables of a store, one for each kind of record.
 *
 * Keys are service ids (`contact`), addresses `serviceId.deviceId` (`session`, `senderKey` with a
 * distribution id behind it), numbers (prekeys), names, and paths of these (`outbox`, `list`); see
 * storage.proto and tables/ for the values.
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
  'list',
] as const;
/** Name of a table. */
export type TableName = (typeof TABLES)[number];

/** Keys are 1 to 512 bytes of UTF-8. */
export const MAX_STORE_KEY_BYTES = 512;

/** Change of one entry: puts the value, or, if it is null, removes the entry. */
export interface Change {
  readonly table: TableName;
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** Entry of a table. */
export interface StoreEntry {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** Range of a table that {@link Store.list} returns. */
export interface ListOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string;
  /** Only keys behind this one, in the store's order. */
  readonly after?: string;
  /** Largest number of entries. */
  readonly limit: number;
  /**
   * Hears of each entry in the range that is left out, because its value cannot be read. A store
   * that cannot tell never calls it.
   */
  readonly onDamaged?: (damaged: DamagedEntry) => void;
}

/** Entry whose value cannot be read: its bytes were changed, cut short or moved. */
export interface DamagedEntry {
  /** Undefined where it is unreadable too. */
  readonly key: string | undefined;
  /** Tells the entry from the others of its table, also where its key is not known. */
  readonly name: string;
}

/**
 * Tables of bytes by key, one for each kind of record, for one writer at a time.
 *
 * Methods are asynchronous and batched, so that a database server can implement them. All reject
 * with ERR_CLOSED once the store is closed, with ERR_STORE_LOCKED once another writer has taken the
 * store over, and with ERR_STORE_FAILED (cause: the underlying failure) when it cannot be read or
 * written. A commit that rejects leaves none of its changes in the store.
 */
export interface Store extends AsyncDisposable {
  /** Number of this writer, higher than that of every writer before it. */
  readonly epoch: number;

  /**
   * @returns values in the order of the keys, undefined where there is none; each is the caller's
   *   own copy.
   * @throws SealcastError ERR_STORE_FAILED with the name of the table as its `table`: the value of
   *   one of the keys is damaged.
   * @example
   * const [value] = await store.getMany('contact', [serviceId]);
   */
  getMany(
    table: TableName,
    keys: readonly string[],
  ): Promise<(Uint8Array<ArrayBuffer> | undefined)[]>;

  /**
   * @returns entries in one order, which stays the same when entries are put in and removed;
   *   `after` continues in it. Entries of table `inbox` are in the order of their keys' UTF-8
   *   bytes, and so are all entries of a store without `orderOf`. Entries whose values are damaged
   *   are left out, and do not count for `limit`.
   * @example
   * const sessions = await store.list('session', { prefix: `${serviceId}.`, limit: 100 });
   */
  list(table: TableName, options: ListOptions): Promise<readonly StoreEntry[]>;

  /**
   * Maps a key to a text whose order is the order in which `list` returns entries.
   *
   * Present in a store whose order is not that of the keys. Texts compare by UTF-16 code units, as
   * `<` does. Entries whose texts share a beginning are close to each other on the disk.
   */
  readonly orderOf?: (table: TableName, key: string) => string;

  /**
   * Applies all changes, in their order, or none.
   *
   * Values are copied, and are the caller's again when the commit resolves. Commits that are
   * requested while another is being flushed may share a flush. When a commit resolves, its changes
   * are on the disk, and stay there whatever happens to the process or the machine; every read that
   * begins later sees them. Commits are applied in the order of their calls.
   *
   * @example
   * await store.commit([{ table: 'contact', key: serviceId, value: null }]);
   */
  commit(changes: readonly Change[]): Promise<void>;

  /**
   * Says whether this writer may still act on what it read.
   *
   * Returns `false` once another writer has taken the store over. Callers ask right before each
   * request to the service, so that a process that was frozen meanwhile sends nothing from a store
   * that is no longer its own. Synchronous and cheap (10,000 calls a second): the answer may have
   * an age within which no other writer can take over. A store without this method is never taken
   * over.
   *
   * @example
   * if (store.mayAct?.() === false) throw new Error('another writer has the store');
   */
  mayAct?(): boolean;

  /**
   * Waits for pending work, and lets the next writer in. Further calls do nothing.
   *
   * @example
   * await store.close();
   */
  close(): Promise<void>;
}
