import {
  checkBytesOfLength,
  checkNonEmptyBytes,
  checkObject,
  checkText,
  checkUint32,
  checkUint64,
  refuse,
} from './checks.js';
import { contentMessage, dataMessageMessage, serialize, toLong } from './messages.js';

export const PROFILE_KEY_BYTES = 32;

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

/** Content of a ratchet message, as the caller gives it. */
export interface ContentFields {
  readonly dataMessage?: DataMessageFields | undefined;
  readonly senderKeyDistributionMessage?: Uint8Array | undefined;
  readonly decryptionErrorMessage?: Uint8Array | undefined;
}

export const UINT32_FIELDS = [
  'flags',
  'expireTimer',
  'expireTimerVersion',
  'requiredProtocolVersion',
] as const;

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
  const timestampLong =
    timestamp === undefined ? undefined : toLong(checkUint64('timestamp', timestamp));
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
  if (decryptionErrorMessage !== undefined)
    checkNonEmptyBytes('decryptionErrorMessage', decryptionErrorMessage);
  if (
    dataMessage === undefined &&
    senderKeyDistributionMessage === undefined &&
    decryptionErrorMessage === undefined
  ) {
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
