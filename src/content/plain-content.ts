import { checkBytes } from './checks.js';
import { LENGTH_DELIMITED, PlainFields, VARINT } from './plain-fields.js';
import {
  readContent,
  RECEIPT_TYPES,
  type Content,
  type DataMessage,
  type ReceiptMessage,
} from './read-content.js';

/**
 * Fields of a message up to which it is read here. Fields that come again and again are left to the
 * reader that counts them.
 */
const MAX_FIELDS = 1_024;

/** Numbers of fields, see signal.proto. */
const CONTENT = { dataMessage: 1, receiptMessage: 5 } as const;
const DATA = {
  body: 1,
  flags: 4,
  expireTimer: 5,
  profileKey: 6,
  timestamp: 7,
  requiredProtocolVersion: 12,
  isViewOnce: 14,
  expireTimerVersion: 23,
} as const;
const RECEIPT = { type: 1, timestamp: 2 } as const;

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Reads a Content; refuses what is not one with ERR_INVALID_ENVELOPE. */
export function decodeContent(contentBytes: Uint8Array): Content {
  checkBytes('contentBytes', contentBytes);
  return readPlainContent(contentBytes) ?? readContent(contentBytes);
}

/**
 * Reads a Content that is a text or a receipt alone, in the form in which encoders write it.
 *
 * @returns undefined for any other Content, and for bytes that are none.
 */
function readPlainContent(bytes: Uint8Array): Content | undefined {
  const fields = new PlainFields(bytes, 0, bytes.length);
  if (!fields.next() || fields.wireType !== LENGTH_DELIMITED) return undefined;
  const { id, start, end } = fields;
  // One field alone.
  if (end !== bytes.length) return undefined;
  if (id === CONTENT.dataMessage) {
    const dataMessage = readData(new PlainFields(bytes, start, end));
    return dataMessage && { dataMessage };
  }
  if (id !== CONTENT.receiptMessage) return undefined;
  const receiptMessage = readReceipt(new PlainFields(bytes, start, end));
  return receiptMessage && { receiptMessage };
}

function readData(fields: PlainFields): DataMessage | undefined {
  const message: Writable<DataMessage> = {};
  for (let count = 0; fields.next(); count++) {
    if (count === MAX_FIELDS || !takeData(fields, message)) return undefined;
  }
  return fields.isWhole ? message : undefined;
}

/** Takes a field of a text; `false` where it is not one of those that are read here. */
function takeData(fields: PlainFields, message: Writable<DataMessage>): boolean {
  if (fields.wireType === LENGTH_DELIMITED) {
    if (fields.id === DATA.profileKey) {
      message.profileKey = Uint8Array.from(fields.view());
      return true;
    }
    if (fields.id !== DATA.body) return false;
    const body = fields.text();
    if (body === undefined) return false;
    message.body = body;
    return true;
  }
  if (fields.id === DATA.timestamp) {
    message.timestamp = fields.uint64;
    return true;
  }
  if (!fields.isSmall) return false;
  switch (fields.id) {
    case DATA.flags:
      message.flags = fields.low;
      return true;
    case DATA.expireTimer:
      message.expireTimer = fields.low;
      return true;
    case DATA.requiredProtocolVersion:
      message.requiredProtocolVersion = fields.low;
      return true;
    case DATA.expireTimerVersion:
      message.expireTimerVersion = fields.low;
      return true;
    case DATA.isViewOnce:
      message.isViewOnce = fields.low !== 0;
      return true;
    default:
      return false;
  }
}

function readReceipt(fields: PlainFields): ReceiptMessage | undefined {
  let type = 0;
  const timestamps: bigint[] = [];
  for (let count = 0; fields.next(); count++) {
    if (count === MAX_FIELDS || fields.wireType !== VARINT) return undefined;
    if (fields.id === RECEIPT.timestamp) timestamps.push(fields.uint64);
    else if (fields.id === RECEIPT.type && fields.isSmall) type = fields.low;
    else return undefined;
  }
  return fields.isWhole ? { type: RECEIPT_TYPES[type] ?? type, timestamps } : undefined;
}
