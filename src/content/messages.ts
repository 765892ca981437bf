import protobuf from 'protobufjs/light.js';
import { SealcastError } from '../errors.js';
import { SCHEMA } from './schema.js';

const root = protobuf.Root.fromJSON(SCHEMA);
root.resolveAll();

export const serviceEnvelopeMessage = root.lookupType('sealcast.Envelope');
export const contentMessage = root.lookupType('sealcast.Content');
export const dataMessageMessage = root.lookupType('sealcast.DataMessage');
export const usmcMessage = root.lookupType('sealcast.UnidentifiedSenderMessage.Message');

/** Serializes fields that were checked already; fields that are undefined stay off the wire. */
export function serialize(message: protobuf.Type, fields: object): Uint8Array<ArrayBuffer> {
  // Copied, because protobufjs writes into a slab it shares among messages, and what leaves here may be transferred.
  return new Uint8Array(message.encode(fields).finish());
}

/**
 * Parses what a sender wrote. Whoever sealed a message chose these bytes, so failing to parse is that message's fault and
 * carries the code of an envelope that cannot be opened.
 */
export function parse(message: protobuf.Type, bytes: Uint8Array): protobuf.Message {
  try {
    return message.decode(bytes);
  } catch (cause) {
    throw new SealcastError('ERR_INVALID_ENVELOPE', `not a well-formed ${message.name} message`, { cause });
  }
}

/** The value of a field that was on the wire; undefined for one that was not (protobufjs would answer its default). */
export function present(message: object, field: string): unknown {
  return Object.hasOwn(message, field) ? (message as Record<string, unknown>)[field] : undefined;
}

/** A 64-bit integer in the form protobufjs writes exactly, whatever its size. */
export function toLong(value: bigint): { low: number; high: number; unsigned: true } {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: true };
}

/** The exact value of a uint64 that protobufjs read, as it does when the `long` package is there, or as a number. */
export function fromLong(value: unknown): bigint {
  if (typeof value === 'number') return BigInt(value);
  const { low, high } = value as { low: number; high: number };
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
