import { SealcastError } from '../errors.js';
import { checkNames } from '../util/known-names.js';
import { uuidOfText } from './service-ids.js';
import { MAX_TIMESTAMP_MS } from './limits.js';

/**
 * Fields of an object that a caller gave, read once each: what was checked is what is used. Every
 * method returns undefined for a field that is absent, and throws ERR_INVALID_ARGUMENT for one that
 * is not as it should be.
 */
export class GivenFields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #index: number | undefined;

  /**
   * @param path of the object within the call.
   * @param names that the object may have.
   * @param index of the object, where it is an entry of a list.
   */
  constructor(value: unknown, path: string, names: Readonly<Record<string, true>>, index?: number) {
    this.#path = path;
    this.#index = index;
    if (typeof value !== 'object' || value === null) throw this.#error(path, 'an object');
    checkNames(value, names, path, index);
    const values: Record<string, unknown> = {};
    for (const name of Object.keys(names)) values[name] = (value as Record<string, unknown>)[name];
    this.#values = values;
  }

  #error(field: string, expected: string): SealcastError {
    const place = this.#index === undefined ? field : `entry ${this.#index}: ${field}`;
    const facts = this.#index === undefined ? { field } : { field, index: this.#index };
    return new SealcastError('ERR_INVALID_ARGUMENT', `${place} must be ${expected}`, facts);
  }

  refuse(name: string, expected: string): never {
    throw this.#error(this.pathOf(name), expected);
  }

  pathOf(name: string): string {
    return `${this.#path}.${name}`;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  value(name: string): unknown {
    return this.#values[name];
  }

  /** Names of `names` that are there. */
  present<Name extends string>(names: readonly Name[]): Name[] {
    return names.filter((name) => this.has(name));
  }

  /** The value, which must be there. */
  required<T>(name: string, value: T | undefined, expected: string): T {
    return value ?? this.refuse(name, expected);
  }

  /** Well-formed text without NUL. @param maxBytes of UTF-8 */
  text(name: string, maxBytes: number): string | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || !value.isWellFormed() || value.includes('\0'))
      return this.refuse(name, 'a string of well-formed Unicode without NUL');
    if (Buffer.byteLength(value) > maxBytes)
      return this.refuse(name, `at most ${maxBytes} bytes of UTF-8`);
    return value;
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      return this.refuse(name, `an integer from ${min} to ${max}`);
    // Not -0, which is no other number on the wire.
    return value + 0;
  }

  timestamp(name: string): number | undefined {
    return this.integer(name, 1, MAX_TIMESTAMP_MS);
  }

  /** True; undefined for false too. */
  flag(name: string): true | undefined {
    const value = this.#values[name];
    if (value !== undefined && typeof value !== 'boolean')
      return this.refuse(name, 'true or false');
    return value === true ? true : undefined;
  }

  /** Lower case. */
  aci(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    const uuid = typeof value === 'string' ? uuidOfText(value) : undefined;
    return uuid ?? this.refuse(name, 'an ACI: a UUID');
  }

  /** A copy. @param length of them; default: any but none */
  bytes(name: string, length?: number): Uint8Array<ArrayBuffer> | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    const isRight =
      value instanceof Uint8Array &&
      (length === undefined ? value.length > 0 : value.length === length);
    return isRight
      ? new Uint8Array(value)
      : this.refuse(name, length === undefined ? 'bytes' : `${length} bytes`);
  }

  /** A copy. */
  list(name: string, min: number, max: number): unknown[] | undefined {
    const value = this.#values[name];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length < min || value.length > max)
      return this.refuse(name, `a list of ${min === max ? min : `${min} to ${max}`}`);
    return [...(value as unknown[])];
  }
}
