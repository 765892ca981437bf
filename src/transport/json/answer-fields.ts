import { isRecord, jsonOf, type HttpAnswer } from '../mapping/http.js';
import type { Refusal } from '../transport.js';

/** An answer's JSON, or a part of it. */
export type Fields = Readonly<Record<string, unknown>>;

/** An answer of success whose body cannot be read. */
class Malformed extends Error {
  override readonly name = 'Malformed';
}

/**
 * Reads an answer: `read` takes the body's JSON. A malformed one is a refusal, for asking again
 * would give the same.
 */
export function readAnswer<T>(answer: HttpAnswer, read: (json: Fields) => T): T | Refusal {
  try {
    return read(record(jsonOf(answer), 'a body'));
  } catch (cause) {
    return { status: 'rejected', httpStatus: answer.status, cause };
  }
}

export function record(value: unknown, name: string): Fields {
  if (!isRecord(value)) throw new Malformed(`${name} is missing`);
  return value;
}

export function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Malformed(`${name} is missing`);
  return value;
}

export function number(json: Fields, name: string): number {
  const value = json[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new Malformed(`${name} is not a number of that kind`);
  return value as number;
}

export function text(json: Fields, name: string): string {
  const value = json[name];
  if (typeof value !== 'string' || value === '') throw new Malformed(`${name} is no text`);
  return value;
}

/** False where it is absent, as the service's own clients read it. */
export function flag(json: Fields, name: string): boolean {
  const value = json[name] ?? false;
  if (typeof value !== 'boolean') throw new Malformed(`${name} is neither true nor false`);
  return value;
}

/** The service writes base64 with padding or without. */
export function bytesOfBase64(
  value: unknown,
  name: string,
  length?: number,
): Uint8Array<ArrayBuffer> {
  if (typeof value !== 'string' || !/^[\w+/-]+={0,2}$/.test(value))
    throw new Malformed(`${name} is not base64`);
  const bytes = new Uint8Array(Buffer.from(value, 'base64'));
  if (length !== undefined && bytes.length !== length)
    throw new Malformed(`${name} is not ${length} bytes`);
  return bytes;
}

/** Undefined where it is absent, null or empty. */
export function optionalBytesOfBase64(
  value: unknown,
  name: string,
  length?: number,
): Uint8Array<ArrayBuffer> | undefined {
  return value === undefined || value === null || value === ''
    ? undefined
    : bytesOfBase64(value, name, length);
}

/**
 * With padding, which all of the service's parsers take: some of them refuse base64 without it,
 * none refuses it (Signal-Server: ByteArrayAdapter, ByteArrayBase64WithPaddingAdapter,
 * AbstractPublicKeyDeserializer; Jackson's own, 2026).
 */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Null, which the service reads as it does what is left out, where there is nothing. */
export function base64OrNull(bytes: Uint8Array | null | undefined): string | null {
  return bytes === undefined || bytes === null || bytes.length === 0 ? null : base64(bytes);
}
