import { randomBytes } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { IncomingMessage } from 'node:http';
import type { AttachmentPointer } from '../content/attachment-pointer.js';
import { SealcastError } from '../errors.js';
import { checkOptions, isIntegerIn, refuse } from '../transport/arguments.js';
import type { CdnService } from '../transport/transport.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import { checkNames, type NamesOf } from '../util/known-names.js';
import { serviceWaitMs } from '../util/service-wait.js';
import { CdnClient, CdnUnavailable, rejected, type CdnPatience } from './cdn/cdn-client.js';
import { headOf, PermitGone, uploadError } from './cdn/upload-target.js';
import { blobBytesOf, paddedBytes } from './cipher.js';
import { BlobReader } from './decipher.js';
import { invalidAttachment, limitError } from './download-errors.js';
import { TempFile } from './temp-file.js';

/** Attempts to get a file; what came before the connection was lost is asked for again. */
const MAX_FAILURES = 5;
/** Room for clients that pad differently, bytes. */
const PADDING_SLACK_BYTES = 64;
/** Largest blob that is read: clients take a quarter more than they send (Signal-Desktop). */
const MAX_BLOB_BYTES = 1.25 * 100 * 1024 * 1024;
const FILE_MODE = 0o600;
/** CDNs that clients know; a pointer to another one is its sender's fault. */
const CDN_NUMBERS: ReadonlySet<number> = new Set([0, 2, 3]);

/** Options of a download. */
export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Largest file that is read, bytes. Default and most: 125 MiB. */
  readonly maxBytes?: number;
}

/** Parts that a download needs. */
export interface DownloadContext {
  readonly cdn: CdnService | undefined;
  readonly clock?: Clock;
  /** Directory of encrypted temporary files. Default: that of the system. */
  readonly tempDirectory?: string;
  readonly patience?: CdnPatience;
}

/**
 * Attachment that was downloaded, and whose MAC, digest and length are those of its pointer. It
 * holds a temporary file: read it, or close it.
 */
export class DownloadedAttachment implements AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly #blob: TempFile;
  readonly #reader: BlobReader;
  /** Length of the file, bytes. */
  readonly size: number;

  /** @internal */
  constructor(blob: TempFile, reader: BlobReader, size: number) {
    this.#blob = blob;
    this.#reader = reader;
    this.size = size;
  }

  /**
   * Writes the file, for its owner alone. Nothing is at `path` before all of it is.
   *
   * @param path of the file; one that is there is replaced. The sender's `fileName` is a text and
   *   no path: never build `path` of it.
   * @throws Error of the file system.
   * @example
   * await using file = await attachment.download();
   * await file.saveTo('./inbox/photo-17');
   */
  async saveTo(path: string): Promise<void> {
    if (typeof path !== 'string' || path === '')
      throw new SealcastError('ERR_INVALID_ARGUMENT', 'path must be the path of a file', {
        field: 'path',
      });
    const name = `.${basename(path).slice(0, 64)}.${randomBytes(8).toString('hex')}`;
    const partial = join(dirname(path), name);
    const handle = await open(partial, 'wx', FILE_MODE);
    try {
      for await (const part of this) await handle.writeFile(part);
      await handle.sync();
      await handle.close();
      await rename(partial, path);
    } catch (error) {
      await handle.close().catch(() => undefined);
      await unlink(partial).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Reads the whole file into memory.
   *
   * @throws SealcastError ERR_CLOSED
   * @example
   * await using file = await attachment.download();
   * console.log((await file.bytes()).length);
   */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for await (const part of this) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** Iterates the file in chunks that are the caller's own; any number of times. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#reader.plaintext(this.size);
  }

  /**
   * Removes the temporary file. Further calls do nothing.
   *
   * @example
   * const file = await attachment.download();
   * await file.close();
   */
  close(): Promise<void> {
    return this.#blob[Symbol.asyncDispose]();
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Downloads an attachment, and checks all of it before any of it is given.
 *
 * @throws SealcastError ERR_ATTACHMENT_INVALID: the pointer is malformed, or what is stored is not
 *   what it says; ERR_ATTACHMENT_TOO_LARGE; ERR_ATTACHMENT_GONE: the CDN has it no longer;
 *   ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED, ERR_ABORTED; ERR_NOT_IMPLEMENTED: the transport
 *   has no CDN.
 */
export async function downloadAttachment(
  pointer: AttachmentPointer | undefined,
  context: DownloadContext,
  options: DownloadOptions = {},
): Promise<DownloadedAttachment> {
  const { cdn, clock = SYSTEM_CLOCK, patience, tempDirectory } = context;
  const { signal = new AbortController().signal, maxBytes } = checkDownloadOptions(options);
  if (pointer === undefined) throw invalidAttachment('its sender does not say where it is');
  const { cdnNumber, name, size } = checkPointer(pointer);
  const limitBytes = Math.min(maxBytes, MAX_BLOB_BYTES);
  if (size > limitBytes) throw limitError(limitBytes);
  if (cdn === undefined)
    throw new SealcastError('ERR_NOT_IMPLEMENTED', 'the transport has no cdn to download from', {
      field: 'transport',
    });
  const client = new CdnClient(cdn, clock, patience);
  const shortest = blobBytesOf(size);
  const longest = blobBytesOf(paddedBytes(size)) + PADDING_SLACK_BYTES;
  const blob = new TempFile(tempDirectory);
  try {
    if (!CDN_NUMBERS.has(cdnNumber) && !client.has(cdnNumber))
      throw invalidAttachment('its pointer names a CDN that does not exist');
    const url = client.fileUrl(cdnNumber, name);
    await fetchBlob({ client, url, blob, longest, clock, signal });
    if (blob.length < shortest) throw invalidAttachment('it is shorter than its pointer says');
    const reader = new BlobReader(blob, pointer.key);
    await reader.verify(pointer.digest, signal);
    await reader.verifyPadding(size, signal);
    return new DownloadedAttachment(blob, reader, size);
  } catch (error) {
    await blob[Symbol.asyncDispose]();
    if (signal.aborted)
      throw new SealcastError('ERR_ABORTED', 'the download was aborted', { cause: signal.reason });
    throw error;
  }
}

const NAMES = { signal: true, maxBytes: true } satisfies NamesOf<DownloadOptions>;

/** @throws SealcastError ERR_INVALID_ARGUMENT */
function checkDownloadOptions(
  options: DownloadOptions,
): DownloadOptions & { readonly maxBytes: number } {
  checkNames(checkOptions(options), NAMES);
  const { signal, maxBytes = MAX_BLOB_BYTES } = options;
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal))
    refuse('signal', 'an AbortSignal');
  if (!isIntegerIn(maxBytes, 1, Number.MAX_SAFE_INTEGER)) refuse('maxBytes', 'a number of bytes');
  return { ...(signal !== undefined && { signal }), maxBytes };
}

interface CheckedPointer {
  readonly cdnNumber: number;
  readonly name: string;
  readonly size: number;
}

/** Names of stored files: base64url, numbers, or the hex of earlier services. */
const CDN_KEY = /^[\w-]{1,256}$/;

/** A pointer is what a stranger wrote. @throws SealcastError ERR_ATTACHMENT_INVALID */
function checkPointer(pointer: AttachmentPointer): CheckedPointer {
  const { cdnKey, cdnId, cdnNumber, key, digest, size } = pointer as Partial<AttachmentPointer>;
  if (key?.length !== 64 || digest?.length !== 32)
    throw invalidAttachment('its pointer has no key or no digest');
  if (size === undefined || !Number.isSafeInteger(size) || size < 0)
    throw invalidAttachment('its pointer has no length');
  const name = cdnKey ?? (cdnId === undefined ? '' : String(cdnId));
  if (!CDN_KEY.test(name)) throw invalidAttachment('its pointer names no file of a CDN');
  if (cdnNumber === undefined || !Number.isInteger(cdnNumber))
    throw invalidAttachment('its pointer names no CDN');
  return { cdnNumber, name, size };
}

interface Fetch {
  readonly client: CdnClient;
  readonly url: URL;
  readonly blob: TempFile;
  /** Longest blob that the pointer's size allows, bytes. */
  readonly longest: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Gets the blob; after a lost connection, what is missing of it. */
async function fetchBlob(what: Fetch): Promise<void> {
  const { clock, signal, blob } = what;
  for (let failures = 0; ;) {
    const before = blob.length;
    try {
      await fetchPart(what);
      return;
    } catch (error) {
      if (error instanceof PermitGone)
        throw new SealcastError('ERR_ATTACHMENT_GONE', 'the CDN has the attachment no longer', {
          cause: error,
        });
      if (!(error instanceof CdnUnavailable)) throw error;
      failures = blob.length > before ? 1 : failures + 1;
      if (failures >= MAX_FAILURES)
        throw new SealcastError(
          'ERR_SERVICE_UNAVAILABLE',
          'the attachment was not downloaded: the CDN fails again and again; try later',
          { cause: error },
        );
      const { retryAfterMs } = error;
      const wait = { retryAfterMs, refusals: failures - 1, ceilingMs: 60_000 };
      await clock.sleep(serviceWaitMs(wait), signal);
    }
  }
}

async function fetchPart({ client, url, blob, longest, signal }: Fetch): Promise<void> {
  const start = blob.length;
  const headers: [string, string][] = start > 0 ? [['range', `bytes=${start}-`]] : [];
  const request = { method: 'GET', url, headers, answerBytes: longest } as const;
  const answer = await client.send(request, signal);
  const skipBytes = startOf(answer, start);
  let at = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      // A CDN that knows no ranges sends the beginning once more.
      const rest = part.subarray(Math.max(0, skipBytes - at));
      at += part.length;
      if (rest.length === 0) continue;
      if (blob.length + rest.length > longest)
        throw invalidAttachment('it is longer than its pointer says');
      await blob.write(rest);
    }
  } catch (cause) {
    answer.destroy();
    if (signal.aborted) throw signal.reason;
    if (cause instanceof SealcastError || isFileError(cause)) throw cause;
    throw new CdnUnavailable('the connection to the CDN was lost', { cause });
  }
}

/** An error of the temporary file names the system call that failed on it. */
const isFileError = (error: unknown): boolean =>
  ['write', 'open', 'unlink'].includes((error as NodeJS.ErrnoException).syscall ?? '') &&
  (error as NodeJS.ErrnoException).code !== 'EPIPE';

/** @returns bytes at the beginning of the answer that are there already. */
function startOf(answer: IncomingMessage, start: number): number {
  const { statusCode, headers } = answer;
  if (statusCode === 200) return start;
  if (statusCode === 206 && start > 0) {
    const from = /^bytes (\d{1,16})-/.exec(headers['content-range'] ?? '')?.[1];
    if (Number(from) === start) return 0;
  }
  headOf(answer);
  // The whole of it is there, and nothing behind.
  if (statusCode === 206 || statusCode === 416) throw rejected('the CDN gave another range');
  throw uploadError(answer);
}
