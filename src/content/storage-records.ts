import {
  bytesOf,
  manifestRecordMessage,
  parse,
  present,
  readOperationMessage,
  serialize,
  storageItemsMessage,
  storageManifestMessage,
  storageRecordMessage,
  uint64Of,
} from './messages.js';
import { PROFILE_KEY_BYTES } from './content.js';
import { within } from './read-content.js';
import { aciOf } from './service-ids.js';

/** A manifest as the storage service has it; its value is encrypted. */
export interface EncryptedManifest {
  readonly version: bigint;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** Name of an item in the storage service. */
export interface StorageId {
  /** 16 bytes */
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly type: 'account' | 'contact';
}

/** Plaintext of a manifest. */
export interface StorageManifest {
  /** Of accounts and contacts alone. */
  readonly ids: readonly StorageId[];
  /** Items are encrypted with keys of it, where it is there. */
  readonly recordIkm?: Uint8Array<ArrayBuffer>;
}

/** An item as the storage service has it; its value is encrypted. */
export interface EncryptedItem {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** A contact as the account's primary device has it. */
export interface StoredContact {
  readonly aci: string;
  /** 32 bytes */
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  readonly blocked: boolean;
}

/** Plaintext of an item: one of the two. */
export interface StorageRecord {
  /** 32 bytes; absent where it has another length. */
  readonly accountProfileKey?: Uint8Array<ArrayBuffer>;
  /** Absent for a contact without an ACI. */
  readonly contact?: StoredContact;
}

const TYPES = new Map<unknown, StorageId['type']>([
  [1, 'contact'],
  [4, 'account'],
]);
/**
 * Fields of a manifest or of a page of items. An account has some thousand items, of three fields
 * each.
 */
const MAX_FIELDS = 1_000_000;

const profileKeyOf = (record: object): Uint8Array<ArrayBuffer> | undefined => {
  const key = bytesOf(record, 'profileKey');
  return key?.length === PROFILE_KEY_BYTES ? key : undefined;
};

/** @throws SealcastError ERR_INVALID_ENVELOPE: the bytes are of another form. */
export function decodeManifest(bytes: Uint8Array): EncryptedManifest {
  const message = parse(storageManifestMessage, bytes);
  return {
    version: uint64Of(message, 'version') ?? 0n,
    value: bytesOf(message, 'value') ?? new Uint8Array(0),
  };
}

/** @throws SealcastError ERR_INVALID_ENVELOPE: the bytes are of another form. */
export function decodeManifestRecord(bytes: Uint8Array): StorageManifest {
  const message = parse(manifestRecordMessage, bytes, MAX_FIELDS);
  const all = (present(message, 'identifiers') as readonly object[] | undefined) ?? [];
  const recordIkm = bytesOf(message, 'recordIkm');
  return {
    ids: all.flatMap((id) => {
      const type = TYPES.get(present(id, 'type'));
      const raw = bytesOf(id, 'raw');
      return type === undefined || raw === undefined ? [] : [{ raw, type }];
    }),
    ...(recordIkm !== undefined && recordIkm.length > 0 && { recordIkm }),
  };
}

/** The serialized request for items. */
export const encodeReadOperation = (keys: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  serialize(readOperationMessage, { readKey: keys });

/** @throws SealcastError ERR_INVALID_ENVELOPE: the bytes are of another form. */
export function decodeStorageItems(bytes: Uint8Array): EncryptedItem[] {
  const message = parse(storageItemsMessage, bytes, MAX_FIELDS);
  const items = (present(message, 'items') as readonly object[] | undefined) ?? [];
  return items.map((item) => ({
    key: bytesOf(item, 'key') ?? new Uint8Array(0),
    value: bytesOf(item, 'value') ?? new Uint8Array(0),
  }));
}

/** @throws SealcastError ERR_INVALID_ENVELOPE: the bytes are of another form. */
export function decodeStorageRecord(bytes: Uint8Array): StorageRecord {
  const message = parse(storageRecordMessage, bytes, MAX_FIELDS);
  const accountProfileKey = within(message, 'account', profileKeyOf);
  const contact = within(message, 'contact', readContact);
  return {
    ...(accountProfileKey !== undefined && { accountProfileKey }),
    ...(contact !== undefined && { contact }),
  };
}

function readContact(record: object): StoredContact | undefined {
  const aci = aciOf(
    present(record, 'aci') as string | undefined,
    present(record, 'aciBinary') as Uint8Array | undefined,
  );
  if (aci === undefined) return undefined;
  const profileKey = profileKeyOf(record);
  const blocked = present(record, 'blocked') === true;
  return { aci, blocked, ...(profileKey !== undefined && { profileKey }) };
}
