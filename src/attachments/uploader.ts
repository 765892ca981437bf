import { SealcastError } from '../errors.js';
import type { UploadPermitRecord, UploadRecord } from '../store/tables/uploads.js';
import { refusalError } from '../transport/refusal-errors.js';
import type { Refusal, Transport } from '../transport/transport.js';
import { isSameBytes } from '../util/bytes.js';
import type { Clock } from '../util/clock.js';
import { serviceWaitMs } from '../util/service-wait.js';
import { CdnUnavailable, type CdnClient } from './cdn/cdn-client.js';
import { GcsUpload } from './cdn/gcs-upload.js';
import { TusUpload } from './cdn/tus-upload.js';
import { PermitGone, type UploadBlob, type UploadTarget } from './cdn/upload-target.js';
import { BlobEncryption, type AttachmentKeys, type BlobFacts } from './cipher.js';
import { FIELD } from './input.js';
import type { PreparedFile } from './metadata/photo.js';

/** Failures in a row, without a byte that the CDN took, after which an upload ends. */
const MAX_FAILURES = 8;
/** Permits that the CDN may drop, whatever it took with them, before an upload ends. */
const MAX_DROPPED_PERMITS = 4;

export interface UploaderOptions {
  readonly transport: Transport;
  readonly client: CdnClient;
  readonly clock: Clock;
  readonly maxRetryAfterMs: number;
  /** Puts the upload's record on the disk. */
  readonly save: (record: UploadRecord) => Promise<void>;
}

/** Attachment that is to be uploaded. */
export interface PendingUpload {
  readonly record: UploadRecord;
  readonly facts: BlobFacts;
  readonly file: PreparedFile;
  /** Place among the message's attachments. */
  readonly index: number;
}

/**
 * Upload of one blob until it is done.
 *
 * States: without a permit (a form is asked for), permitted (bytes go to the CDN, and from the last
 * one that it has after each failure), finished. A permit that the CDN no longer takes is dropped.
 * Each state is on the disk before it is acted on, so that a crash loses no more than a request.
 */
export class Uploader {
  readonly #options: UploaderOptions;

  constructor(options: UploaderOptions) {
    this.#options = options;
  }

  /** @throws as `uploadAttachments`. */
  async run(upload: PendingUpload, signal: AbortSignal): Promise<UploadRecord> {
    const { clock, save } = this.#options;
    let { record } = upload;
    let offset = 0;
    let dropped = 0;
    // A permit of an earlier call may have brought bytes to the CDN.
    let mayExist = record.permit !== undefined;
    for (let failures = 0; ;) {
      signal.throwIfAborted();
      let target: UploadTarget | undefined;
      try {
        if (record.permit === undefined) {
          record = { ...record, permit: await this.#permitOf(upload.facts.blobBytes, signal) };
          await save(record);
          mayExist = false;
        }
        const { permit } = record;
        if (permit === undefined) continue;
        target = await this.#targetOf(permit, mayExist, signal);
        if (target instanceof GcsUpload && target.sessionUrl !== permit.sessionUrl) {
          record = { ...record, permit: { ...permit, sessionUrl: target.sessionUrl } };
          await save(record);
        }
        mayExist = true;
        if (await target.upload(blobOf(upload, record), signal)) break;
        failures = target.offset > offset ? 0 : failures + 1;
        offset = target.offset;
        if (failures > MAX_FAILURES) throw exhausted(upload.index);
      } catch (error) {
        const { failed, isGone } = failureOf(error);
        if (!failed) throw error;
        const hasProgress = (target?.offset ?? 0) > offset;
        offset = Math.max(offset, target?.offset ?? 0);
        failures = hasProgress ? 1 : failures + 1;
        if (failures > MAX_FAILURES) throw exhausted(upload.index, error);
        if (isGone) {
          dropped++;
          if (dropped > MAX_DROPPED_PERMITS) throw exhausted(upload.index, error);
          record = withoutPermit(record);
          offset = 0;
        }
        const waitMs = serviceWaitMs({
          retryAfterMs: failed.retryAfterMs,
          refusals: failures - 1,
          ceilingMs: this.#options.maxRetryAfterMs,
        });
        await clock.sleep(waitMs, signal);
      }
    }
    const finished = finishedRecord(record, clock.now());
    await save(finished);
    return finished;
  }

  async #permitOf(blobBytes: number, signal: AbortSignal): Promise<UploadPermitRecord> {
    const { transport, client } = this.#options;
    const form = await transport.getUploadForm?.({ uploadBytes: blobBytes }, { signal });
    if (form === undefined) throw new Error('the transport has no getUploadForm');
    if (form.status !== 'ok') throw formError(form);
    const { cdnNumber, key: cdnKey, uploadUrl, headers } = form;
    if (cdnNumber !== 2 && cdnNumber !== 3)
      throw new SealcastError(
        'ERR_SERVICE_REJECTED',
        `upload an attachment: the service wants it on CDN ${cdnNumber}, which is not known`,
      );
    // Before the form is used up: a host that is not configured is no reason to ask again.
    client.place(cdnNumber, uploadUrl);
    return { cdnNumber, cdnKey, uploadUrl, headers };
  }

  /** The place to upload to, with its address where the CDN gives one. */
  async #targetOf(
    permit: UploadPermitRecord,
    mayExist: boolean,
    signal: AbortSignal,
  ): Promise<UploadTarget> {
    const { client } = this.#options;
    if (permit.cdnNumber === 3) return new TusUpload(client, permit, mayExist);
    const target = new GcsUpload(client, permit, permit.sessionUrl);
    await target.begin(signal);
    return target;
  }
}

/** Without what permits an upload: it is no longer needed. */
function finishedRecord(record: UploadRecord, nowMs: number): UploadRecord {
  if (record.permit === undefined) throw new Error('an upload that is finished has a permit');
  const { cdnNumber, cdnKey } = record.permit;
  const permit = { cdnNumber, cdnKey, uploadUrl: '', headers: [] };
  return { ...record, permit, finishedAtMs: nowMs };
}

/** Refusal of a form that may be asked for again. */
class FormUnavailable extends CdnUnavailable {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    const retryAfterMs = 'retryAfterMs' in refusal ? refusal.retryAfterMs : undefined;
    super('the service gave no upload form', { retryAfterMs });
    this.refusal = refusal;
  }
}

function formError(refusal: Refusal): Error {
  if (refusal.status === 'unavailable' || refusal.status === 'rate-limited')
    return new FormUnavailable(refusal);
  if (refusal.status === 'too-large')
    return new SealcastError(
      'ERR_ATTACHMENT_TOO_LARGE',
      'the service takes no attachment of this length',
    );
  return refusalError(refusal, 'the attachment was not uploaded');
}

interface Failure {
  /** Undefined: asking again would not help. */
  readonly failed: { readonly retryAfterMs?: number | undefined } | undefined;
  readonly isGone: boolean;
}

function failureOf(error: unknown): Failure {
  if (error instanceof PermitGone) return { failed: {}, isGone: true };
  if (error instanceof CdnUnavailable) return { failed: error, isGone: false };
  return { failed: undefined, isGone: false };
}

function exhausted(index: number, cause?: unknown): Error {
  if (cause instanceof FormUnavailable)
    return refusalError(cause.refusal, 'the attachment was not uploaded');
  return new SealcastError(
    'ERR_SERVICE_UNAVAILABLE',
    `entry ${index}: the attachment was not uploaded: the CDN fails again and again; try later`,
    { field: FIELD, index, cause },
  );
}

const withoutPermit = (record: UploadRecord): UploadRecord => {
  const { key, iv, plaintextHash, clientUuid, startedAtMs, finishedAtMs } = record;
  return { key, iv, plaintextHash, clientUuid, startedAtMs, finishedAtMs };
};

/** The blob of a file, which is encrypted from its beginning for every read. */
function blobOf({ file, facts, index }: PendingUpload, keys: AttachmentKeys): UploadBlob {
  return {
    bytes: facts.blobBytes,
    async *read(start) {
      const encryption = new BlobEncryption(keys);
      let at = 0;
      // The last part leaves only when all of them are those that the digest is of.
      let held: Uint8Array | undefined;
      for await (const part of encryption.run(file.read())) {
        const from = Math.max(0, start - at);
        at += part.length;
        if (at > facts.blobBytes) throw changedError(index);
        if (from >= part.length) continue;
        if (held !== undefined) yield held;
        held = part.subarray(from);
      }
      if (!isSameBytes(encryption.facts.digest, facts.digest)) throw changedError(index);
      if (held !== undefined) yield held;
    },
  };
}

function changedError(index: number): SealcastError {
  return new SealcastError(
    'ERR_INVALID_ARGUMENT',
    `entry ${index}: the attachment changed while it was uploaded`,
    { field: FIELD, index },
  );
}
