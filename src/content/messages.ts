import protobuf from 'protobufjs/light.js';
import { SealcastError } from '../errors.js';
import { hasMoreFieldsThan } from './field-scan.js';
import { SCHEMA } from './schema.js';

const root = protobuf.Root.fromJSON(SCHEMA);
root.resolveAll();

export const serviceEnvelopeMessage = root.lookupType('sealcast.Envelope');
export const contentMessage = root.lookupType('sealcast.Content');
export const pniSignatureMessage = root.lookupType('sealcast.PniSignatureMessage');
export const syncMessageMessage = root.lookupType('sealcast.SyncMessage');
export const storageManifestMessage = root.lookupType('sealcast.StorageManifest');
export const storageItemsMessage = root.lookupType('sealcast.StorageItems');
export const readOperationMessage = root.lookupType('sealcast.ReadOperation');
export const manifestRecordMessage = root.lookupType('sealcast.ManifestRecord');
export const storageRecordMessage = root.lookupType('sealcast.StorageRecord');
export const dataMessageMessage = root.lookupType('sealcast.DataMessage');
export const bodyRangeMessage = root.lookupType('sealcast.BodyRange');
export const quoteMessage = root.lookupType('sealcast.Quote');
export const previewMessage = root.lookupType('sealcast.Preview');
export const pollCreateMessage = root.lookupType('sealcast.PollCreate');
export const pollTerminateMessage = root.lookupType('sealcast.PollTerminate');
export const pollVoteMessage = root.lookupType('sealcast.PollVote');
export const preKeySignalMessage = root.lookupType('sealcast.PreKeySignalMessage');
export const senderKeyMessage = root.lookupType('sealcast.SenderKeyMessage');
export const senderKeyDistributionMessage = root.lookupType(
  'sealcast.SenderKeyDistributionMessage',
);
export const usmcMessage = root.lookupType('sealcast.UnidentifiedSenderMessage.Message');

/** Serializes fields that were checked already; fields that are undefined stay off the wire. */
export function serialize(message: protobuf.Type, fields: object): Uint8Array<ArrayBuffer> {
  // Copied, because protobufjs writes into a slab it shares among messages, and what leaves here
  // may be transferred.
  return new Uint8Array(message.encode(fields).finish());
}

/** Fields of an envelope, or of a ciphertext's frame: no schema of Signal has more than twenty. */
const MAX_FIELDS = 64;

/**
 * Parses bytes that a sender chose, in bounded time: more fields than `maxFields` are refused
 * before anything is decoded. Beyond that protobufjs keeps nothing of unknown fields, gives up on
 * groups nested more than 100 deep, and no type of the schema contains itself. A field that comes
 * again replaces the earlier one, or is merged into it.
 *
 * @param maxFields of the message and of the nested ones that the schema knows, together.
 * @throws SealcastError ERR_INVALID_ENVELOPE: the code of an envelope that cannot be opened, since
 *   its sender chose these bytes.
 */
export function parse(
  message: protobuf.Type,
  bytes: Uint8Array,
  maxFields = MAX_FIELDS,
): protobuf.Message {
  if (hasMoreFieldsThan(maxFields, message, bytes)) {
    throw new SealcastError(
      'ERR_INVALID_ENVELOPE',
      `a ${message.name} message with more than ${maxFields} fields`,
    );
  }
  try {
    return message.decode(bytes);
  } catch (cause) {
    throw new SealcastError('ERR_INVALID_ENVELOPE', `not a well-formed ${message.name} message`, {
      cause,
    });
  }
}

/**
 * The value of a field that was on the wire; undefined for one that was not (protobufjs would
 * answer its default).
 */
export function present(message: object, field: string): unknown {
  return Object.hasOwn(message, field) ? (message as Record<string, unknown>)[field] : undefined;
}

/** A copy of a field's bytes; undefined for one that was not on the wire. */
export function bytesOf(message: object, field: string): Uint8Array<ArrayBuffer> | undefined {
  const value = present(message, field) as Uint8Array | undefined;
  return value === undefined ? undefined : new Uint8Array(value);
}

/** A uint64 field; undefined for one that was not on the wire. */
export function uint64Of(message: object, field: string): bigint | undefined {
  const value = present(message, field);
  return value === undefined ? undefined : fromLong(value);
}

/** The fields that have a value. Its callers say what that makes of them. */
export function withoutUndefined(fields: Record<string, unknown>): object {
  // A loop: this is done several times a message, and entries are an array each.
  const present: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) present[name] = value;
  }
  return present;
}

/** A 64-bit integer in the form protobufjs writes exactly, whatever its size. */
export function toLong(value: bigint): { low: number; high: number; unsigned: true } {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: true,
  };
}

/**
 * The exact value of a uint64 that protobufjs read.
 *
 * protobufjs gives a Long where the `long` package is installed, else a number.
 */
export function fromLong(value: unknown): bigint {
  if (typeof value === 'number') return BigInt(value);
  const { low, high } = value as { low: number; high: number };
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
