import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SealcastError } from '../../errors.js';
import { parseHttpDate, parseRetryAfterMs } from '../../util/service-wait.js';
import { CdnUnavailable, rejected } from './cdn-client.js';

/** Permission to upload one blob, as it is kept for an upload that goes on later. */
export interface UploadPermit {
  readonly cdnNumber: number;
  readonly cdnKey: string;
  readonly uploadUrl: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A blob, which can be read from any byte on. */
export interface UploadBlob {
  readonly bytes: number;
  read(start: number): AsyncIterable<Uint8Array>;
}

/** The permit or the begun upload is no longer valid: the service must give another form. */
export class PermitGone extends Error {
  override readonly name = 'PermitGone';
}

/** Place of one blob on a CDN. */
export interface UploadTarget {
  /**
   * Uploads what the CDN does not have yet.
   *
   * @returns whether the CDN has all of it; false where it took a part, and is to be asked again.
   * @throws CdnUnavailable, PermitGone; SealcastError ERR_ATTACHMENT_TOO_LARGE,
   *   ERR_SERVICE_REJECTED; the signal's reason.
   */
  upload(blob: UploadBlob, signal: AbortSignal): Promise<boolean>;
  /** Bytes that the CDN said it has. */
  readonly offset: number;
}

/** Takes the answer's head; its body is of no interest. */
export function headOf(answer: IncomingMessage): IncomingMessage {
  answer.on('error', () => undefined);
  answer.destroy();
  return answer;
}

/** The error of an answer that is none of those that a step expects. */
export function uploadError({ statusCode = 0, headers }: IncomingMessage): Error {
  switch (statusCode) {
    case 401:
    case 403:
    case 404:
    case 410:
      return new PermitGone(`the CDN answered ${statusCode}`);
    case 413:
      return new SealcastError(
        'ERR_ATTACHMENT_TOO_LARGE',
        'the CDN takes no attachment of this length',
      );
    case 408:
    case 429:
      return unavailable(statusCode, headers);
    default:
      return statusCode >= 500
        ? unavailable(statusCode, headers)
        : rejected(`the CDN answered ${statusCode}`);
  }
}

function unavailable(status: number, headers: IncomingHttpHeaders): CdnUnavailable {
  // A date is compared with the CDN's own; without one, the project's waits have to do.
  const nowMs = parseHttpDate(headers.date) ?? Infinity;
  const retryAfterMs = parseRetryAfterMs(headers['retry-after'], nowMs);
  return new CdnUnavailable(`the CDN answered ${status}`, { retryAfterMs });
}

/** A number of bytes that the CDN says it has. @throws SealcastError ERR_SERVICE_REJECTED */
export function checkOffset(given: unknown, blobBytes: number): number {
  const offset = typeof given === 'string' && /^\d{1,16}$/.test(given) ? Number(given) : -1;
  if (offset < 0 || offset > blobBytes) throw rejected('the CDN told an impossible offset');
  return offset;
}
