import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { CdnService, UploadFormOutcome } from 'sealcast';

const CERTIFICATES = join(
  dirname(createRequire(import.meta.url).resolve('@signalapp/mock-server/package.json')),
  'certs',
);
const certificate = (name: string): string => readFileSync(join(CERTIFICATES, name), 'utf8');

/** A request as it reached the CDN. */
export interface CdnLog {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Bytes of its body that the CDN took. */
  bodyBytes: number;
}

/** What happens to one request in place of what it asks. */
export type CdnFault =
  /** The connection is lost when the CDN has taken, or given, so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** An answer of another kind. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** No answer at all, or a body that stops in the middle. */
  | { readonly kind: 'hang'; readonly afterBytes?: number }
  /** A body without an end. */
  | { readonly kind: 'endless' };

/** File on the CDN, or the part of it that has arrived. */
class Upload {
  readonly #parts: Buffer[] = [];
  /** Bytes that have arrived. */
  taken = 0;

  constructor(readonly length: number) {}

  take(part: Buffer): void {
    this.#parts.push(part);
    this.taken += part.length;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/**
 * A CDN of the tests, over TLS on localhost: CDN 2 as Google Cloud Storage has resumable uploads,
 * CDN 3 by TUS, and downloads with ranges. Faults are for the requests that follow, one each.
 */
export class FakeCdn implements AsyncDisposable {
  readonly #server: Server;
  readonly #uploads = new Map<string, Upload>();
  readonly #faults: (CdnFault | undefined)[] = [];
  readonly log: CdnLog[] = [];
  /** CDN of the forms. */
  cdnNumber = 3;
  /** Forms that were given out. */
  forms = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeCdn> {
    const server = createServer({
      key: certificate('key.pem'),
      cert: certificate('full-cert.pem'),
    });
    const cdn = new FakeCdn(server);
    server.on('request', (request, response) => void cdn.#handle(request, response));
    server.on('clientError', (_error, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    return cdn;
  }

  get #origin(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a transport says of it. */
  get service(): CdnService {
    const certificateAuthority = certificate('ca-cert.pem');
    return { urls: { 0: this.#origin, 2: this.#origin, 3: this.#origin }, certificateAuthority };
  }

  /** The transport's request for a form. The hosts in it are those of no CDN of ours. */
  readonly getUploadForm = (request: {
    readonly uploadBytes: number;
  }): Promise<UploadFormOutcome> => {
    this.forms += 1;
    const key = `file-${this.forms}`;
    const path = this.cdnNumber === 2 ? 'start' : 'upload';
    return Promise.resolve({
      status: 'ok',
      cdnNumber: this.cdnNumber,
      key,
      headers: [
        ['x-permit', `${key}/${request.uploadBytes}`],
        ['host', 'cdn.example'],
      ],
      uploadUrl: `http://signed.example/${path}?signature=1`,
    });
  };

  /** Faults of the next requests; undefined lets one through. */
  next(...faults: readonly (CdnFault | undefined)[]): void {
    this.#faults.push(...faults);
  }

  /** Files that are whole, by name. */
  file(name: string): Buffer | undefined {
    const upload = this.#uploads.get(name);
    return upload?.taken === upload?.length ? upload?.bytes : undefined;
  }

  put(name: string, bytes: Uint8Array): void {
    const upload = new Upload(bytes.length);
    upload.take(Buffer.from(bytes));
    this.#uploads.set(name, upload);
  }

  /** Forgets an upload, as a CDN does after a week. */
  forget(name: string): void {
    this.#uploads.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    const url = new URL(request.url ?? '', this.#origin);
    const entry: CdnLog = { method, path: url.pathname, headers, bodyBytes: 0 };
    this.log.push(entry);
    const fault = this.#faults.shift();
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (fault?.kind === 'answer') {
      response.writeHead(fault.status, { ...fault.headers, connection: 'close' });
      response.end();
      return;
    }
    if (fault?.kind === 'hang' && fault.afterBytes === undefined) return;
    const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1));
    if (method === 'GET') this.#download(name, headers.range, response, fault);
    else if (url.pathname === '/start') this.#begin(headers, response);
    else if (url.pathname.startsWith('/session/'))
      await this.#resume(name, { request, response, entry, fault });
    else await this.#tus(url.pathname, { request, response, entry, fault });
  }

  #begin(headers: IncomingMessage['headers'], response: ServerResponse): void {
    const [name = '', length = ''] = String(headers['x-permit']).split('/');
    this.#uploads.set(name, new Upload(Number(length)));
    response.writeHead(201, { location: `http://elsewhere.example/session/${name}?upload_id=7` });
    response.end();
  }

  async #resume(name: string, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const upload = this.#uploads.get(name);
    if (upload === undefined) {
      response.writeHead(410).end();
      return;
    }
    const range = request.headers['content-range'] ?? '';
    const start = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range);
    if (start !== null) {
      if (Number(start[1]) !== upload.taken || Number(start[3]) !== upload.length) {
        response.writeHead(400).end();
        return;
      }
      if (!(await this.#take(upload, exchange))) return;
    }
    if (upload.taken === upload.length) response.writeHead(200).end();
    else {
      const last = upload.taken - 1;
      response.writeHead(308, last >= 0 ? { range: `bytes=0-${last}` } : {}).end();
    }
  }

  async #tus(path: string, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { headers, method } = request;
    const [permitted = ''] = String(headers['x-permit']).split('/');
    if (headers['tus-resumable'] !== '1.0.0') {
      response.writeHead(412).end();
      return;
    }
    if (method === 'POST' && path === '/upload') {
      const upload = new Upload(Number(headers['upload-length']));
      this.#uploads.set(permitted, upload);
      if (!(await this.#take(upload, exchange))) return;
      response.writeHead(201, { 'upload-offset': String(upload.taken) }).end();
      return;
    }
    const upload = this.#uploads.get(permitted);
    if (upload === undefined || path !== `/upload/${permitted}`) {
      response.writeHead(404).end();
      return;
    }
    if (method === 'PATCH') {
      if (Number(headers['upload-offset']) !== upload.taken) {
        response.writeHead(409).end();
        return;
      }
      if (!(await this.#take(upload, exchange))) return;
    }
    response
      .writeHead(method === 'HEAD' ? 200 : 204, { 'upload-offset': String(upload.taken) })
      .end();
  }

  /** @returns false where the connection was lost, or waits for ever. */
  async #take(upload: Upload, { request, entry, fault }: Exchange): Promise<boolean> {
    const limit =
      fault?.kind === 'cut' || fault?.kind === 'hang' ? (fault.afterBytes ?? 0) : Infinity;
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        const taken = part.subarray(0, limit - entry.bodyBytes);
        entry.bodyBytes += taken.length;
        upload.take(taken);
        if (entry.bodyBytes < limit) continue;
        if (fault?.kind === 'hang') await new Promise(() => undefined);
        request.socket.destroy();
        return false;
      }
    } catch {
      return false;
    }
    return true;
  }

  #download(
    name: string,
    range: string | undefined,
    response: ServerResponse,
    fault: CdnFault | undefined,
  ): void {
    const bytes = this.file(name);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const body = bytes.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      ...(start > 0 && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    if (fault?.kind === 'endless') {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return;
    }
    if (fault?.kind === 'cut' || fault?.kind === 'hang') {
      const end = fault.kind === 'cut' ? () => response.socket?.end() : () => undefined;
      response.write(body.subarray(0, fault.afterBytes ?? 0), end);
      return;
    }
    response.end(body);
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: CdnLog;
  readonly fault: CdnFault | undefined;
}
