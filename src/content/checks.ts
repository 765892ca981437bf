import { SealcastError } from '../errors.js';

const UINT32_MAX = 0xffff_ffff;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

function refuse(field: string, message: string): never {
  throw new SealcastError('ERR_INVALID_ARGUMENT', `${field} ${message}`, { field });
}

export function checkObject(field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) refuse(field, 'must be an object');
}

export function checkBytes(field: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) refuse(field, 'must be a Uint8Array');
}

export function checkNonEmptyBytes(field: string, value: unknown): asserts value is Uint8Array {
  checkBytes(field, value);
  if (value.length === 0) refuse(field, 'must not be empty');
}

export function checkBytesOfLength(field: string, value: unknown, lengthBytes: number): void {
  checkBytes(field, value);
  if (value.length !== lengthBytes)
    refuse(field, `must be ${lengthBytes} bytes long, not ${value.length}`);
}

export function checkText(field: string, value: unknown): void {
  if (typeof value !== 'string') refuse(field, 'must be a string');
  // A lone surrogate has no UTF-8 form: every reader would reject the whole message.
  if (/\p{Surrogate}/u.test(value)) refuse(field, 'must be well-formed Unicode');
}

export function checkUint32(field: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > UINT32_MAX) {
    refuse(field, 'must be an integer from 0 to 2^32 - 1');
  }
}

/** A uint64 as a number up to 2^53 - 1 (numbers are exact up to there) or as any bigint. */
export function checkUint64(field: string, value: unknown): bigint {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0)
      refuse(field, 'must be an integer from 0 to 2^53 - 1, or a bigint');
    return BigInt(value);
  }
  if (typeof value !== 'bigint') refuse(field, 'must be a number or a bigint');
  if (value < 0n || value > UINT64_MAX) refuse(field, 'must be from 0 to 2^64 - 1');
  return value;
}

export function checkOneOf(
  field: string,
  value: unknown,
  allowed: readonly (string | number)[],
): void {
  if (!allowed.some((candidate) => candidate === value))
    refuse(field, `must be one of ${allowed.join(', ')}`);
}

export { refuse };
