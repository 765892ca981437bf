import type protobuf from 'protobufjs/light.js';
import { LONG_TEXT_TYPE, type AttachmentPointer } from './attachment-pointer.js';
import { ATTACHMENT_KEY_BYTES, CLIENT_UUID_BYTES, DIGEST_BYTES } from './check-pointer.js';
import { MAX_RANGES } from './check-ranges.js';
import { unknownFieldIds } from './field-scan.js';
import { MAX_TIMESTAMP_MS } from './limits.js';
import {
  bodyRangeMessage,
  bytesOf,
  contentMessage,
  dataMessageMessage,
  parse,
  pollCreateMessage,
  pollTerminateMessage,
  pollVoteMessage,
  present,
  previewMessage,
  quoteMessage,
  syncMessageMessage,
  uint64Of,
  withoutUndefined,
} from './messages.js';
import type {
  LinkPreview,
  MessageContent,
  MessageReaction,
  Poll,
  PollVote,
  Quote,
  QuotedAttachment,
  ReceivedAttachment,
  UnreadPart,
} from './message-types.js';
import { isThere, MAX_CONTENT_FIELDS, readAttachment, within } from './read-content.js';
import { aciOf } from './service-ids.js';
import { byStart, TEXT_STYLES, type BodyRange, type Mention } from './text-ranges.js';

/** Parts that no field of a message's content is for. */
const NEVER_READ = ['contact', 'sticker', 'payment', 'storyContext', 'giftBadge'] as const;
const DEFAULT_TYPE = 'application/octet-stream';

/** A DataMessage, and where it was found. */
interface FoundMessage {
  readonly message: object;
  /** Fields of it that the schema does not name. */
  readonly unknownIds: readonly number[];
  /** Timestamp of the message that it replaces. */
  readonly edits?: number | undefined;
}

/** Numbers of the fields that lead to a data message. */
const IN_CONTENT = { message: [1], edit: [11, 2] };
const IN_TRANSCRIPT = { message: [1, 3], edit: [1, 10, 2] };

/**
 * Reads the message in a Content: one to us, an edit, or the transcript of one that another device
 * of ours sent.
 *
 * @returns undefined where there is none.
 * @throws SealcastError ERR_INVALID_ENVELOPE: the bytes are no Content.
 */
export function readMessage(contentBytes: Uint8Array): MessageContent | undefined {
  const content = parse(contentMessage, contentBytes, MAX_CONTENT_FIELDS);
  const syncBytes = present(content, 'syncMessage') as Uint8Array | undefined;
  const found =
    findMessage(content, 'dataMessage', contentBytes, IN_CONTENT) ??
    (syncBytes && findInTranscript(syncBytes));
  return found && readParts(found);
}

function findInTranscript(bytes: Uint8Array): FoundMessage | undefined {
  const sync = readPart(syncMessageMessage, bytes);
  const sent = sync && present(sync, 'sent');
  return sent ? findMessage(sent, 'message', bytes, IN_TRANSCRIPT) : undefined;
}

function findMessage(
  around: object,
  field: string,
  bytes: Uint8Array,
  paths: { readonly message: readonly number[]; readonly edit: readonly number[] },
): FoundMessage | undefined {
  const unknownIn = (path: readonly number[]): number[] =>
    unknownFieldIds(bytes, dataMessageMessage, path);
  const message = present(around, field) as object | undefined;
  if (message !== undefined) return { message, unknownIds: unknownIn(paths.message) };
  const edit = present(around, 'editMessage') as object | undefined;
  const edited = edit && (present(edit, 'dataMessage') as object | undefined);
  if (edit === undefined || edited === undefined) return undefined;
  const edits = timeOf(edit, 'targetSentTimestamp');
  return { message: edited, unknownIds: unknownIn(paths.edit), edits };
}

/** Undefined for a part that is malformed: it spoils no other. */
function readPart(type: protobuf.Type, bytes: Uint8Array): object | undefined {
  try {
    return parse(type, bytes, MAX_CONTENT_FIELDS);
  } catch {
    return undefined;
  }
}

/** ms since the epoch; undefined where no date is so late. */
function timeOf(message: object, field: string): number | undefined {
  const value = uint64Of(message, field);
  return value === undefined || value > MAX_TIMESTAMP_MS ? undefined : Number(value);
}

const textOf = (message: object, field: string): string | undefined =>
  present(message, field) as string | undefined;
const flagOf = (message: object, field: string): true | undefined =>
  present(message, field) === true ? true : undefined;
const listOf = (message: object, field: string): readonly unknown[] =>
  (present(message, field) as readonly unknown[] | undefined) ?? [];

function readParts({ message, unknownIds, edits }: FoundMessage): MessageContent {
  const unread: UnreadPart[] = NEVER_READ.filter((part) => isThere(message, part));
  /** Reads a part that is there; one that cannot be read is named. */
  const read = <Read>(
    part: Extract<UnreadPart, string>,
    field: string,
    reader: (value: never) => Read | undefined,
  ): Read | undefined => {
    if (!isThere(message, field)) return undefined;
    const value = reader(present(message, field) as never);
    if (value === undefined) unread.push(part);
    return value;
  };
  const body = textOf(message, 'body');
  const ranges = readRanges(listOf(message, 'bodyRanges') as Uint8Array[], body ?? '');
  if (!ranges.isWhole) unread.push('bodyRanges');
  const { attachments, longText } = readAttachments(listOf(message, 'attachments') as object[]);
  const parts = {
    body,
    bodyRanges: ranges.bodyRanges,
    mentions: ranges.mentions,
    attachments,
    longText,
    preview: read('preview', 'preview', (all: readonly Uint8Array[]) =>
      readPreview(all, body ?? ''),
    ),
    quote: read('quote', 'quote', readQuote),
    reaction: read('reaction', 'reaction', readReaction),
    poll: read('pollCreate', 'pollCreate', readPoll),
    pollVote: read('pollVote', 'pollVote', readVote),
    pollEnd: read('pollTerminate', 'pollTerminate', (bytes: Uint8Array) => {
      const end = readPart(pollTerminateMessage, bytes);
      return end && timeOf(end, 'targetSentTimestamp');
    }),
    deletes: read('delete', 'delete', (inner: object) => timeOf(inner, 'targetSentTimestamp')),
    edits,
    viewOnce: flagOf(message, 'isViewOnce'),
    expireTimer: present(message, 'expireTimer'),
  };
  unread.push(...unknownIds.map((id): UnreadPart => `field ${id}`));
  return withoutUndefined({ ...parts, unread: unread.length > 0 ? unread : undefined });
}

interface ReadRanges {
  readonly bodyRanges?: readonly BodyRange[] | undefined;
  readonly mentions?: readonly Mention[] | undefined;
  /** Whether all were read. */
  readonly isWhole: boolean;
}

/** The first ranges, as many as clients read, without those that go beyond the text. */
function readRanges(all: readonly Uint8Array[], text: string): ReadRanges {
  const bodyRanges: BodyRange[] = [];
  const mentions: Mention[] = [];
  for (const bytes of all.slice(0, MAX_RANGES)) {
    const range = readPart(bodyRangeMessage, bytes);
    if (range === undefined) continue;
    const start = (present(range, 'start') as number | undefined) ?? 0;
    const length = (present(range, 'length') as number | undefined) ?? 0;
    if (length === 0 || start + length > text.length) continue;
    const aci = authorOf(range, 'mentionAci');
    const style = TEXT_STYLES[((present(range, 'style') as number | undefined) ?? 0) - 1];
    if (aci !== undefined) mentions.push({ start, length, aci });
    else if (style !== undefined) bodyRanges.push({ start, length, style });
  }
  return {
    bodyRanges: bodyRanges.length > 0 ? bodyRanges.sort(byStart) : undefined,
    mentions: mentions.length > 0 ? mentions.sort(byStart) : undefined,
    isWhole: bodyRanges.length + mentions.length === all.length,
  };
}

/** ACI of a field that comes as a string, in binary, or as both. */
const authorOf = (message: object, field: string): string | undefined =>
  aciOf(textOf(message, field), present(message, `${field}Binary`) as Uint8Array | undefined);

function readAttachments(all: readonly object[]): {
  readonly attachments?: readonly ReceivedAttachment[] | undefined;
  readonly longText?: AttachmentPointer | undefined;
} {
  const read = all.map((message): ReceivedAttachment => ({
    ...readAttachment(message),
    ...withoutUndefined({ blurHash: textOf(message, 'blurHash'), pointer: pointerOf(message) }),
  }));
  const longText = read.find(
    ({ contentType, pointer }) => contentType === LONG_TEXT_TYPE && pointer !== undefined,
  );
  const attachments = read.filter((each) => each !== longText);
  return {
    attachments: attachments.length > 0 ? attachments : undefined,
    longText: longText?.pointer,
  };
}

/** @returns undefined where a part is missing without which the file cannot be had. */
function pointerOf(message: object): AttachmentPointer | undefined {
  const cdnKey = textOf(message, 'cdnKey');
  const cdnId = uint64Of(message, 'cdnId');
  const key = bytesOf(message, 'key');
  const digest = bytesOf(message, 'digest');
  const size = present(message, 'size') as number | undefined;
  const hasKey = cdnKey !== undefined && cdnKey !== '';
  if (!hasKey && (cdnId === undefined || cdnId === 0n)) return undefined;
  if (key?.length !== ATTACHMENT_KEY_BYTES || digest?.length !== DIGEST_BYTES) return undefined;
  if (size === undefined) return undefined;
  const clientUuid = bytesOf(message, 'clientUuid');
  const incrementalMac = bytesOf(message, 'incrementalMac');
  const chunkSize = present(message, 'chunkSize') as number | undefined;
  const isIncremental = incrementalMac !== undefined && chunkSize !== undefined && chunkSize > 0;
  return withoutUndefined({
    cdnKey: hasKey ? cdnKey : undefined,
    cdnId: hasKey ? undefined : cdnId,
    cdnNumber: present(message, 'cdnNumber') ?? 0,
    key,
    digest,
    size,
    contentType: textOf(message, 'contentType') ?? DEFAULT_TYPE,
    fileName: textOf(message, 'fileName'),
    width: present(message, 'width'),
    height: present(message, 'height'),
    blurHash: textOf(message, 'blurHash'),
    flags: present(message, 'flags'),
    uploadTimestampMs: timeOf(message, 'uploadTimestamp'),
    incrementalMac: isIncremental ? incrementalMac : undefined,
    chunkSize: isIncremental ? chunkSize : undefined,
    clientUuid: clientUuid?.length === CLIENT_UUID_BYTES ? clientUuid : undefined,
  }) as AttachmentPointer;
}

/** The preview of a link in the text: any other could say what it wants of a link. */
function readPreview(all: readonly Uint8Array[], body: string): LinkPreview | undefined {
  for (const bytes of all) {
    const preview = readPart(previewMessage, bytes);
    const url = preview && textOf(preview, 'url');
    if (preview === undefined || url === undefined || url === '' || !body.includes(url)) continue;
    return withoutUndefined({
      url,
      title: textOf(preview, 'title'),
      description: textOf(preview, 'description'),
      date: timeOf(preview, 'date'),
      image: within(preview, 'image', pointerOf),
    }) as LinkPreview;
  }
  return undefined;
}

function readQuote(bytes: Uint8Array): Quote | undefined {
  const quote = readPart(quoteMessage, bytes);
  const author = quote && authorOf(quote, 'authorAci');
  const timestamp = quote && timeOf(quote, 'id');
  if (quote === undefined || author === undefined || timestamp === undefined) return undefined;
  const text = textOf(quote, 'text');
  const { bodyRanges, mentions } = readRanges(
    listOf(quote, 'bodyRanges') as Uint8Array[],
    text ?? '',
  );
  const attachments = (listOf(quote, 'attachments') as object[]).map((file): QuotedAttachment =>
    withoutUndefined({
      contentType: textOf(file, 'contentType'),
      fileName: textOf(file, 'fileName'),
      thumbnail: within(file, 'thumbnail', pointerOf),
    }),
  );
  return withoutUndefined({
    author,
    timestamp,
    text,
    bodyRanges,
    mentions,
    attachments: attachments.length > 0 ? attachments : undefined,
  }) as Quote;
}

function readReaction(reaction: object): MessageReaction | undefined {
  const emoji = textOf(reaction, 'emoji');
  const author = authorOf(reaction, 'targetAuthorAci');
  const timestamp = timeOf(reaction, 'targetSentTimestamp');
  if (emoji === undefined || author === undefined || timestamp === undefined) return undefined;
  const remove = flagOf(reaction, 'remove');
  return { emoji, author, timestamp, ...(remove && { remove }) };
}

function readPoll(bytes: Uint8Array): Poll | undefined {
  const poll = readPart(pollCreateMessage, bytes);
  const question = poll && textOf(poll, 'question');
  if (poll === undefined || question === undefined) return undefined;
  const allowMultiple = flagOf(poll, 'allowMultiple');
  const options = listOf(poll, 'options') as string[];
  return { question, options, ...(allowMultiple && { allowMultiple }) };
}

function readVote(bytes: Uint8Array): PollVote | undefined {
  const vote = readPart(pollVoteMessage, bytes);
  const author = vote && authorOf(vote, 'targetAuthorAci');
  const timestamp = vote && timeOf(vote, 'targetSentTimestamp');
  if (vote === undefined || author === undefined || timestamp === undefined) return undefined;
  const count = (present(vote, 'voteCount') as number | undefined) ?? 0;
  return { author, timestamp, options: listOf(vote, 'optionIndexes') as number[], count };
}
