// The primary device of an account whose linked device the tests are: its profile, what it keeps in
// the storage service, and what it is sent.
import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import type { StorageOutcome } from 'sealcast';
import {
  manifestRecordMessage,
  readOperationMessage,
  serialize,
  storageItemsMessage,
  storageManifestMessage,
  storageRecordMessage,
  toLong,
} from '#dist/src/content/messages.js';
import { OwnDeviceService } from './own-device-service.js';
import type { Subscriber } from './stand-in-service.js';

/** A contact as the phone has it, by the names of the schema. */
export interface PhoneContact {
  readonly aci?: string;
  readonly aciBinary?: Uint8Array;
  readonly profileKey?: Uint8Array;
  readonly blocked?: boolean;
}

const encrypt = (key: Uint8Array, plaintext: Uint8Array): Uint8Array => {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};
const hmac = (key: Uint8Array, text: string): Uint8Array =>
  createHmac('sha256', key).update(text).digest();

/** The service of an account with a phone; this device is linked to it, as device 2. */
export class PrimaryDeviceService extends OwnDeviceService {
  readonly pool = AccountEntropyPool.generate();
  /** The phone as the service has it: its profile key is that of the profile. */
  phone!: Subscriber;
  /** Profile key in the account's record; undefined: the record has none. */
  storedProfileKey: Uint8Array | undefined;
  contacts: readonly PhoneContact[] = [];
  /** Whether items are encrypted with keys of the manifest, as since 2024. */
  hasRecordIkm = true;
  /** Answer in place of the manifest. */
  storageRefusal: StorageOutcome | undefined;
  readonly storageRequests: string[] = [];
  #version = 1;
  #items = new Map<string, Uint8Array>();

  static async make(): Promise<PrimaryDeviceService> {
    const service = new PrimaryDeviceService();
    Object.assign(service.sender, { deviceId: 2 });
    const { aci, identityKeyPair, profileKey } = service.sender;
    const phone = await service.subscribe([]);
    service.subscribers.delete(phone.aci);
    service.phone = {
      ...phone,
      aci,
      identity: identityKeyPair,
      profileKey: Uint8Array.from(profileKey),
      devices: new Map(),
    };
    await service.addDevice(service.phone, 1);
    service.subscribers.set(aci, service.phone);
    service.storedProfileKey = profileKey;
    return service;
  }

  /** The phone replaces the profile key: in its profile, and in the account's record. */
  replaceProfileKey(where: 'everywhere' | 'profile' | 'record' = 'everywhere'): Uint8Array {
    const profileKey = new Uint8Array(randomBytes(32));
    if (where !== 'record') this.phone.profileKey = profileKey;
    if (where !== 'profile') this.storedProfileKey = profileKey;
    this.#version += 1;
    return profileKey;
  }

  fetchStorageManifest({ after }: { readonly after: number }): Promise<StorageOutcome> {
    this.storageRequests.push(`manifest ${after}`);
    if (this.storageRefusal !== undefined) return Promise.resolve(this.storageRefusal);
    if (after >= this.#version) return Promise.resolve({ status: 'unchanged' });
    return Promise.resolve({ status: 'ok', body: this.#manifest() });
  }

  fetchStorageItems({ body }: { readonly body: Uint8Array }): Promise<StorageOutcome> {
    const { readKey } = readOperationMessage.decode(body) as unknown as {
      readonly readKey: readonly Uint8Array[];
    };
    this.storageRequests.push(`items ${readKey.length}`);
    const items = readKey.flatMap((key) => {
      const value = this.#items.get(Buffer.from(key).toString('hex'));
      return value === undefined ? [] : [{ key, value }];
    });
    return Promise.resolve({ status: 'ok', body: serialize(storageItemsMessage, { items }) });
  }

  #manifest(): Uint8Array<ArrayBuffer> {
    const svrKey = new SvrKey(AccountEntropyPool.deriveSvrKey(this.pool));
    const storageKey = svrKey.deriveStorageServiceKey();
    const recordIkm = this.hasRecordIkm ? randomBytes(32) : undefined;
    const records = [
      // Of another kind, which is left out.
      { type: 3, record: {} },
      { type: 4, record: { account: { profileKey: this.storedProfileKey } } },
      ...this.contacts.map((contact) => ({ type: 1, record: { contact } })),
    ];
    this.#items = new Map();
    const identifiers = records.map(({ type, record }) => {
      const raw = randomBytes(16);
      const info = Buffer.concat([Buffer.from('20240801_SIGNAL_STORAGE_SERVICE_ITEM_'), raw]);
      const itemKey =
        recordIkm === undefined
          ? hmac(storageKey, `Item_${raw.toString('base64')}`)
          : new Uint8Array(hkdfSync('sha256', recordIkm, '', info, 32));
      this.#items.set(
        raw.toString('hex'),
        encrypt(itemKey, serialize(storageRecordMessage, record)),
      );
      return { raw, type };
    });
    const version = toLong(BigInt(this.#version));
    const manifest = serialize(manifestRecordMessage, { version, identifiers, recordIkm });
    const value = encrypt(hmac(storageKey, `Manifest_${this.#version}`), manifest);
    return serialize(storageManifestMessage, { version, value });
  }
}
