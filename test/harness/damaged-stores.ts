// Stores on disk, encrypted or plain, with records that a disk has damaged.
import { openStore, type Store, type StoreOptions, type TableName } from 'sealcast';
import { temporaryDirectory, withRawStore } from './store-files.js';

export const STORE_KINDS = ['plain', 'encrypted'] as const;

/** No record of any table, encrypted or not. */
export const DAMAGED_BYTES = Buffer.of(0xff);

/** A store in a directory of its own, which is closed, damaged and opened again. */
export class DamagedStore {
  readonly #directory = temporaryDirectory();
  readonly #options: StoreOptions;
  #store: Store | undefined;

  private constructor(kind: (typeof STORE_KINDS)[number]) {
    const { path } = this.#directory;
    this.#options =
      kind === 'plain' ? { path } : { path, encryptionKey: new Uint8Array(32).fill(7) };
  }

  static async make(kind: (typeof STORE_KINDS)[number]): Promise<DamagedStore> {
    const made = new DamagedStore(kind);
    made.#store = await openStore(made.#options);
    return made;
  }

  /** The store as it is open now. */
  get store(): Store {
    if (this.#store === undefined) throw new Error('the store is closed');
    return this.#store;
  }

  /** Closes the store, damages the records, and opens it again. */
  async damage(records: readonly (readonly [TableName, string])[]): Promise<Store> {
    const { store } = this;
    const places = records.map(([table, key]) => this.#place(store, table, key));
    await store.close();
    await withRawStore(this.#directory.path, async (raw) => {
      for (const [i, [table, key]] of records.entries()) {
        const place = places[i]!;
        if (raw.table(table).get(place) === undefined) throw new Error(`no ${table} ${key}`);
        await raw.table(table).put(place, DAMAGED_BYTES);
      }
    });
    this.#store = await openStore(this.#options);
    return this.#store;
  }

  #place(store: Store, table: TableName, key: string): Buffer {
    const hash = table === 'inbox' ? undefined : store.orderOf?.(table, key);
    return hash === undefined ? Buffer.from(key) : Buffer.from(hash, 'hex');
  }

  async remove(): Promise<void> {
    await this.#store?.close();
    this.#directory.remove();
  }
}
