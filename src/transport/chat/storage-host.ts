import { request } from 'node:https';
import { refuse } from '../arguments.js';
import { refusalOfAnswer, type HttpAnswer } from '../mapping/http.js';
import type { Refusal } from '../transport.js';
import type { StorageOutcome } from '../account-transport.js';

/** Signal's storage service, which is no part of the chat service. */
export interface StorageService {
  /** Begin of its addresses: `https://`, a host, and a path if there is one. */
  readonly url: string;
  /** Certificate authority of the host, PEM. No other one is trusted. */
  readonly certificateAuthority: string;
}

/** User name and password for the storage service, which the chat service gives out. */
export interface StorageLogin {
  readonly username: string;
  readonly password: string;
}

/** A request to the storage service. */
export interface StorageRequest {
  readonly verb: 'GET' | 'PUT';
  readonly path: string;
  readonly body?: Uint8Array;
}

/** The largest answer that is read: a manifest of 100,000 items takes 3 MB. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const PROTOBUF = 'application/x-protobuf';

/** @throws SealcastError ERR_INVALID_ARGUMENT */
export function checkStorage(storage: StorageService | undefined): StorageService | undefined {
  if (storage === undefined) return undefined;
  const { url, certificateAuthority } = storage as Partial<Record<keyof StorageService, unknown>>;
  if (typeof url !== 'string' || !url.startsWith('https://') || !URL.canParse(url))
    refuse('storage.url', 'an https:// address');
  if (typeof certificateAuthority !== 'string') refuse('storage.certificateAuthority', 'a PEM');
  return { url: url.replace(/\/+$/, ''), certificateAuthority };
}

/** Sends one request over a connection of its own. Rejects only when the signal fires. */
export async function askStorage(
  service: StorageService,
  login: StorageLogin,
  what: StorageRequest,
  signal: AbortSignal,
): Promise<StorageOutcome> {
  let answer: HttpAnswer;
  try {
    answer = await send(service, login, what, signal);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    return { status: 'unavailable', cause };
  }
  if (answer.status === 204) return { status: 'unchanged' };
  if (answer.status !== 200) return refusalOf(answer);
  return { status: 'ok', body: Uint8Array.from(answer.body ?? []) };
}

const refusalOf = (answer: HttpAnswer): Refusal => refusalOfAnswer(answer);

function send(
  { url, certificateAuthority }: StorageService,
  { username, password }: StorageLogin,
  { verb, path, body }: StorageRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = newPromise<HttpAnswer>();
  const options = {
    method: verb,
    ca: certificateAuthority,
    agent: false,
    auth: `${username}:${password}`,
    headers: {
      accept: PROTOBUF,
      ...(body !== undefined && { 'content-type': PROTOBUF, 'content-length': body.length }),
    },
    signal,
  };
  const sent = request(`${url}${path}`, options, (response) => {
    const parts: Buffer[] = [];
    let length = 0;
    response.on('data', (part: Buffer) => {
      length += part.length;
      parts.push(part);
      if (length > MAX_BODY_BYTES) response.destroy(new Error('the answer is too long'));
    });
    response.once('error', reject);
    response.once('end', () => {
      const { statusCode = 0, headers } = response;
      resolve({
        status: statusCode,
        headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
        body: new Uint8Array(Buffer.concat(parts)),
      });
    });
  });
  sent.once('error', reject);
  sent.end(body);
  return promise;
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function newPromise<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
