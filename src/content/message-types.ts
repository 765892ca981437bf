import type { AttachmentPointer } from './attachment-pointer.js';
import type { BodyRange, Mention } from './text-ranges.js';

/** File of a message that is quoted. */
export interface QuotedAttachment {
  readonly contentType?: string;
  readonly fileName?: string;
  readonly thumbnail?: AttachmentPointer;
}

/** Message that is answered. */
export interface Quote {
  /** ACI of the sender of the quoted message. */
  readonly author: string;
  /** Of the quoted message, ms since the epoch. */
  readonly timestamp: number;
  /** Text of the quoted message, or its beginning: at most 2,048 bytes of UTF-8. */
  readonly text?: string;
  readonly bodyRanges?: readonly BodyRange[];
  readonly mentions?: readonly Mention[];
  readonly attachments?: readonly QuotedAttachment[];
}

/** Preview of a link in the text. */
export interface LinkPreview {
  /** As it is in the text. */
  readonly url: string;
  readonly title?: string;
  readonly description?: string;
  /** When the page was published, ms since the epoch. */
  readonly date?: number;
  readonly image?: AttachmentPointer;
}

/** Reaction to a message, or its removal. */
export interface MessageReaction {
  readonly emoji: string;
  readonly remove?: boolean;
  /** ACI of the sender of the message that is reacted to. */
  readonly author: string;
  /** Of that message, ms since the epoch. */
  readonly timestamp: number;
}

/** Question that recipients answer by choosing. */
export interface Poll {
  /** 1 to 100 characters. */
  readonly question: string;
  /** 2 to 10, each of 1 to 100 characters. */
  readonly options: readonly string[];
  readonly allowMultiple?: boolean;
}

/**
 * Message that is sent: to the recipients of a broadcast, as a reply, or as an edit.
 *
 * A message has a text (`body` or `markdown`), attachments, or both; or it is a `reaction` or a
 * `poll`, alone. A combination that no client shows is refused.
 *
 * @template Attachment form in which an attachment is given
 */
export interface OutgoingMessage<Attachment = AttachmentPointer> {
  /**
   * Text: not blank, without NUL, at most 64 KiB of UTF-8. Above {@link MAX_BODY_BYTES} (2,048),
   * which receivers' devices would drop unseen, the whole is an attachment, and the body its
   * beginning.
   */
  readonly body?: string;
  /**
   * Text with markup, in place of `body`: `**bold**`, `*italic*`, `~~strikethrough~~`,
   * `||spoiler||`, and monospace in backticks. Needs the optional package `markdown-it`.
   */
  readonly markdown?: string;
  /** Styles of `body`. Clients show 250 ranges, mentions included; more are refused. */
  readonly bodyRanges?: readonly BodyRange[];
  /**
   * Mentions, either each with its part of `body`; or without, each for the next U+FFFC in the
   * text, which is the character that clients put there.
   */
  readonly mentions?: readonly (Mention | Pick<Mention, 'aci'>)[];
  /** At most 32. Clients show the images and videos at the beginning, or else the first one. */
  readonly attachments?: readonly Attachment[];
  /** Preview of a link; its URL is in the text. Not together with attachments. */
  readonly preview?: LinkPreview;
  readonly quote?: Quote;
  readonly reaction?: MessageReaction;
  readonly poll?: Poll;
  /** Whether recipients can open the one attachment, an image or video, once. Without a text. */
  readonly viewOnce?: boolean;
  /**
   * Seconds until the message disappears once read; clients take it over for the conversation. 0:
   * messages stay. Default: the conversation's own timer.
   */
  readonly expireTimer?: number;
}

/** Vote in a poll of ours. A later vote of the same sender replaces it. */
export interface PollVote {
  /** ACI of the sender of the poll. */
  readonly author: string;
  /** Of the poll, ms since the epoch. */
  readonly timestamp: number;
  /** Places of the chosen options, from 0. */
  readonly options: readonly number[];
  /** One more with each vote of the sender. */
  readonly count: number;
}

/** File that came with a message. */
export interface ReceivedAttachment {
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
  readonly blurHash?: string;
  /** Where it is, and how it is decrypted; absent where a part of that is missing. */
  readonly pointer?: AttachmentPointer;
}

/** Part of a received message that is there and not read; see `content` and `contentBytes`. */
export type UnreadPart =
  | 'quote'
  | 'contact'
  | 'preview'
  | 'sticker'
  | 'bodyRanges'
  | 'payment'
  | 'storyContext'
  | 'giftBadge'
  | 'pollCreate'
  | 'pollVote'
  | 'pollTerminate'
  | 'reaction'
  | 'delete'
  | `field ${number}`;

/**
 * Message as it was received, in the shapes in which messages are sent. Times are ms since the
 * epoch.
 */
export interface MessageContent extends Omit<
  OutgoingMessage,
  'markdown' | 'mentions' | 'attachments' | 'viewOnce'
> {
  /** Text, or of a long one the beginning: see `text()` of the received message. */
  readonly body?: string;
  readonly mentions?: readonly Mention[];
  /** Without the attachment that a long text is in. */
  readonly attachments?: readonly ReceivedAttachment[];
  /** The attachment with the whole of a long text, whose beginning is the body. */
  readonly longText?: AttachmentPointer;
  readonly viewOnce?: true;
  readonly pollVote?: PollVote;
  /** Timestamp of a poll that its sender ended. */
  readonly pollEnd?: number;
  /** Timestamp of a message of the same sender that is to be deleted. */
  readonly deletes?: number;
  /** Timestamp of a message of the same sender that this one replaces. */
  readonly edits?: number;
  /** Absent where all parts were read. */
  readonly unread?: readonly UnreadPart[];
}
