import type { AttachmentPointer } from './attachment-pointer.js';
import { GivenFields } from './given-fields.js';
import { withoutUndefined } from './messages.js';
import type { NamesOf } from '../util/known-names.js';

const NAMES = {
  cdnKey: true,
  cdnId: true,
  cdnNumber: true,
  key: true,
  digest: true,
  size: true,
  contentType: true,
  fileName: true,
  width: true,
  height: true,
  blurHash: true,
  flags: true,
  uploadTimestampMs: true,
  incrementalMac: true,
  chunkSize: true,
  clientUuid: true,
} as const satisfies NamesOf<AttachmentPointer>;

/** AES-256, then HMAC-SHA256. */
export const ATTACHMENT_KEY_BYTES = 64;
export const DIGEST_BYTES = 32;
export const CLIENT_UUID_BYTES = 16;
/** Android reads it into signed 32 bits. */
const MAX_INT32 = 0x7fff_ffff;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_SHORT_TEXT_BYTES = 1_024;

/**
 * Checks the pointer of an attachment that was uploaded: for one that is not whole, clients refuse
 * the message with all its parts.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT.
 */
export function checkPointer(value: unknown, path: string, index?: number): AttachmentPointer {
  const given = new GivenFields(value, path, NAMES, index);
  const cdnId = given.value('cdnId');
  if (given.present(['cdnKey', 'cdnId']).length !== 1)
    given.refuse('cdnKey', 'there, or cdnId, and not both');
  if (cdnId !== undefined && (typeof cdnId !== 'bigint' || cdnId < 1n || cdnId > MAX_UINT64))
    given.refuse('cdnId', 'a bigint from 1 to 2^64 - 1');
  const cdnKey = given.text('cdnKey', MAX_SHORT_TEXT_BYTES);
  if (cdnKey === '') given.refuse('cdnKey', 'not empty');
  if (given.has('chunkSize') !== given.has('incrementalMac'))
    given.refuse('chunkSize', 'together with incrementalMac');
  const there = <T>(name: string, read: T | undefined): T => given.required(name, read, 'there');
  return withoutUndefined({
    cdnKey,
    cdnId,
    cdnNumber: there('cdnNumber', given.integer('cdnNumber', 0, MAX_INT32)),
    key: there('key', given.bytes('key', ATTACHMENT_KEY_BYTES)),
    digest: there('digest', given.bytes('digest', DIGEST_BYTES)),
    size: there('size', given.integer('size', 0, MAX_INT32)),
    contentType: there('contentType', given.text('contentType', MAX_SHORT_TEXT_BYTES)),
    fileName: given.text('fileName', MAX_SHORT_TEXT_BYTES),
    width: given.integer('width', 0, MAX_INT32),
    height: given.integer('height', 0, MAX_INT32),
    blurHash: given.text('blurHash', MAX_SHORT_TEXT_BYTES),
    flags: given.integer('flags', 0, MAX_INT32),
    uploadTimestampMs: given.timestamp('uploadTimestampMs'),
    incrementalMac: given.bytes('incrementalMac'),
    chunkSize: given.integer('chunkSize', 1, MAX_INT32),
    clientUuid: given.bytes('clientUuid', CLIENT_UUID_BYTES),
  }) as AttachmentPointer;
}
