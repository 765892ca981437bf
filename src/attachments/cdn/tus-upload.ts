import type { IncomingMessage } from 'node:http';
import type { CdnClient, CdnRequest } from './cdn-client.js';
import {
  checkOffset,
  headOf,
  uploadError,
  type UploadBlob,
  type UploadPermit,
  type UploadTarget,
} from './upload-target.js';

const TUS: readonly [string, string] = ['tus-resumable', '1.0.0'];
const BYTES: readonly [string, string] = ['content-type', 'application/offset+octet-stream'];

/**
 * Upload to CDN 3, by TUS 1.0.0 with creation-with-upload: the request that makes the upload brings
 * its bytes.
 */
export class TusUpload implements UploadTarget {
  readonly #client: CdnClient;
  readonly #permit: UploadPermit;
  /** Whether the CDN may have the upload from before. */
  #mayExist: boolean;
  #offset = 0;

  constructor(client: CdnClient, permit: UploadPermit, mayExist: boolean) {
    this.#client = client;
    this.#permit = permit;
    this.#mayExist = mayExist;
  }

  get offset(): number {
    return this.#offset;
  }

  async upload(blob: UploadBlob, signal: AbortSignal): Promise<boolean> {
    const hasUpload = this.#mayExist && (await this.#ask(blob, signal));
    this.#mayExist = true;
    if (!hasUpload) return this.#create(blob, signal);
    if (this.#offset === blob.bytes) return true;
    const headers: [string, string][] = [['upload-offset', String(this.#offset)]];
    const body = { parts: blob.read(this.#offset), bytes: blob.bytes - this.#offset };
    const url = this.#uploadUrl();
    const answer = await this.#send(
      { method: 'PATCH', url, headers: [...headers, BYTES], body },
      signal,
    );
    // 409: it has another offset than it said, which is asked again.
    if (answer.statusCode === 409) return false;
    if (answer.statusCode !== 204 && answer.statusCode !== 200) throw uploadError(answer);
    return this.#take(answer, blob);
  }

  /** @returns whether there is an upload, whose offset is known then. */
  async #ask(blob: UploadBlob, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#send(
      { method: 'HEAD', url: this.#uploadUrl(), headers: [] },
      signal,
    );
    if (answer.statusCode === 404 || answer.statusCode === 410) return false;
    if (answer.statusCode !== 200 && answer.statusCode !== 204) throw uploadError(answer);
    this.#offset = checkOffset(answer.headers['upload-offset'], blob.bytes);
    return true;
  }

  async #create(blob: UploadBlob, signal: AbortSignal): Promise<boolean> {
    const { cdnNumber, uploadUrl } = this.#permit;
    const url = this.#client.place(cdnNumber, uploadUrl);
    const length: [string, string] = ['upload-length', String(blob.bytes)];
    const body = { parts: blob.read(0), bytes: blob.bytes };
    const answer = await this.#send(
      { method: 'POST', url, headers: [length, BYTES], body },
      signal,
    );
    if (answer.statusCode !== 201 && answer.statusCode !== 200) throw uploadError(answer);
    return this.#take(answer, blob);
  }

  /** Without an offset in its answer the CDN took all: it would have refused the rest. */
  #take({ headers }: IncomingMessage, blob: UploadBlob): boolean {
    const told = headers['upload-offset'];
    this.#offset = told === undefined ? blob.bytes : checkOffset(told, blob.bytes);
    return this.#offset === blob.bytes;
  }

  #uploadUrl(): URL {
    const { cdnNumber, uploadUrl, cdnKey } = this.#permit;
    const url = this.#client.place(cdnNumber, uploadUrl);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/${encodeURIComponent(cdnKey)}`;
    return url;
  }

  async #send(request: CdnRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const headers = [...this.#permit.headers, TUS, ...request.headers];
    return headOf(await this.#client.send({ ...request, headers }, signal));
  }
}
