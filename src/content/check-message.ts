import type { NamesOf } from '../util/known-names.js';
import type { AttachmentPointer } from './attachment-pointer.js';
import {
  checkPoll,
  checkPreview,
  checkQuote,
  checkReaction,
  MAX_ATTACHMENTS,
} from './check-extras.js';
import { checkPointer } from './check-pointer.js';
import { checkRangeCount, checkRanges } from './check-ranges.js';
import { GivenFields } from './given-fields.js';
import { checkText, MAX_BODY_BYTES, MAX_EXPIRE_TIMER } from './limits.js';
import { splitLongText, type SplitText } from './long-text.js';
import { parseMarkdown } from './markdown.js';
import type {
  LinkPreview,
  MessageReaction,
  OutgoingMessage,
  Poll,
  Quote,
} from './message-types.js';
import { withoutUndefined } from './messages.js';
import { byStart, type TextRange } from './text-ranges.js';

/** Message that was checked, ready to be encoded. */
export interface CheckedMessage<Attachment = AttachmentPointer> {
  /** Of a long text the beginning. */
  readonly body?: string;
  /** Styles and mentions of the body, in order. */
  readonly ranges?: readonly TextRange[];
  /** UTF-8 of a text that is longer than a body: it is uploaded, and becomes an attachment. */
  readonly longText?: Uint8Array<ArrayBuffer>;
  readonly attachments?: readonly Attachment[];
  readonly preview?: LinkPreview;
  readonly quote?: Quote;
  readonly reaction?: MessageReaction;
  readonly poll?: Poll;
  readonly viewOnce?: true;
  readonly expireTimer?: number;
}

const NAMES = {
  body: true,
  markdown: true,
  bodyRanges: true,
  mentions: true,
  attachments: true,
  preview: true,
  quote: true,
  reaction: true,
  poll: true,
  viewOnce: true,
  expireTimer: true,
} as const satisfies NamesOf<OutgoingMessage>;
type Name = keyof typeof NAMES;

/** Longest Markdown that is parsed, bytes: markup and all. */
const MAX_MARKDOWN_BYTES = 4 * 64 * 1024;

/**
 * Names that a message may not have together: the first of a row, which is refused, with any of the
 * rest.
 */
const EXCLUSIVE: readonly (readonly [Name, readonly Name[]])[] = [
  ['markdown', ['body']],
  // Markdown has its own.
  ['bodyRanges', ['markdown']],
  ['reaction', (Object.keys(NAMES) as Name[]).filter((name) => name !== 'reaction')],
  [
    'poll',
    (Object.keys(NAMES) as Name[]).filter((name) => name !== 'poll' && name !== 'expireTimer'),
  ],
  ['viewOnce', ['body', 'markdown', 'preview']],
  // Clients make a preview of a text alone.
  ['preview', ['attachments']],
];

/** Rules that a message is checked by. */
export interface MessageRules<Attachment> {
  /** Longest text, bytes of UTF-8. */
  readonly maxTextBytes: number;
  /** Checks an attachment, of an index in the message's list. */
  readonly checkAttachment: (value: unknown, index: number) => Attachment;
  /** Content type of an attachment; undefined where only its upload will tell. */
  readonly contentTypeOf: (attachment: Attachment) => string | undefined;
}

/** Rules of a message whose attachments were uploaded before. */
export const POINTER_RULES: MessageRules<AttachmentPointer> = {
  maxTextBytes: MAX_BODY_BYTES,
  checkAttachment: (value, index) => checkPointer(value, 'message.attachments', index),
  contentTypeOf: ({ contentType }) => contentType,
};

/**
 * Checks a message as a caller gave it.
 *
 * @throws SealcastError ERR_INVALID_ARGUMENT: a field is not as it should be, or cannot go together
 *   with another, which the message names; ERR_MESSAGE_TOO_LARGE: the text; ERR_NOT_IMPLEMENTED:
 *   there is no parser for `markdown`.
 */
export function checkMessage<Attachment>(
  message: unknown,
  rules: MessageRules<Attachment>,
): CheckedMessage<Attachment> {
  const given = new GivenFields(message, 'message', NAMES);
  const viewOnce = given.flag('viewOnce');
  checkTogether(given, viewOnce);
  const attachments = checkAttachments(given, rules);
  if (viewOnce !== undefined) checkViewOnce(given, attachments, rules);
  const reaction = given.has('reaction') ? checkReaction(given.value('reaction')) : undefined;
  const poll = given.has('poll') ? checkPoll(given.value('poll')) : undefined;
  const text = checkTextParts(given, rules.maxTextBytes, {
    isOptional: attachments !== undefined || reaction !== undefined || poll !== undefined,
  });
  return withoutUndefined({
    body: text?.body,
    ranges: text === undefined || text.ranges.length === 0 ? undefined : text.ranges,
    longText: text?.longText,
    attachments,
    preview: given.has('preview')
      ? checkPreview(given.value('preview'), text?.body ?? '')
      : undefined,
    quote: given.has('quote') ? checkQuote(given.value('quote')) : undefined,
    reaction,
    poll,
    viewOnce,
    expireTimer: given.integer('expireTimer', 0, MAX_EXPIRE_TIMER),
  });
}

function checkTogether(given: GivenFields, viewOnce: true | undefined): void {
  for (const [name, others] of EXCLUSIVE) {
    if (name === 'viewOnce' ? viewOnce === undefined : !given.has(name)) continue;
    const [other] = given.present(others.filter((each) => each !== 'viewOnce' || viewOnce));
    if (other !== undefined) given.refuse(name, `alone: it cannot go together with ${other}`);
  }
  if (given.has('body') || given.has('markdown')) return;
  for (const name of given.present(['bodyRanges', 'mentions', 'preview']))
    given.refuse(name, 'together with a text');
}

function checkAttachments<Attachment>(
  given: GivenFields,
  { checkAttachment }: MessageRules<Attachment>,
): Attachment[] | undefined {
  const attachments = given.list('attachments', 0, MAX_ATTACHMENTS)?.map(checkAttachment);
  return attachments?.length === 0 ? undefined : attachments;
}

function checkViewOnce<Attachment>(
  given: GivenFields,
  attachments: readonly Attachment[] | undefined,
  { contentTypeOf }: MessageRules<Attachment>,
): void {
  const [only] = attachments ?? [];
  const type = only === undefined ? undefined : contentTypeOf(only);
  if (attachments?.length !== 1 || (type !== undefined && !/^(?:image|video)\//i.test(type)))
    given.refuse('viewOnce', 'together with one attachment, an image or video');
}

/** @returns undefined where the message has no text. */
function checkTextParts(
  given: GivenFields,
  maxBytes: number,
  { isOptional }: { readonly isOptional: boolean },
): SplitText | undefined {
  const isMarkup = given.has('markdown');
  if (!isMarkup && !given.has('body') && isOptional) return undefined;
  const source = isMarkup ? 'markdown' : 'body';
  const field = given.pathOf(source);
  const value = checkText(given.value(source), field, isMarkup ? MAX_MARKDOWN_BYTES : maxBytes);
  const { text, ranges: styles = [] } = isMarkup ? parseMarkdown(value) : { text: value };
  if (isMarkup) checkText(text, field, maxBytes);
  const { bodyRanges, mentions } = checkRanges({ given, text, isMarkup });
  const ranges = [...styles, ...bodyRanges, ...mentions].sort(byStart);
  const split = splitLongText(text, ranges);
  const rangesField = given.present(['bodyRanges', 'mentions'])[0] ?? source;
  checkRangeCount(split.ranges.length, given.pathOf(rangesField));
  return split;
}
