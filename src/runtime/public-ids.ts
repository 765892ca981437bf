import {
  createHmac,
  createSecretKey,
  randomBytes,
  randomFillSync,
  type KeyObject,
} from 'node:crypto';
import type { Store } from '../store/store.js';
import { loadPublicIdsKey, publicIdsKeyChange } from '../store/tables/account.js';
import { LruMap } from '../util/lru-map.js';
import { secretBytes } from '../util/bytes.js';

const KEY_BYTES = 32;
/** Bytes of the HMAC that a name has: enough that no two ids of a store collide. */
const PUBLIC_BYTES = 16;
const MAX_CACHED = 256;

/**
 * Names under which broadcasts appear in log lines and metrics.
 *
 * A name is the HMAC-SHA256 of the id with a key of the store's own, 16 bytes in hex. So an id that
 * a program derives from a service id, a list's name or a date tells a reader of logs nothing.
 */
export class PublicIds {
  readonly #key: KeyObject;
  readonly #cached = new LruMap<string, string>(MAX_CACHED);

  constructor(key: Uint8Array = randomBytes(KEY_BYTES)) {
    this.#key = createSecretKey(key);
  }

  /**
   * Loads the key that the store keeps; a new store gets one.
   *
   * @throws SealcastError as the store.
   */
  static async of(store: Store): Promise<PublicIds> {
    const kept = await loadPublicIdsKey(store);
    const key = kept?.length === KEY_BYTES ? kept : secretBytes(KEY_BYTES);
    try {
      if (key !== kept) {
        randomFillSync(key);
        await store.commit([publicIdsKeyChange(key)]);
      }
      return new PublicIds(key);
    } finally {
      // The KeyObject has a copy.
      key.fill(0);
    }
  }

  nameOf(id: string): string {
    let name = this.#cached.get(id);
    if (name === undefined) {
      name = createHmac('sha256', this.#key)
        .update(id)
        .digest()
        .subarray(0, PUBLIC_BYTES)
        .toString('hex');
      this.#cached.set(id, name);
    }
    return name;
  }
}
