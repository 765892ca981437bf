import protobuf from 'protobufjs/light.js';
import { decode, encode, message, nameOf, nonEmpty } from './records.js';

/** In what a message came. `receipt`: the service says that a device took what we had sent it unsealed. */
export type EnvelopeType = 'prekey' | 'whisper' | 'sender-key' | 'plaintext' | 'receipt';

/** A message that was decrypted, and that nobody has dealt with yet. */
export interface InboxRecord {
  /** Service id. */
  readonly sender: string;
  readonly senderDevice: number;
  readonly sealed: boolean;
  /** ms since the epoch: as the sender has it, and as the service. */
  readonly timestamp: number;
  readonly serverTimestamp: number;
  readonly envelopeType: EnvelopeType;
  /** A serialized Content. */
  readonly content: Uint8Array;
  readonly groupId?: Uint8Array;
}

/** That a message could not be decrypted, to be told to whom it is from. */
export interface RetryRecord {
  /** Service id and device that sent the message. */
  readonly sender: string;
  readonly senderDevice: number;
  /** The message's, ms since the epoch. */
  readonly timestamp: number;
  /** A serialized PlaintextContent. */
  readonly message: Uint8Array;
  /** Whom a sealed message is to be sealed for, 33 bytes; absent where the message came unsealed. */
  readonly identityKey?: Uint8Array;
  readonly groupId?: Uint8Array;
}

const SCHEMA = {
  nested: {
    Inbox: message({
      sender: 'string',
      senderDevice: 'uint32',
      sealed: 'bool',
      timestamp: 'double',
      serverTimestamp: 'double',
      envelopeType: 'uint32',
      content: 'bytes',
      groupId: 'bytes',
    }),
    Retry: message({
      sender: 'string',
      senderDevice: 'uint32',
      timestamp: 'double',
      message: 'bytes',
      identityKey: 'bytes',
      groupId: 'bytes',
    }),
  },
};

const root = protobuf.Root.fromJSON(SCHEMA);
const INBOX = root.lookupType('Inbox');
const RETRY = root.lookupType('Retry');

// Numbered in their order: new ones go to the end.
const ENVELOPE_TYPES: readonly EnvelopeType[] = ['prekey', 'whisper', 'sender-key', 'plaintext', 'receipt'];

export function encodeInbox(row: InboxRecord): Uint8Array<ArrayBuffer> {
  return encode(INBOX, { ...row, envelopeType: ENVELOPE_TYPES.indexOf(row.envelopeType) });
}
export function decodeInbox(bytes: Uint8Array): InboxRecord {
  const wire = decode(INBOX, bytes);
  const groupId = nonEmpty(wire['groupId']);
  return {
    sender: wire['sender'] as string,
    senderDevice: wire['senderDevice'] as number,
    sealed: wire['sealed'] as boolean,
    timestamp: wire['timestamp'] as number,
    serverTimestamp: wire['serverTimestamp'] as number,
    envelopeType: nameOf(ENVELOPE_TYPES, wire['envelopeType'], 'type of an envelope'),
    content: wire['content'] as Uint8Array,
    ...(groupId !== undefined && { groupId }),
  };
}

export function encodeRetry(row: RetryRecord): Uint8Array<ArrayBuffer> {
  return encode(RETRY, row);
}
export function decodeRetry(bytes: Uint8Array): RetryRecord {
  const wire = decode(RETRY, bytes);
  const identityKey = nonEmpty(wire['identityKey']);
  const groupId = nonEmpty(wire['groupId']);
  return {
    sender: wire['sender'] as string,
    senderDevice: wire['senderDevice'] as number,
    timestamp: wire['timestamp'] as number,
    message: wire['message'] as Uint8Array,
    ...(identityKey !== undefined && { identityKey }),
    ...(groupId !== undefined && { groupId }),
  };
}
