import { decryptItem, decryptManifest, deriveStorageKey } from '../access/storage-keys.js';
import {
  decodeManifest,
  decodeManifestRecord,
  decodeStorageItems,
  decodeStorageRecord,
  encodeReadOperation,
  type StorageManifest,
  type StoredContact,
} from '../content/index.js';
import { SealcastError } from '../errors.js';
import { loadCredentials, wipeCredentials } from '../store/tables/credentials.js';
import type { Store } from '../store/store.js';
import { refusalError } from '../transport/refusal-errors.js';
import type { AccountTransport, StorageOutcome } from '../transport/account-transport.js';

/** Items of one request: the service takes 5,120 (storage-service: application.yml, 2026-11). */
const PAGE_ITEMS = 1_000;
const OPERATION = "read the account's record in the storage service";

/** Records that the primary device keeps in the storage service. */
export interface StoredRecords {
  readonly version: number;
  /** 32 bytes; absent where the account's record has none. */
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  /** Iterates over the contacts, a page at a time. */
  readonly contacts: () => AsyncGenerator<readonly StoredContact[], void, void>;
}

/** Reads the account's records in the storage service; it writes none. */
export class StorageReader {
  readonly #store: Store;
  readonly #transport: AccountTransport;

  constructor(store: Store, transport: AccountTransport) {
    this.#store = store;
    this.#transport = transport;
  }

  /**
   * Reads the account's record.
   *
   * @param after version that is known already; 0: none.
   * @returns undefined where that is the present one.
   * @throws SealcastError ERR_SERVICE_REJECTED: it cannot be read (no keys, a transport that
   *   cannot, records of other keys); as the service refuses it.
   */
  async read(after: number, signal: AbortSignal): Promise<StoredRecords | undefined> {
    const key = await this.#storageKey();
    try {
      return await this.#read(key, after, signal);
    } finally {
      key.fill(0);
    }
  }

  async #read(
    key: Uint8Array,
    after: number,
    signal: AbortSignal,
  ): Promise<StoredRecords | undefined> {
    const outcome = await this.#transport.fetchStorageManifest?.({ after }, { signal });
    if (outcome?.status === 'unchanged') return undefined;
    const encrypted = decodeOf(bodyOf(outcome), decodeManifest);
    const manifest = decodeOf(
      decrypted(() => decryptManifest(key, encrypted)),
      decodeManifestRecord,
    );
    const idsOf = (type: 'account' | 'contact'): Uint8Array[] =>
      manifest.ids.flatMap((id) => (id.type === type ? [id.raw] : []));
    const records = await this.#items(key, manifest, idsOf('account').slice(0, 1), signal);
    const profileKey = records.find((record) => record.accountProfileKey)?.accountProfileKey;
    const contactIds = idsOf('contact');
    // A loop of the caller's: pages of thousands of contacts are not kept.
    const pages = this.#pages(manifest, contactIds, signal);
    return {
      version: Number(encrypted.version),
      contacts: () => pages,
      ...(profileKey !== undefined && { profileKey }),
    };
  }

  /** The storage key is loaded for a page, so that none is left where the iteration is. */
  async *#pages(
    manifest: StorageManifest,
    ids: readonly Uint8Array[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoredContact[], void, void> {
    for (let at = 0; at < ids.length; at += PAGE_ITEMS) {
      const page = ids.slice(at, at + PAGE_ITEMS);
      const key = await this.#storageKey();
      const records = await this.#items(key, manifest, page, signal).finally(() => key.fill(0));
      yield records.flatMap(({ contact }) => (contact === undefined ? [] : [contact]));
    }
  }

  async #items(
    key: Uint8Array,
    { recordIkm }: StorageManifest,
    ids: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<ReturnType<typeof decodeStorageRecord>[]> {
    if (ids.length === 0) return [];
    const body = encodeReadOperation(ids);
    const outcome = await this.#transport.fetchStorageItems?.({ body }, { signal });
    const items = decodeOf(bodyOf(outcome), decodeStorageItems);
    return items.map((item) =>
      decodeOf(
        decrypted(() => decryptItem(key, recordIkm, item)),
        decodeStorageRecord,
      ),
    );
  }

  async #storageKey(): Promise<Uint8Array> {
    const credentials = await loadCredentials(this.#store);
    const key = credentials && (await deriveStorageKey(credentials));
    wipeCredentials(credentials);
    return key ?? unreadable('its keys are not known, the phone is asked for them');
  }
}

function unreadable(why: string, cause?: unknown): never {
  throw new SealcastError('ERR_SERVICE_REJECTED', `${OPERATION}: ${why}`, { cause });
}

function bodyOf(outcome: StorageOutcome | undefined): Uint8Array<ArrayBuffer> {
  if (outcome === undefined) return unreadable('the transport cannot');
  if (outcome.status === 'ok') return outcome.body;
  if (outcome.status === 'unchanged') return unreadable('the service gave no answer');
  throw refusalError(outcome, OPERATION);
}

function decrypted(work: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  try {
    return work();
  } catch (cause) {
    return unreadable('it is encrypted with other keys', cause);
  }
}

function decodeOf<T>(bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(bytes);
  } catch (cause) {
    return unreadable('it is malformed', cause);
  }
}
