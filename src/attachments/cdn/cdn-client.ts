import {
  validateHeaderName,
  validateHeaderValue,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { request } from 'node:https';
import { isIP } from 'node:net';
import { SealcastError } from '../../errors.js';
import type { CdnService } from '../../transport/transport.js';
import type { Clock } from '../../util/clock.js';

/** The CDN could not be reached, or answered so that asking again later may help. */
export class CdnUnavailable extends Error {
  override readonly name = 'CdnUnavailable';
  /** As the CDN asks. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, facts: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** How long a CDN is waited for. */
export interface CdnPatience {
  /** Longest time in which nothing comes or goes, ms. */
  readonly idleMs: number;
  /** Slowest transfer that is not given up, bytes a second. */
  readonly minBytesPerSecond: number;
}

export const CDN_PATIENCE: CdnPatience = { idleMs: 30_000, minBytesPerSecond: 4 * 1024 };
/** Time for a request apart from its bytes, ms. */
const BASE_MS = 60_000;

export interface RequestBody {
  /** Absent where it is empty. */
  readonly parts?: AsyncIterable<Uint8Array>;
  readonly bytes: number;
}

export interface CdnRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: RequestBody;
  /** Longest answer that the caller reads, bytes. */
  readonly answerBytes?: number;
}

/** Headers that are the connection's, and not a form's to give. */
const OWN_HEADERS = new Set([
  ...['connection', 'content-length', 'expect', 'keep-alive', 'proxy-connection', 'te'],
  ...['trailer', 'transfer-encoding', 'upgrade'],
]);

/**
 * Sends requests to the hosts of attachments, each over a connection of its own. Follows no
 * redirect, and asks no host but the configured ones.
 */
export class CdnClient {
  readonly #cdn: CdnService;
  readonly #patience: CdnPatience;
  readonly #clock: Pick<Clock, 'setTimeout'>;

  constructor(cdn: CdnService, clock: Pick<Clock, 'setTimeout'>, patience = CDN_PATIENCE) {
    this.#cdn = cdn;
    this.#clock = clock;
    this.#patience = patience;
  }

  /** Whether a host is configured for this CDN. */
  has(cdnNumber: number): boolean {
    return Object.hasOwn(this.#cdn.urls, cdnNumber);
  }

  /** Address of a stored file. */
  fileUrl(cdnNumber: number, name: string): URL {
    return new URL(`${this.#begin(cdnNumber)}/attachments/${encodeURIComponent(name)}`);
  }

  /**
   * The address that the service or a CDN gave, at the configured host: signed addresses name other
   * hosts and schemes.
   *
   * @throws SealcastError ERR_SERVICE_REJECTED: it is none.
   */
  place(cdnNumber: number, given: string): URL {
    const begin = new URL(this.#begin(cdnNumber));
    let url: URL;
    try {
      url = new URL(given, begin);
    } catch {
      throw rejected('an upload form names no address');
    }
    const placed = new URL(begin.origin);
    placed.pathname = url.pathname;
    placed.search = url.search;
    return placed;
  }

  /**
   * Sends a request and gives its answer, whose body is not read yet. The caller reads or destroys
   * it.
   *
   * @throws CdnUnavailable; the signal's reason.
   */
  async send(what: CdnRequest, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { method, url, headers, body, answerBytes = 0 } = what;
    const { idleMs, minBytesPerSecond } = this.#patience;
    const bytes = (body?.bytes ?? 0) + answerBytes;
    const totalMs = BASE_MS + (bytes / minBytesPerSecond) * 1_000;
    const sent = request(url, {
      method,
      ca: this.#cdn.certificateAuthority,
      agent: false,
      // A form's header Host is not the name that the certificate is checked for.
      servername: isIP(url.hostname) === 0 ? url.hostname : '',
      headers: headersOf(headers, body?.bytes),
      signal,
    });
    const cancel = this.#clock.setTimeout(
      () => sent.destroy(new Error('the transfer is too slow')),
      totalMs,
    );
    sent.setTimeout(idleMs, () => sent.destroy(new Error('nothing came for too long')));
    sent.once('close', cancel);
    try {
      return await answerOf(sent, body?.parts);
    } catch (cause) {
      sent.destroy();
      if (signal.aborted) throw signal.reason;
      if (cause instanceof BodyError) throw cause.cause;
      throw new CdnUnavailable('the CDN could not be reached', { cause });
    }
  }

  #begin(cdnNumber: number): string {
    const begin = this.#cdn.urls[cdnNumber];
    if (begin === undefined || !this.has(cdnNumber))
      throw rejected(`no host is configured for CDN ${cdnNumber}`);
    return begin;
  }
}

export const rejected = (reason: string): SealcastError =>
  new SealcastError('ERR_SERVICE_REJECTED', `the attachment was not transferred: ${reason}`);

/** Error of what is sent, and none of the connection. */
class BodyError extends Error {}

function headersOf(
  given: CdnRequest['headers'],
  contentLength: number | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of given) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw rejected('an upload form has a malformed header');
    }
    if (!OWN_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = value;
  }
  if (contentLength !== undefined) headers['content-length'] = String(contentLength);
  return headers;
}

/** Writes the body no faster than it goes; ends early where the answer comes before its end. */
async function answerOf(
  sent: ClientRequest,
  parts: AsyncIterable<Uint8Array> | undefined,
): Promise<IncomingMessage> {
  const state = { hasAnswered: false };
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', reject);
    sent.once('close', () => reject(new Error('the connection was closed')));
  });
  const settled = answered.then(
    () => void (state.hasAnswered = true),
    () => void (state.hasAnswered = true),
  );
  const values = parts?.[Symbol.asyncIterator]();
  try {
    while (values !== undefined && !state.hasAnswered) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await values.next();
      } catch (cause) {
        throw new BodyError('the body failed', { cause });
      }
      if (next.done === true) break;
      if (!sent.write(next.value))
        await Promise.race([settled, new Promise((resolve) => sent.once('drain', resolve))]);
    }
  } finally {
    await values?.return?.(undefined);
  }
  if (!state.hasAnswered) sent.end();
  return answered;
}
