import {
  checkBytes,
  checkBytesOfLength,
  checkNonEmptyBytes,
  checkObject,
  checkText,
  checkUint32,
  checkUint64,
  refuse,
} from './checks.js';
import { contentMessage, dataMessageMessage, fromLong, parse, present, serialize, toLong } from './messages.js';

const PROFILE_KEY_BYTES = 32;

/** A text and what goes with it, as a caller gives it. */
export interface DataMessageFields {
  readonly body?: string | undefined;
  readonly flags?: number | undefined;
  /** Seconds until the message disappears once read. */
  readonly expireTimer?: number | undefined;
  readonly expireTimerVersion?: number | undefined;
  readonly profileKey?: Uint8Array | undefined;
  /** Milliseconds since 1970; the same value that the envelope is sent with. */
  readonly timestamp?: number | bigint | undefined;
  readonly requiredProtocolVersion?: number | undefined;
}

/** What a ratchet message carries, as a caller gives it. */
export interface ContentFields {
  readonly dataMessage?: DataMessageFields | undefined;
  readonly senderKeyDistributionMessage?: Uint8Array | undefined;
  readonly decryptionErrorMessage?: Uint8Array | undefined;
}

/** A data message as it was read: a field is there if it was on the wire. */
export interface DataMessage {
  readonly body?: string;
  readonly flags?: number;
  readonly expireTimer?: number;
  readonly expireTimerVersion?: number;
  /** As the sender wrote it: its length is not checked. */
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  readonly timestamp?: bigint;
  readonly requiredProtocolVersion?: number;
}

/** What a ratchet message carried. */
export interface Content {
  readonly dataMessage?: DataMessage;
  readonly senderKeyDistributionMessage?: Uint8Array<ArrayBuffer>;
  readonly decryptionErrorMessage?: Uint8Array<ArrayBuffer>;
}

const UINT32_FIELDS = ['flags', 'expireTimer', 'expireTimerVersion', 'requiredProtocolVersion'] as const;

function dataMessageToWire(fields: DataMessageFields): object {
  const { body, profileKey, timestamp } = fields;
  if (body !== undefined) checkText('body', body);
  if (profileKey !== undefined) checkBytesOfLength('profileKey', profileKey, PROFILE_KEY_BYTES);
  const numbers: Record<string, number | undefined> = {};
  for (const name of UINT32_FIELDS) {
    const value = fields[name];
    if (value !== undefined) checkUint32(name, value);
    numbers[name] = value;
  }
  const timestampLong = timestamp === undefined ? undefined : toLong(checkUint64('timestamp', timestamp));
  return { body, profileKey, timestamp: timestampLong, ...numbers };
}

export function encodeDataMessage(fields: DataMessageFields): Uint8Array<ArrayBuffer> {
  checkObject('dataMessage', fields);
  return serialize(dataMessageMessage, dataMessageToWire(fields));
}

export function encodeContent(fields: ContentFields): Uint8Array<ArrayBuffer> {
  checkObject('content', fields);
  const { dataMessage, senderKeyDistributionMessage, decryptionErrorMessage } = fields;
  if (dataMessage !== undefined) checkObject('dataMessage', dataMessage);
  if (senderKeyDistributionMessage !== undefined) {
    checkNonEmptyBytes('senderKeyDistributionMessage', senderKeyDistributionMessage);
  }
  if (decryptionErrorMessage !== undefined) checkNonEmptyBytes('decryptionErrorMessage', decryptionErrorMessage);
  if (dataMessage === undefined && senderKeyDistributionMessage === undefined && decryptionErrorMessage === undefined) {
    refuse('content', 'must carry something');
  }
  // Receivers read the two as one choice and would drop the first.
  if (dataMessage !== undefined && decryptionErrorMessage !== undefined) {
    refuse('decryptionErrorMessage', 'cannot go together with a dataMessage');
  }
  return serialize(contentMessage, {
    dataMessage: dataMessage === undefined ? undefined : dataMessageToWire(dataMessage),
    senderKeyDistributionMessage,
    decryptionErrorMessage,
  });
}

function bytesOf(message: object, field: string): Uint8Array<ArrayBuffer> | undefined {
  const value = present(message, field) as Uint8Array | undefined;
  return value === undefined ? undefined : new Uint8Array(value);
}

function dataMessageFromWire(message: object): DataMessage {
  const timestamp = present(message, 'timestamp');
  const fields: Record<string, unknown> = {
    body: present(message, 'body'),
    profileKey: bytesOf(message, 'profileKey'),
    timestamp: timestamp === undefined ? undefined : fromLong(timestamp),
  };
  for (const name of UINT32_FIELDS) fields[name] = present(message, name);
  return withoutUndefined(fields);
}

/** Reads a Content; refuses what is not one with ERR_INVALID_ENVELOPE. */
export function decodeContent(contentBytes: Uint8Array): Content {
  checkBytes('contentBytes', contentBytes);
  const message = parse(contentMessage, contentBytes);
  const dataMessage = present(message, 'dataMessage');
  return withoutUndefined({
    dataMessage: dataMessage === undefined ? undefined : dataMessageFromWire(dataMessage as object),
    senderKeyDistributionMessage: bytesOf(message, 'senderKeyDistributionMessage'),
    decryptionErrorMessage: bytesOf(message, 'decryptionErrorMessage'),
  });
}

function withoutUndefined(fields: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
