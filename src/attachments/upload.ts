import { randomUUID } from 'node:crypto';
import type { AttachmentPointer } from '../content/attachment-pointer.js';
import { SealcastError } from '../errors.js';
import type { Store } from '../store/store.js';
import {
  loadUpload,
  staleUploads,
  uploadChange,
  type UploadRecord,
} from '../store/tables/uploads.js';
import type { Transport } from '../transport/transport.js';
import { isSameBytes } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';
import { drain } from '../util/drain.js';
import { CdnClient, type CdnPatience } from './cdn/cdn-client.js';
import {
  BlobEncryption,
  newAttachmentKeys,
  type AttachmentKeys,
  type BlobFacts,
} from './cipher.js';
import { incrementalMacOf, isStreamed } from './incremental-mac.js';
import { FIELD, KEPT_MS, REUSE_MS, type AttachmentInput } from './input.js';
import { preparePhoto, type PreparedFile } from './metadata/photo.js';
import { pointerOf } from './pointer.js';
import { openSource } from './source.js';
import { Uploader } from './uploader.js';

/** Parts that an upload needs, and the id of what it is for. */
export interface UploadContext {
  readonly transport: Transport;
  /** Keeps uploads that are on their way, and those that may be used again. */
  readonly store: Store;
  readonly clock: Clock;
  /** Id of the broadcast that the attachments are of: with their places it names the uploads. */
  readonly id: string;
  readonly signal: AbortSignal;
  /** Age up to which a finished upload is used again, ms. Default: three days. */
  readonly reuseMs?: number;
  /**
   * Whether the store has the broadcast: its uploads are then those of its message, and no other
   * file replaces them. Default false.
   */
  readonly isKnown?: boolean;
  /** Whether everything is done but the network, and nothing is kept. Default false. */
  readonly dryRun?: boolean;
  /** Longest wait that the service may ask for, ms. Default: an hour. */
  readonly maxRetryAfterMs?: number;
  /** Directory of encrypted temporary files. Default: that of the system. */
  readonly tempDirectory?: string;
  readonly patience?: CdnPatience;
}

/**
 * Encrypts and uploads attachments, one after the other, each once: a call that repeats one with
 * the same id goes on with its uploads, and gives the same pointers.
 *
 * @param inputs that were checked.
 * @returns pointers in the order of the inputs.
 * @throws SealcastError ERR_INVALID_ARGUMENT: an input cannot be read, is empty, or changed
 *   meanwhile; ERR_ATTACHMENT_TOO_LARGE, ERR_ATTACHMENT_METADATA, ERR_SERVICE_UNAVAILABLE,
 *   ERR_RATE_LIMITED, ERR_SERVICE_REJECTED, ERR_NOT_IMPLEMENTED: the transport has no CDN;
 *   ERR_BROADCAST_MISMATCH: the known broadcast has another file; the errors of the store; the
 *   signal's reason.
 */
export async function uploadAttachments(
  inputs: readonly AttachmentInput[],
  context: UploadContext,
): Promise<AttachmentPointer[]> {
  const { store, clock, dryRun = false } = context;
  if (!dryRun) {
    const stale = await staleUploads(store, clock.now() - KEPT_MS);
    if (stale.length > 0) await store.commit(stale);
  }
  const pointers: AttachmentPointer[] = [];
  for (const [index, input] of inputs.entries())
    pointers.push(await uploadOne(input, index, context));
  return pointers;
}

async function uploadOne(
  input: AttachmentInput,
  index: number,
  context: UploadContext,
): Promise<AttachmentPointer> {
  const { tempDirectory, signal } = context;
  signal.throwIfAborted();
  await using source = await openSource(input, { index, tempDirectory });
  const file = await preparePhoto(source, {
    metadata: input.metadata ?? 'strip',
    contentType: input.contentType,
    index,
  });
  const { record, facts } = await recordOf(file, index, context);
  const contentType = input.contentType ?? file.contentType ?? 'application/octet-stream';
  const incremental = isStreamed(contentType)
    ? await incrementalMacOf(encrypted(file, record, signal), {
        key: record.key,
        blobBytes: facts.blobBytes,
      })
    : undefined;
  const finished = await finish({ record, facts, file, index, context });
  return pointerOf({ input, file, contentType, facts, incremental, record: finished });
}

/** The blob from its beginning, for those who only look at it. */
async function* encrypted(
  file: PreparedFile,
  keys: AttachmentKeys,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const part of new BlobEncryption(keys).run(file.read())) {
    signal.throwIfAborted();
    yield part;
  }
}

/**
 * The record of the same plaintext from an earlier call, or one of new keys.
 *
 * The whole file is read: the service wants to know the length of the blob before it permits the
 * upload, and what has other bytes than before must not be encrypted with the same keys.
 */
async function recordOf(
  file: PreparedFile,
  index: number,
  context: UploadContext,
): Promise<{ readonly record: UploadRecord; readonly facts: BlobFacts }> {
  const { store, clock, id, signal, dryRun = false, reuseMs = REUSE_MS } = context;
  const known = dryRun ? undefined : await loadUpload(store, id, index);
  const nowMs = clock.now();
  const isFresh = known !== undefined && nowMs - known.startedAtMs < reuseMs;
  if (isFresh) {
    const facts = await measure(file, known, signal);
    if (isSameBytes(facts.plaintextHash, known.plaintextHash)) return { record: known, facts };
    // Without these keys the broadcast's own message could never be repeated.
    if (context.isKnown === true)
      throw new SealcastError(
        'ERR_BROADCAST_MISMATCH',
        `entry ${index}: the broadcast of this id is of another attachment`,
        { field: 'id', index },
      );
  }
  const keys = newAttachmentKeys();
  const facts = await measure(file, keys, signal);
  if (facts.size === 0)
    throw new SealcastError('ERR_INVALID_ARGUMENT', `entry ${index}: the attachment is empty`, {
      field: FIELD,
      index,
    });
  const clientUuid = new Uint8Array(Buffer.from(randomUUID().replaceAll('-', ''), 'hex'));
  const { plaintextHash } = facts;
  const record = { ...keys, plaintextHash, clientUuid, startedAtMs: nowMs, finishedAtMs: 0 };
  return { record, facts };
}

async function measure(
  file: PreparedFile,
  keys: AttachmentKeys,
  signal: AbortSignal,
): Promise<BlobFacts> {
  const encryption = new BlobEncryption(keys);
  await drain(encryption.run(file.read()), signal);
  return encryption.facts;
}

/** Uploads the attachment, unless an earlier call has. @returns the record of a finished upload. */
async function finish(what: {
  readonly record: UploadRecord;
  readonly facts: BlobFacts;
  readonly file: PreparedFile;
  readonly index: number;
  readonly context: UploadContext;
}): Promise<UploadRecord> {
  const { record, facts, file, index, context } = what;
  const { transport, store, clock, id, dryRun = false, patience } = context;
  if (record.finishedAtMs > 0) return record;
  if (dryRun) {
    const permit = { cdnNumber: 3, cdnKey: 'dry-run', uploadUrl: '', headers: [] };
    return { ...record, finishedAtMs: clock.now(), permit };
  }
  const { cdn } = transport;
  if (cdn === undefined || transport.getUploadForm === undefined)
    throw new SealcastError(
      'ERR_NOT_IMPLEMENTED',
      'the transport sends no attachments: it has no cdn, or no getUploadForm',
      { field: 'transport' },
    );
  const uploader = new Uploader({
    transport,
    client: new CdnClient(cdn, clock, patience),
    clock,
    maxRetryAfterMs: context.maxRetryAfterMs ?? 3_600_000,
    save: (changed) => store.commit([uploadChange(id, index, changed)]),
  });
  return uploader.run({ record, facts, file, index }, context.signal);
}
