import { assertWhole, RecordType } from '../codec.js';
import { readRecords, scanRecords } from '../scan.js';
import type { Change, Store } from '../store.js';

/** An attachment that was uploaded, or is on its way. */
export interface UploadRecord {
  /** 64 bytes: AES-256, then HMAC-SHA256. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly iv: Uint8Array;
  /** SHA-256 of the plaintext: the same keys encrypt no other one. */
  readonly plaintextHash: Uint8Array;
  /** 16 bytes. */
  readonly clientUuid: Uint8Array;
  readonly startedAtMs: number;
  /** 0: it is on its way. */
  readonly finishedAtMs: number;
  /** Absent until the service has permitted the upload. */
  readonly permit?: UploadPermitRecord;
}

/** Permission to upload, and how far the upload has begun. */
export interface UploadPermitRecord {
  readonly cdnNumber: number;
  readonly cdnKey: string;
  /** Empty once the upload is finished, as the headers are. */
  readonly uploadUrl: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Address of a resumable upload, on the CDNs that give one. */
  readonly sessionUrl?: string;
}

const UPLOAD = new RecordType('Upload');
const PREFIX = 'upload/';
/** No id of a broadcast has a slash: no prefix is one of another broadcast's keys. */
const prefixOf = (broadcastId: string): string => `${PREFIX}${broadcastId}/`;
const keyOf = (broadcastId: string, index: number): string => `${prefixOf(broadcastId)}${index}`;

function encode({ permit, ...upload }: UploadRecord): Uint8Array<ArrayBuffer> {
  return UPLOAD.encode({
    ...upload,
    ...permit,
    headers: permit?.headers.map(([name, value]) => ({ name, value })) ?? [],
  });
}

function decode(bytes: Uint8Array): UploadRecord {
  const wire = UPLOAD.decode(bytes);
  const cdnKey = wire['cdnKey'] as string;
  const sessionUrl = wire['sessionUrl'] as string;
  const headers = wire['headers'] as readonly { readonly name: string; readonly value: string }[];
  const record: UploadRecord = {
    key: wire['key'] as Uint8Array,
    iv: wire['iv'] as Uint8Array,
    plaintextHash: wire['plaintextHash'] as Uint8Array,
    clientUuid: wire['clientUuid'] as Uint8Array,
    startedAtMs: wire['startedAtMs'] as number,
    finishedAtMs: wire['finishedAtMs'] as number,
    ...(cdnKey !== '' && {
      permit: {
        cdnNumber: wire['cdnNumber'] as number,
        cdnKey,
        uploadUrl: wire['uploadUrl'] as string,
        headers: headers.map(({ name, value }) => [name, value] as const),
        ...(sessionUrl !== '' && { sessionUrl }),
      },
    }),
  };
  const { key, iv, plaintextHash, clientUuid, finishedAtMs, permit } = record;
  const isWhole = key.length === 64 && iv.length === 16 && plaintextHash.length === 32;
  assertWhole(isWhole && clientUuid.length === 16, 'Upload');
  assertWhole(finishedAtMs === 0 || permit !== undefined, 'Upload');
  return record;
}

/**
 * Loads the upload of one attachment of a broadcast; undefined where there is none, or where its
 * record is damaged: the attachment is uploaded once more.
 */
export async function loadUpload(
  store: Store,
  broadcastId: string,
  index: number,
): Promise<UploadRecord | undefined> {
  const [found] = await readRecords(store, 'account', [keyOf(broadcastId, index)], decode);
  return found instanceof Error ? undefined : found;
}

/** Makes the changes that remove uploads that began before a time, and damaged ones. */
export const staleUploads = (store: Store, beforeMs: number): Promise<Change[]> =>
  removalsOf(store, PREFIX, ({ startedAtMs }) => startedAtMs < beforeMs);

/** Makes the changes that remove all uploads of a broadcast, damaged ones too. */
export const uploadRemovals = (store: Store, broadcastId: string): Promise<Change[]> =>
  removalsOf(store, prefixOf(broadcastId), () => true);

/** @param isRemoved told of each upload that is not damaged. */
async function removalsOf(
  store: Store,
  prefix: string,
  isRemoved: (record: UploadRecord) => boolean,
): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const { records, damaged } of scanRecords(store, 'account', decode, { prefix })) {
    const removed = records.filter(({ value }) => isRemoved(value));
    for (const key of [...removed, ...damaged].map((each) => each.key))
      if (key?.startsWith(prefix) === true) changes.push({ table: 'account', key, value: null });
  }
  return changes;
}

/** @param record null removes it. */
export const uploadChange = (
  broadcastId: string,
  index: number,
  record: UploadRecord | null,
): Change => ({
  table: 'account',
  key: keyOf(broadcastId, index),
  value: record && encode(record),
});
