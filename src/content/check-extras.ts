import type { NamesOf } from '../util/known-names.js';
import { checkPointer } from './check-pointer.js';
import { checkRangeCount, checkRanges } from './check-ranges.js';
import { GivenFields } from './given-fields.js';
import { MAX_BODY_BYTES } from './limits.js';
import { withoutUndefined } from './messages.js';
import type {
  LinkPreview,
  MessageReaction,
  Poll,
  Quote,
  QuotedAttachment,
} from './message-types.js';

const QUOTE_NAMES = {
  author: true,
  timestamp: true,
  text: true,
  bodyRanges: true,
  mentions: true,
  attachments: true,
} as const satisfies NamesOf<Quote>;
const QUOTED_NAMES = {
  contentType: true,
  fileName: true,
  thumbnail: true,
} as const satisfies NamesOf<QuotedAttachment>;
const PREVIEW_NAMES = {
  url: true,
  title: true,
  description: true,
  date: true,
  image: true,
} as const satisfies NamesOf<LinkPreview>;
const REACTION_NAMES = {
  emoji: true,
  remove: true,
  author: true,
  timestamp: true,
} as const satisfies NamesOf<MessageReaction>;
const POLL_NAMES = {
  question: true,
  options: true,
  allowMultiple: true,
} as const satisfies NamesOf<Poll>;

const MAX_TEXT_BYTES = 2_048;
const MAX_URL_BYTES = 2_048;
/** Attachments of a message: clients show no further ones (Signal-Desktop). */
export const MAX_ATTACHMENTS = 32;
// Limits of polls (Signal-Android: DataMessageProcessor; 2026-11), in UTF-16 units.
const MAX_POLL_CHARACTERS = 100;
const MIN_POLL_OPTIONS = 2;
const MAX_POLL_OPTIONS = 10;
/** One emoji: the longest sequences of Unicode 17 have 35 bytes; and no text. */
const MAX_EMOJI_BYTES = 64;
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20E3/u;

/** @throws SealcastError ERR_INVALID_ARGUMENT, as all here, with the field's name. */
export function checkQuote(value: unknown): Quote {
  const given = new GivenFields(value, 'message.quote', QUOTE_NAMES);
  const text = given.text('text', MAX_BODY_BYTES);
  const { bodyRanges, mentions } = checkRanges({ given, text: text ?? '' });
  checkRangeCount(bodyRanges.length + mentions.length, given.pathOf('bodyRanges'));
  const attachments = given
    .list('attachments', 0, MAX_ATTACHMENTS)
    ?.map((entry, index) => checkQuoted(entry, given.pathOf('attachments'), index));
  return withoutUndefined({
    author: given.required('author', given.aci('author'), 'an ACI: a UUID'),
    timestamp: given.required('timestamp', given.timestamp('timestamp'), 'there'),
    text,
    bodyRanges: bodyRanges.length > 0 ? bodyRanges : undefined,
    mentions: mentions.length > 0 ? mentions : undefined,
    attachments: attachments?.length === 0 ? undefined : attachments,
  }) as Quote;
}

function checkQuoted(value: unknown, path: string, index: number): QuotedAttachment {
  const given = new GivenFields(value, path, QUOTED_NAMES, index);
  const thumbnail = given.value('thumbnail');
  return withoutUndefined({
    contentType: given.text('contentType', MAX_TEXT_BYTES),
    fileName: given.text('fileName', MAX_TEXT_BYTES),
    thumbnail:
      thumbnail === undefined ? undefined : checkPointer(thumbnail, `${path}.thumbnail`, index),
  });
}

/** @param body that the message has: clients show the preview only of a link in it. */
export function checkPreview(value: unknown, body: string): LinkPreview {
  const given = new GivenFields(value, 'message.preview', PREVIEW_NAMES);
  const url = given.required('url', given.text('url', MAX_URL_BYTES), 'there');
  if (!isWebUrl(url)) given.refuse('url', 'the URL of a web page: http:// or https://');
  if (!body.includes(url))
    given.refuse('url', 'in the text, in its first 2,048 bytes: clients show no other preview');
  const image = given.value('image');
  return withoutUndefined({
    url,
    title: given.text('title', MAX_TEXT_BYTES),
    description: given.text('description', MAX_TEXT_BYTES),
    date: given.timestamp('date'),
    image: image === undefined ? undefined : checkPointer(image, given.pathOf('image')),
  }) as LinkPreview;
}

function isWebUrl(url: string): boolean {
  return /^https?:\/\/\S+$/i.test(url) && URL.canParse(url);
}

export function checkReaction(value: unknown): MessageReaction {
  const given = new GivenFields(value, 'message.reaction', REACTION_NAMES);
  const emoji = given.required('emoji', given.text('emoji', MAX_EMOJI_BYTES), 'an emoji');
  const [first, second] = new Intl.Segmenter().segment(emoji);
  if (first === undefined || second !== undefined || !EMOJI.test(emoji))
    given.refuse('emoji', 'one emoji');
  return withoutUndefined({
    emoji,
    remove: given.flag('remove'),
    author: given.required('author', given.aci('author'), 'an ACI: a UUID'),
    timestamp: given.required('timestamp', given.timestamp('timestamp'), 'there'),
  }) as MessageReaction;
}

export function checkPoll(value: unknown): Poll {
  const given = new GivenFields(value, 'message.poll', POLL_NAMES);
  const expected = `1 to ${MAX_POLL_CHARACTERS} characters, not blank`;
  const isShort = (text: string): boolean =>
    text.trim() !== '' && text.length <= MAX_POLL_CHARACTERS;
  const question = given.required('question', given.text('question', MAX_TEXT_BYTES), 'there');
  if (!isShort(question)) given.refuse('question', expected);
  const options = given.required(
    'options',
    given.list('options', MIN_POLL_OPTIONS, MAX_POLL_OPTIONS),
    'there',
  );
  const texts = options.map((option, index) => {
    const entry = new GivenFields({ option }, 'message.poll.options', { option: true }, index);
    const text = entry.text('option', MAX_TEXT_BYTES);
    return text !== undefined && isShort(text) ? text : entry.refuse('option', expected);
  });
  return withoutUndefined({
    question,
    options: texts,
    allowMultiple: given.flag('allowMultiple'),
  }) as Poll;
}
