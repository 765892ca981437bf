import protobuf from 'protobufjs/light.js';
import { SealcastError } from '../errors.js';
import { SCHEMA } from './storage-schema.js';

const root = protobuf.Root.fromJSON(SCHEMA);
root.resolveAll();

/** Decoded message; an absent field has its type's default. */
export type Wire = Readonly<Record<string, unknown>>;

/** One kind of record, as storage.proto defines it. */
export class RecordType {
  readonly #type: protobuf.Type;

  constructor(name: string) {
    this.#type = root.lookupType(`sealcast.storage.${name}`);
  }

  /** Fields that are undefined stay off the wire. */
  encode(fields: object): Uint8Array<ArrayBuffer> {
    // Copied: protobufjs writes into a slab that it shares among messages.
    return new Uint8Array(this.#type.encode(fields).finish());
  }

  /** @throws SealcastError ERR_STORE_FAILED */
  decode(bytes: Uint8Array): Wire {
    try {
      return this.#type.decode(bytes);
    } catch (cause) {
      throw new SealcastError(
        'ERR_STORE_FAILED',
        `the store holds no well-formed ${this.#type.name} record`,
        {
          cause,
        },
      );
    }
  }
}

/**
 * Checks a fact that holds for every record that was written.
 *
 * @throws SealcastError ERR_STORE_FAILED: it does not hold, so the record is damaged.
 */
export function assertWhole(isWhole: boolean, name: string): asserts isWhole {
  if (!isWhole)
    throw new SealcastError('ERR_STORE_FAILED', `the store holds a damaged ${name} record`);
}

/** Names in place of an enum's numbers: `SENDER_KEY` is `sender-key`. */
export class EnumNames<Name extends string> {
  readonly #what: string;
  readonly #names = new Map<unknown, Name>();
  readonly #numbers = new Map<Name, number>();

  /**
   * @param path of the enum in storage.proto
   * @param what the enum is of, for the error message
   */
  constructor(path: string, what: string) {
    this.#what = what;
    for (const [key, number] of Object.entries(
      root.lookupEnum(`sealcast.storage.${path}`).values,
    )) {
      const name = key.toLowerCase().replaceAll('_', '-') as Name;
      this.#names.set(number, name);
      this.#numbers.set(name, number);
    }
  }

  numberOf(name: Name): number {
    const number = this.#numbers.get(name);
    if (number === undefined)
      throw new SealcastError('ERR_STORE_FAILED', `storage.proto has no ${this.#what} ${name}`);
    return number;
  }

  /**
   * @throws SealcastError ERR_STORE_FAILED: a later version wrote the number, or the record is
   *   damaged.
   */
  nameOf(number: unknown): Name {
    const name = this.#names.get(number);
    if (name === undefined)
      throw new SealcastError('ERR_STORE_FAILED', `the store holds an unknown ${this.#what}`);
    return name;
  }
}

/** Maps an empty field to undefined: protobufjs decodes an absent field as an empty one. */
export const nonEmpty = (value: unknown): Uint8Array | undefined =>
  (value as Uint8Array).length === 0 ? undefined : (value as Uint8Array);
