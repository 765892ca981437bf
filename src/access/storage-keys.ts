import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';

const ITEM_INFO = '20240801_SIGNAL_STORAGE_SERVICE_ITEM_';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

const storageKeyOf = (masterKey: Uint8Array): Buffer =>
  hmac(masterKey, 'Storage Service Encryption');

/** Secrets of the account from which the key of its stored records follows. */
export interface StorageSecrets {
  readonly accountEntropyPool?: string;
  /** 32 bytes; only of an account without an entropy pool. */
  readonly masterKey?: Uint8Array;
}

/**
 * Derives the key of the account's records in the storage service, 32 bytes (libsignal: `SvrKey`,
 * `derive_storage_service_key`). Loads libsignal's addon.
 *
 * @returns undefined where neither secret is known.
 */
export async function deriveStorageKey({
  accountEntropyPool,
  masterKey,
}: StorageSecrets): Promise<Uint8Array | undefined> {
  if (accountEntropyPool === undefined) return masterKey && storageKeyOf(masterKey);
  const { AccountEntropyPool } = await import('@signalapp/libsignal-client/dist/AccountKeys.js');
  const derived = AccountEntropyPool.deriveSvrKey(accountEntropyPool);
  const key = storageKeyOf(derived);
  derived.fill(0);
  return key;
}

/** Decrypts the manifest of a version. @throws Error: it is of another key, or was changed. */
export const decryptManifest = (
  storageKey: Uint8Array,
  { version, value }: { readonly version: bigint; readonly value: Uint8Array },
): Uint8Array<ArrayBuffer> => decrypt(hmac(storageKey, `Manifest_${version}`), value);

/**
 * Decrypts an item. @throws Error: it is of another key, or was changed.
 *
 * @param recordIkm of the manifest; without it, the item's key is of an older scheme.
 */
export function decryptItem(
  storageKey: Uint8Array,
  recordIkm: Uint8Array | undefined,
  { key, value }: { readonly key: Uint8Array; readonly value: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const info = Buffer.concat([Buffer.from(ITEM_INFO), key]);
  const itemKey =
    recordIkm === undefined
      ? hmac(storageKey, `Item_${Buffer.from(key).toString('base64')}`)
      : Buffer.from(hkdfSync('sha256', recordIkm, new Uint8Array(0), info, KEY_BYTES));
  return decrypt(itemKey, value);
}

/** AES-256-GCM: nonce, ciphertext, tag. Wipes the key. */
function decrypt(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length < IV_BYTES + TAG_BYTES) throw new Error('shorter than nonce and tag');
  const options = { authTagLength: TAG_BYTES };
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), options);
  key.fill(0);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plaintext = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
  return new Uint8Array(Buffer.concat([plaintext, decipher.final()]));
}
