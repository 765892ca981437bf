import { ATTACHMENT_FLAG, LONG_TEXT_TYPE } from './attachment-pointer.js';
import { UINT32_FIELDS } from './content.js';
import { unknownFieldIds } from './field-scan.js';
import {
  bytesOf,
  contentMessage,
  dataMessageMessage,
  fromLong,
  parse,
  present,
  uint64Of,
  withoutUndefined,
} from './messages.js';
import { aciOf } from './service-ids.js';

/** The group that a message is for. */
export interface GroupContext {
  /** As the sender wrote it: its length is not checked. */
  readonly masterKey?: Uint8Array<ArrayBuffer>;
  readonly revision?: number;
  /** A serialized, signed GroupChange. */
  readonly groupChange?: Uint8Array<ArrayBuffer>;
}

/** Reaction to a message, or its removal. */
export interface Reaction {
  readonly emoji?: string;
  readonly remove?: boolean;
  /** Lower case; absent where it was none. */
  readonly targetAuthorAci?: string;
  readonly targetSentTimestamp?: bigint;
}

/**
 * A file that came with a message, as its sender describes it; the file itself is stored elsewhere.
 */
export interface AttachmentFacts {
  /** MIME type. */
  readonly contentType?: string;
  /** Length of the file, bytes. */
  readonly sizeBytes?: number;
  /** A text that the sender chose: no path to write to. */
  readonly fileName?: string;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  readonly caption?: string;
  readonly voiceMessage?: true;
  readonly borderless?: true;
  readonly gif?: true;
}

const PARTS = [
  'quote',
  'contact',
  'preview',
  'sticker',
  'bodyRanges',
  'payment',
  'storyContext',
  'giftBadge',
  'pollCreate',
] as const;

/**
 * Part of a message that was there and is not among the fields here: a reply's quote, a contact
 * card, a link preview, a sticker, styles and mentions (in the body a mention is U+FFFC), a
 * payment, the story that is replied to, a gift badge, a poll; or a field without a name.
 * `message` of the received message has quotes, previews, styles, mentions and polls, and
 * `contentBytes` has all of them.
 */
export type UnsupportedPart = (typeof PARTS)[number] | `field ${number}`;

/** A data message as it was read: a field is there if it was on the wire. */
export interface DataMessage {
  /** The text; of a longer one its beginning, see {@link truncated}. */
  readonly body?: string;
  /**
   * True where the body is the beginning of a longer text that came as an attachment. The
   * attachment has the type `text/x-signal-plain`.
   */
  readonly truncated?: true;
  /** Pictures, voice notes, files; the long text too. */
  readonly attachments?: readonly AttachmentFacts[];
  /** Parts that were there and are not among these fields. */
  readonly unsupported?: readonly UnsupportedPart[];
  /** See DATA_MESSAGE_FLAG. */
  readonly flags?: number;
  /** Seconds until the message disappears once read. */
  readonly expireTimer?: number;
  readonly expireTimerVersion?: number;
  /** As the sender wrote it: its length is not checked. */
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  readonly timestamp?: bigint;
  readonly requiredProtocolVersion?: number;
  readonly isViewOnce?: boolean;
  /** Absent in a message to us alone. */
  readonly groupV2?: GroupContext;
  readonly reaction?: Reaction;
  readonly delete?: { readonly targetSentTimestamp?: bigint };
  /**
   * True if it does something to other messages, and is none itself: a vote, the end of a poll, a
   * pin, a group's call.
   */
  readonly isAct?: true;
}

/** Kind of a receipt. */
export type ReceiptType = 'delivery' | 'read' | 'viewed';

/** Receipt for messages that the account sent. */
export interface ReceiptMessage {
  /** A number where this version does not know it. */
  readonly type: ReceiptType | number;
  /** Our messages that the receipt is about, by the ms they were sent with. Some 8,000 at most. */
  readonly timestamps: readonly bigint[];
}

/** Sign that the sender has started or stopped typing. */
export interface TypingMessage {
  readonly timestamp?: bigint;
  /** A number where this version does not know it. */
  readonly action: 'started' | 'stopped' | number;
  readonly groupId?: Uint8Array<ArrayBuffer>;
}

/** Story, without its text. */
export interface StoryMessage {
  /** As the sender wrote it: its length is not checked. */
  readonly profileKey?: Uint8Array<ArrayBuffer>;
  readonly allowsReplies?: boolean;
  /** The story's picture or video. */
  readonly attachments?: readonly AttachmentFacts[];
  /** A story that is a text is not read. */
  readonly unsupported?: readonly 'textAttachment'[];
}

/** Replacement of a message that was sent before. */
export interface EditMessage {
  readonly targetSentTimestamp?: bigint;
  readonly dataMessage?: DataMessage;
}

/**
 * Content of a received ratchet message: a field is there if it was on the wire. Bytes are a
 * serialized message of that name.
 */
export interface Content {
  readonly dataMessage?: DataMessage;
  readonly syncMessage?: Uint8Array<ArrayBuffer>;
  readonly callMessage?: Uint8Array<ArrayBuffer>;
  readonly nullMessage?: true;
  readonly receiptMessage?: ReceiptMessage;
  readonly typingMessage?: TypingMessage;
  readonly senderKeyDistributionMessage?: Uint8Array<ArrayBuffer>;
  readonly decryptionErrorMessage?: Uint8Array<ArrayBuffer>;
  readonly storyMessage?: StoryMessage;
  readonly pniSignatureMessage?: Uint8Array<ArrayBuffer>;
  readonly editMessage?: EditMessage;
}

export const RECEIPT_TYPES: readonly ReceiptType[] = ['delivery', 'read', 'viewed'];
const TYPING_ACTIONS = ['started', 'stopped'] as const;
const ACTS = [
  'groupCallUpdate',
  'pollTerminate',
  'pollVote',
  'pinMessage',
  'unpinMessage',
  'adminDelete',
] as const;

/**
 * The name of an enum's value, or the number that has none. An absent field is 0, as protobuf has
 * it.
 */
function nameOf<Name extends string>(
  names: readonly Name[],
  message: object,
  field: string,
): Name | number {
  const value = (present(message, field) as number | undefined) ?? 0;
  return names[value] ?? value;
}

/** The field read in its turn; undefined for one that was not on the wire. */
export function within<Read>(
  message: object,
  field: string,
  read: (inner: object) => Read,
): Read | undefined {
  const inner = present(message, field) as object | undefined;
  return inner === undefined ? undefined : read(inner);
}

function readGroup(message: object): GroupContext {
  return withoutUndefined({
    masterKey: bytesOf(message, 'masterKey'),
    revision: present(message, 'revision'),
    groupChange: bytesOf(message, 'groupChange'),
  });
}

function readReaction(message: object): Reaction {
  const text = present(message, 'targetAuthorAci') as string | undefined;
  const binary = present(message, 'targetAuthorAciBinary') as Uint8Array | undefined;
  return withoutUndefined({
    emoji: present(message, 'emoji'),
    remove: present(message, 'remove'),
    targetAuthorAci: aciOf(text, binary),
    targetSentTimestamp: uint64Of(message, 'targetSentTimestamp'),
  });
}

function readDelete(message: object): object {
  return withoutUndefined({ targetSentTimestamp: uint64Of(message, 'targetSentTimestamp') });
}

export function readAttachment(message: object): AttachmentFacts {
  const flags = (present(message, 'flags') as number | undefined) ?? 0;
  const facts: Record<string, unknown> = { sizeBytes: present(message, 'size') };
  for (const name of ['contentType', 'fileName', 'width', 'height', 'caption'])
    facts[name] = present(message, name);
  for (const [name, bit] of Object.entries(ATTACHMENT_FLAG))
    facts[name] = (flags & bit) !== 0 || undefined;
  return withoutUndefined(facts);
}

/** Whether a field was on the wire, once at least where it may repeat. */
export function isThere(message: object, field: string): boolean {
  const value = present(message, field);
  return value !== undefined && !(Array.isArray(value) && value.length === 0);
}

/** @param unknownIds fields that the schema does not name */
export function readDataMessage(message: object, unknownIds: readonly number[]): DataMessage {
  const pointers = (present(message, 'attachments') as readonly object[] | undefined) ?? [];
  const attachments = pointers.map(readAttachment);
  const unsupported: UnsupportedPart[] = [
    ...PARTS.filter((part) => isThere(message, part)),
    ...unknownIds.map((id): UnsupportedPart => `field ${id}`),
  ];
  const fields: Record<string, unknown> = {
    body: present(message, 'body'),
    truncated: attachments.some(({ contentType }) => contentType === LONG_TEXT_TYPE) || undefined,
    attachments: attachments.length > 0 ? attachments : undefined,
    unsupported: unsupported.length > 0 ? unsupported : undefined,
    profileKey: bytesOf(message, 'profileKey'),
    timestamp: uint64Of(message, 'timestamp'),
    isViewOnce: present(message, 'isViewOnce'),
    groupV2: within(message, 'groupV2', readGroup),
    reaction: within(message, 'reaction', readReaction),
    delete: within(message, 'delete', readDelete),
    isAct: ACTS.some((act) => present(message, act) !== undefined) || undefined,
  };
  for (const name of UINT32_FIELDS) fields[name] = present(message, name);
  return withoutUndefined(fields);
}

function readReceipt(message: object): ReceiptMessage {
  const timestamps = (present(message, 'timestamp') as readonly unknown[] | undefined) ?? [];
  return { type: nameOf(RECEIPT_TYPES, message, 'type'), timestamps: timestamps.map(fromLong) };
}

function readTyping(message: object): TypingMessage {
  return {
    action: nameOf(TYPING_ACTIONS, message, 'action'),
    ...withoutUndefined({
      timestamp: uint64Of(message, 'timestamp'),
      groupId: bytesOf(message, 'groupId'),
    }),
  };
}

function readStory(message: object): StoryMessage {
  return withoutUndefined({
    profileKey: bytesOf(message, 'profileKey'),
    allowsReplies: present(message, 'allowsReplies'),
    attachments: within(message, 'fileAttachment', (file) => [readAttachment(file)]),
    unsupported: present(message, 'textAttachment') === undefined ? undefined : ['textAttachment'],
  });
}

export function readEdit(message: object, unknownIds: readonly number[]): EditMessage {
  return withoutUndefined({
    targetSentTimestamp: uint64Of(message, 'targetSentTimestamp'),
    dataMessage: within(message, 'dataMessage', (inner) => readDataMessage(inner, unknownIds)),
  });
}

/**
 * Fields of a Content and the messages in it. Signal's clients put some hundreds of timestamps into
 * a receipt (Signal-Android: SendReadReceiptJob, 500; 2026); everything else has dozens.
 */
export const MAX_CONTENT_FIELDS = 8_192;
/** Numbers of the fields that lead to a data message. */
const DATA_MESSAGE = 1;
const EDIT_MESSAGE = 11;
const EDITED = 2;

/** Reads a Content of any form; refuses what is not one with ERR_INVALID_ENVELOPE. */
export function readContent(contentBytes: Uint8Array): Content {
  const message = parse(contentMessage, contentBytes, MAX_CONTENT_FIELDS);
  const unknownIn = (path: readonly number[]): number[] =>
    unknownFieldIds(contentBytes, dataMessageMessage, path);
  return withoutUndefined({
    dataMessage: within(message, 'dataMessage', (inner) =>
      readDataMessage(inner, unknownIn([DATA_MESSAGE])),
    ),
    syncMessage: bytesOf(message, 'syncMessage'),
    callMessage: bytesOf(message, 'callMessage'),
    nullMessage: present(message, 'nullMessage') === undefined ? undefined : true,
    receiptMessage: within(message, 'receiptMessage', readReceipt),
    typingMessage: within(message, 'typingMessage', readTyping),
    senderKeyDistributionMessage: bytesOf(message, 'senderKeyDistributionMessage'),
    decryptionErrorMessage: bytesOf(message, 'decryptionErrorMessage'),
    storyMessage: within(message, 'storyMessage', readStory),
    pniSignatureMessage: bytesOf(message, 'pniSignatureMessage'),
    editMessage: within(message, 'editMessage', (inner) =>
      readEdit(inner, unknownIn([EDIT_MESSAGE, EDITED])),
    ),
  });
}
