import { SYSTEM_CLOCK } from '../../util/clock.js';
import { parseHttpDate, parseRetryAfterMs } from '../../util/service-wait.js';
import type { Refusal } from '../transport.js';

/**
 * The longest body that is read: what the service answers is kilobytes, and to parse more would
 * hold up the event loop.
 */
const MAX_JSON_BYTES = 1_024 * 1_024;
/**
 * How long to wait after a 429 that does not say, in ms. The service counts most of its limits by
 * the minute.
 */
export const DEFAULT_RETRY_AFTER_MS = 60_000;

/**
 * An answer of the service, as libsignal's raw `fetch` gives it. Header names are in lower case.
 */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | undefined;
}

/** A date in it is compared with the service's own clock where the answer tells it. */
function retryAfterMsOf({ headers }: HttpAnswer): number | undefined {
  const header = (wanted: string): string | undefined =>
    headers.find(([name]) => name.toLowerCase() === wanted)?.[1].trim();
  return parseRetryAfterMs(
    header('retry-after'),
    parseHttpDate(header('date')) ?? SYSTEM_CLOCK.now(),
  );
}

/** 499: the service takes nothing any more from a client of this version. */
export const CLIENT_TOO_OLD = 499;

/** The body's JSON, or undefined where there is none that can be read. */
export function jsonOf({ body }: HttpAnswer): unknown {
  if (body === undefined || body.byteLength > MAX_JSON_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    // The error would name what the body said.
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function arrayOf<T>(
  value: unknown,
  isOne: (entry: unknown) => entry is T,
): readonly T[] | undefined {
  return Array.isArray(value) && value.every(isOne) ? value : undefined;
}
const isString = (value: unknown): value is string => typeof value === 'string';

/**
 * Device ids are 1 to 127 (Signal-Server: Device.MAXIMUM_DEVICE_ID); a list is not longer than
 * there are ids.
 */
const MAX_DEVICE_ID = 127;

function deviceIdsOf(value: unknown): readonly number[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_DEVICE_ID) return undefined;
  const ids = new Set(value as readonly unknown[]);
  for (const id of ids) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 1 || id > MAX_DEVICE_ID)
      return undefined;
  }
  return [...ids] as number[];
}

/**
 * @returns undefined where the lists are no lists of device ids: each id costs a session step, so
 *   strangers' numbers are not acted on.
 */
export function mismatchedDevices(lists: {
  readonly missing: unknown;
  readonly extra: unknown;
  readonly stale: unknown;
}): Extract<Refusal, { status: 'mismatched-devices' }> | undefined {
  const missing = deviceIdsOf(lists.missing);
  const extra = deviceIdsOf(lists.extra);
  const stale = deviceIdsOf(lists.stale);
  if (missing === undefined || extra === undefined || stale === undefined) return undefined;
  // A sender that acted on an answer without a device would ask the same again. (libsignal refuses
  // to read one, too.)
  if (missing.length + extra.length + stale.length === 0) return undefined;
  return { status: 'mismatched-devices', missing, extra, stale };
}

function mismatched(json: unknown): Refusal | undefined {
  if (!isRecord(json)) return undefined;
  const { missingDevices = [], extraDevices = [], staleDevices = [] } = json;
  return mismatchedDevices({ missing: missingDevices, extra: extraDevices, stale: staleDevices });
}

function challenge(json: unknown): Refusal {
  const { token, options } = isRecord(json) ? json : {};
  return {
    status: 'challenge',
    token: isString(token) ? token : '',
    options: arrayOf(options, isString) ?? [],
  };
}

/**
 * The refusal that an unsuccessful answer means; the numbers are those of the service's chat API.
 */
export function refusalOfAnswer(answer: HttpAnswer, cause?: unknown): Refusal {
  const { status } = answer;
  const retryAfterMs = retryAfterMsOf(answer);
  const withCause = cause === undefined ? {} : { cause };
  const rejected: Refusal = { status: 'rejected', httpStatus: status, ...withCause };
  switch (status) {
    case 401:
    case 403:
      return { status: 'unauthorized' };
    case 404:
      return { status: 'not-found' };
    case 409:
    case 410:
      return mismatched(jsonOf(answer)) ?? rejected;
    case 413:
      return { status: 'too-large' };
    case 428:
      return { ...challenge(jsonOf(answer)), ...(retryAfterMs !== undefined && { retryAfterMs }) };
    case 429:
      return { status: 'rate-limited', retryAfterMs: retryAfterMs ?? DEFAULT_RETRY_AFTER_MS };
    // Loop detected: the service's own routing is at fault for this request, and asking again adds
    // to the loop.
    case 508:
      return rejected;
    default:
      if (status < 500) return rejected;
      return {
        status: 'unavailable',
        httpStatus: status,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
        ...withCause,
      };
  }
}
