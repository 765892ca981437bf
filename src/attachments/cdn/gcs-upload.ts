import type { IncomingMessage } from 'node:http';
import { rejected, type CdnClient, type RequestBody } from './cdn-client.js';
import {
  checkOffset,
  headOf,
  PermitGone,
  uploadError,
  type UploadBlob,
  type UploadPermit,
  type UploadTarget,
} from './upload-target.js';

const BYTES: readonly [string, string] = ['content-type', 'application/octet-stream'];
const isDone = ({ statusCode }: IncomingMessage): boolean =>
  statusCode === 200 || statusCode === 201;

/**
 * Upload to CDN 2: a resumable upload of Google Cloud Storage. One request begins it and gives its
 * address; further ones bring the bytes.
 */
export class GcsUpload implements UploadTarget {
  readonly #client: CdnClient;
  readonly #permit: UploadPermit;
  #sessionUrl: string | undefined;
  #offset = 0;
  /** Whether it has just begun: the CDN has nothing of it. */
  #isEmpty = false;

  constructor(client: CdnClient, permit: UploadPermit, sessionUrl: string | undefined) {
    this.#client = client;
    this.#permit = permit;
    this.#sessionUrl = sessionUrl;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Address of the upload once it has begun. It permits the upload: never to be logged. */
  get sessionUrl(): string {
    return this.#sessionUrl ?? '';
  }

  /**
   * Begins the upload, where it has not begun; to be done before {@link upload}.
   *
   * @throws as {@link UploadTarget.upload}.
   */
  async begin(signal: AbortSignal): Promise<void> {
    if (this.#sessionUrl !== undefined) return;
    const { cdnNumber, uploadUrl, headers } = this.#permit;
    const url = this.#client.place(cdnNumber, uploadUrl);
    const answer = headOf(
      await this.#client.send(
        { method: 'POST', url, headers: [...headers, BYTES], body: { bytes: 0 } },
        signal,
      ),
    );
    if (!isDone(answer)) throw uploadError(answer);
    const { location } = answer.headers;
    if (location === undefined) throw rejected('the CDN gave no address to upload to');
    this.#sessionUrl = this.#client.place(cdnNumber, location).href;
    this.#isEmpty = true;
  }

  async upload(blob: UploadBlob, signal: AbortSignal): Promise<boolean> {
    if (!this.#isEmpty && (await this.#ask(blob, signal))) return true;
    this.#isEmpty = false;
    const last = blob.bytes - 1;
    const answer = await this.#put(
      `bytes ${this.#offset}-${last}/${blob.bytes}`,
      { parts: blob.read(this.#offset), bytes: blob.bytes - this.#offset },
      signal,
    );
    return this.#take(answer, blob);
  }

  /** Asks what the CDN has. @returns whether it has all. */
  async #ask(blob: UploadBlob, signal: AbortSignal): Promise<boolean> {
    return this.#take(await this.#put(`bytes */${blob.bytes}`, { bytes: 0 }, signal), blob);
  }

  #take(answer: IncomingMessage, blob: UploadBlob): boolean {
    if (isDone(answer)) {
      this.#offset = blob.bytes;
      return true;
    }
    // 400: not an upload of this CDN any more.
    if (answer.statusCode === 400) throw new PermitGone('the CDN answered 400');
    if (answer.statusCode !== 308) throw uploadError(answer);
    const range = answer.headers.range;
    // No header: it has nothing yet.
    const end = range === undefined ? undefined : /^bytes=0-(\d{1,16})$/.exec(range)?.[1];
    if (range !== undefined && end === undefined) throw rejected('the CDN told no range');
    this.#offset = end === undefined ? 0 : checkOffset(String(Number(end) + 1), blob.bytes);
    return false;
  }

  async #put(range: string, body: RequestBody, signal: AbortSignal): Promise<IncomingMessage> {
    const { cdnNumber } = this.#permit;
    const url = this.#client.place(cdnNumber, this.sessionUrl);
    const headers: [string, string][] = [['content-range', range]];
    return headOf(await this.#client.send({ method: 'PUT', url, headers, body }, signal));
  }
}
