import { SealcastError, type SealcastErrorCode } from '../errors.js';

/** @throws SealcastError, always, with one of the codes of an import. */
export function fail(
  code: Extract<SealcastErrorCode, `ERR_IMPORT_${string}`>,
  message: string,
  field?: string,
): never {
  throw new SealcastError(
    code,
    `import from signal-cli: ${message}`,
    field === undefined ? {} : { field },
  );
}

/** @throws SealcastError ERR_IMPORT_DAMAGED, always; the message repeats nothing of the value. */
export function failPart(name: string, expected: string): never {
  return fail('ERR_IMPORT_DAMAGED', `${name} is not ${expected}`, name);
}

/**
 * Object of a JSON file, whose members are checked as they are read.
 *
 * Errors name the member, and never repeat its value: most are secret.
 */
export class JsonPart {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      failPart(path === '' ? 'the file' : path, 'a JSON object');
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  /** @throws SealcastError ERR_IMPORT_DAMAGED */
  static parse(text: string, file: string): JsonPart {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // The parser's own message repeats a part of the file.
      failPart(file, 'well-formed JSON');
    }
    return new JsonPart(value);
  }

  /** The member as it is; undefined where it is absent or null. */
  raw(name: string): unknown {
    return this.#values[name] ?? undefined;
  }

  part(name: string): JsonPart {
    return new JsonPart(this.raw(name), this.#nameOf(name));
  }

  parts(name: string): JsonPart[] {
    const values = this.raw(name);
    if (!Array.isArray(values)) failPart(this.#nameOf(name), 'an array');
    return values.map((value, i) => new JsonPart(value, `${this.#nameOf(name)}[${i}]`));
  }

  optionalText(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') failPart(this.#nameOf(name), 'a text');
    return value;
  }

  text(name: string): string {
    return this.optionalText(name) ?? failPart(this.#nameOf(name), 'a text');
  }

  optionalInteger(name: string, min: number, max: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      failPart(this.#nameOf(name), `an integer from ${min} to ${max}`);
    return value;
  }

  integer(name: string, min: number, max: number): number {
    return (
      this.optionalInteger(name, min, max) ??
      failPart(this.#nameOf(name), `an integer from ${min} to ${max}`)
    );
  }

  /** @param lengthBytes of the decoded value; undefined: any */
  optionalBytes(name: string, lengthBytes?: number): Uint8Array<ArrayBuffer> | undefined {
    const text = this.optionalText(name);
    if (text === undefined) return undefined;
    const bytes = new Uint8Array(Buffer.from(text, 'base64'));
    const isRight = lengthBytes === undefined ? bytes.length > 0 : bytes.length === lengthBytes;
    if (!isRight) failPart(this.#nameOf(name), `${lengthBytes ?? 'some'} bytes in base64`);
    return bytes;
  }

  bytes(name: string, lengthBytes: number): Uint8Array<ArrayBuffer> {
    return (
      this.optionalBytes(name, lengthBytes) ??
      failPart(this.#nameOf(name), `${lengthBytes} bytes in base64`)
    );
  }

  #nameOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}
