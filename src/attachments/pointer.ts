import { ATTACHMENT_FLAG, type AttachmentPointer } from '../content/attachment-pointer.js';
import type { UploadRecord } from '../store/tables/uploads.js';
import type { BlobFacts } from './cipher.js';
import type { IncrementalMac } from './incremental-mac.js';
import type { AttachmentInput } from './input.js';
import type { PreparedFile } from './metadata/photo.js';

/** Names of images and videos say where and when they were taken; clients send none. */
const NAMELESS = /^(?:image|video)\//i;

/** Makes the pointer of a finished upload: of the same input and record, always the same. */
export function pointerOf({
  input,
  file,
  contentType,
  facts,
  incremental,
  record,
}: {
  readonly input: AttachmentInput;
  readonly file: PreparedFile;
  readonly contentType: string;
  readonly facts: BlobFacts;
  readonly incremental: IncrementalMac | undefined;
  readonly record: UploadRecord;
}): AttachmentPointer {
  const { key, clientUuid, finishedAtMs, permit } = record;
  if (permit === undefined) throw new Error('an upload that is finished has a permit');
  const { fileName, blurHash, voiceNote = false } = input;
  const width = input.width ?? file.size?.width;
  const height = input.height ?? file.size?.height;
  const hasName = fileName !== undefined && !voiceNote && !NAMELESS.test(contentType);
  return {
    cdnKey: permit.cdnKey,
    cdnNumber: permit.cdnNumber,
    key,
    digest: facts.digest,
    size: facts.size,
    contentType,
    ...(hasName && { fileName }),
    ...(width !== undefined && height !== undefined && { width, height }),
    ...(blurHash !== undefined && { blurHash }),
    ...(voiceNote && { flags: ATTACHMENT_FLAG.voiceMessage }),
    uploadTimestampMs: finishedAtMs,
    ...(incremental !== undefined && {
      incrementalMac: incremental.mac,
      chunkSize: incremental.chunkSize,
    }),
    clientUuid,
  };
}
