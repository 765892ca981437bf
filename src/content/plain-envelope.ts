import { checkBytes } from './checks.js';
import { LENGTH_DELIMITED, PlainFields, VARINT } from './plain-fields.js';
import { readEnvelope, type ServiceEnvelope } from './service-envelope.js';

/** Fields up to which an Envelope is read here; there are sixteen, and some that are not read. */
const MAX_FIELDS = 32;

/** Tags of fields, see signal.proto. */
const NUMBER = {
  type: 1 * 8 + VARINT,
  clientTimestamp: 5 * 8 + VARINT,
  sourceDeviceId: 7 * 8 + VARINT,
  serverTimestamp: 10 * 8 + VARINT,
  ephemeral: 12 * 8 + VARINT,
  urgent: 14 * 8 + VARINT,
  story: 16 * 8 + VARINT,
} as const;
const TEXT = {
  serverGuid: 9 * 8 + LENGTH_DELIMITED,
  sourceServiceId: 11 * 8 + LENGTH_DELIMITED,
  destinationServiceId: 13 * 8 + LENGTH_DELIMITED,
  updatedPni: 15 * 8 + LENGTH_DELIMITED,
} as const;
const BYTES = {
  content: 8 * 8 + LENGTH_DELIMITED,
  sourceServiceIdBinary: 19 * 8 + LENGTH_DELIMITED,
  destinationServiceIdBinary: 20 * 8 + LENGTH_DELIMITED,
  serverGuidBinary: 21 * 8 + LENGTH_DELIMITED,
  updatedPniBinary: 22 * 8 + LENGTH_DELIMITED,
} as const;
/** A field of another wire type than its own is left to the other reader. */
const KNOWN_IDS: ReadonlySet<number> = new Set(
  [NUMBER, TEXT, BYTES].flatMap((tags) => Object.values(tags).map((tag) => tag >>> 3)),
);
const EMPTY = new Uint8Array(0);

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/**
 * Reads what the service delivered; refuses what is not an Envelope with ERR_INVALID_ENVELOPE. The
 * content may be a view of the input.
 */
export function decodeServiceEnvelope(envelopeBytes: Uint8Array): ServiceEnvelope {
  checkBytes('envelopeBytes', envelopeBytes);
  return readPlainEnvelope(envelopeBytes) ?? readEnvelope(envelopeBytes);
}

/**
 * Reads an Envelope in the form in which encoders write it.
 *
 * @returns undefined for any other bytes. The bytes in it are views of the input.
 */
function readPlainEnvelope(bytes: Uint8Array): ServiceEnvelope | undefined {
  const fields = new PlainFields(bytes, 0, bytes.length);
  const envelope: Writable<ServiceEnvelope> = { type: 0, content: EMPTY };
  for (let count = 0; fields.next(); count++) {
    if (count === MAX_FIELDS || !take(fields, envelope)) return undefined;
  }
  return fields.isWhole ? envelope : undefined;
}

/** Takes a field; `false` where its value is not one that encoders write. */
function take(fields: PlainFields, envelope: Writable<ServiceEnvelope>): boolean {
  switch (fields.id * 8 + fields.wireType) {
    case NUMBER.type:
      envelope.type = fields.low;
      return fields.isSmall;
    case NUMBER.clientTimestamp:
      envelope.clientTimestamp = fields.uint64;
      return true;
    case NUMBER.sourceDeviceId:
      envelope.sourceDeviceId = fields.low;
      return fields.isSmall;
    case BYTES.content:
      envelope.content = fields.view();
      return true;
    case NUMBER.serverTimestamp:
      envelope.serverTimestamp = fields.uint64;
      return true;
    case NUMBER.ephemeral:
      envelope.ephemeral = fields.low !== 0;
      return fields.isSmall;
    case NUMBER.urgent:
      envelope.urgent = fields.low !== 0;
      return fields.isSmall;
    case NUMBER.story:
      envelope.story = fields.low !== 0;
      return fields.isSmall;
    case BYTES.sourceServiceIdBinary:
      envelope.sourceServiceIdBinary = fields.view();
      return true;
    case BYTES.destinationServiceIdBinary:
      envelope.destinationServiceIdBinary = fields.view();
      return true;
    case BYTES.serverGuidBinary:
      envelope.serverGuidBinary = fields.view();
      return true;
    case BYTES.updatedPniBinary:
      envelope.updatedPniBinary = fields.view();
      return true;
    default:
      return takeText(fields, envelope);
  }
}

function takeText(fields: PlainFields, envelope: Writable<ServiceEnvelope>): boolean {
  const tag = fields.id * 8 + fields.wireType;
  // The service says more than is read here.
  if (!KNOWN_IDS.has(fields.id)) return true;
  const text = fields.wireType === LENGTH_DELIMITED ? fields.text() : undefined;
  if (text === undefined) return false;
  if (tag === TEXT.serverGuid) envelope.serverGuid = text;
  else if (tag === TEXT.sourceServiceId) envelope.sourceServiceId = text;
  else if (tag === TEXT.destinationServiceId) envelope.destinationServiceId = text;
  else if (tag === TEXT.updatedPni) envelope.updatedPni = text;
  else return false;
  return true;
}
