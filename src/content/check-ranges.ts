import { SealcastError } from '../errors.js';
import type { NamesOf } from '../util/known-names.js';
import { GivenFields } from './given-fields.js';
import { byStart, TEXT_STYLES, type BodyRange, type Mention } from './text-ranges.js';

const STYLE_NAMES = { start: true, length: true, style: true } satisfies NamesOf<BodyRange>;
const MENTION_NAMES = { start: true, length: true, aci: true } satisfies NamesOf<Mention>;

/** Character that stands for a mention in a text. */
const PLACEHOLDER = '\uFFFC';
/**
 * Ranges that clients read: the first of a message, styles and mentions together. (Signal-Android:
 * DataMessageProcessor.BODY_RANGE_PROCESSING_LIMIT; 2026-11.)
 */
export const MAX_RANGES = 250;
/** Ranges that are taken of a long text: those after the body are not sent. */
const MAX_GIVEN_RANGES = 65_536;

/** Where ranges are among what a caller gave. */
export interface RangesPlace {
  readonly given: GivenFields;
  /** That the ranges are of. */
  readonly text: string;
  /** Whether the text was made of markup, so that its positions are not the caller's. */
  readonly isMarkup?: boolean;
}

/** Styles and mentions of a text, each in order. */
export interface CheckedRanges {
  readonly bodyRanges: readonly BodyRange[];
  readonly mentions: readonly Mention[];
}

export function checkRanges(place: RangesPlace): CheckedRanges {
  return { bodyRanges: checkStyles(place), mentions: checkMentions(place) };
}

/** Refuses more ranges than clients read: they show the rest without a style. */
export function checkRangeCount(count: number, field: string): void {
  if (count <= MAX_RANGES) return;
  const message = `${field} must be at most ${MAX_RANGES} styles and mentions, not ${count}: clients read no further ones`;
  throw new SealcastError('ERR_INVALID_ARGUMENT', message, { field });
}

function checkStyles({ given, text }: RangesPlace): BodyRange[] {
  const ranges = (given.list('bodyRanges', 0, MAX_GIVEN_RANGES) ?? []).map((entry, index) => {
    const range = new GivenFields(entry, given.pathOf('bodyRanges'), STYLE_NAMES, index);
    const style = TEXT_STYLES.find((known) => known === range.value('style'));
    return {
      ...checkSpan(range, text),
      style: style ?? range.refuse('style', `one of ${TEXT_STYLES.join(', ')}`),
    };
  });
  return ranges.sort(byStart);
}

function checkMentions({ given, text, isMarkup = false }: RangesPlace): Mention[] {
  const entries = given.list('mentions', 0, MAX_GIVEN_RANGES) ?? [];
  const mentions: Mention[] = [];
  let searchFrom = 0;
  let placed: boolean | undefined;
  for (const [index, entry] of entries.entries()) {
    const mention = new GivenFields(entry, given.pathOf('mentions'), MENTION_NAMES, index);
    const aci = mention.required('aci', mention.aci('aci'), 'an ACI: a UUID');
    const hasSpan = mention.has('start') || mention.has('length');
    if (hasSpan && isMarkup) mention.refuse('start', 'absent beside markdown: mark it by U+FFFC');
    placed ??= hasSpan;
    if (placed !== hasSpan) mention.refuse('start', 'there in all mentions, or in none');
    if (hasSpan) {
      mentions.push({ ...checkSpan(mention, text), aci });
      continue;
    }
    const start = text.indexOf(PLACEHOLDER, searchFrom);
    if (start === -1)
      mention.refuse('aci', 'that of a mention with a U+FFFC of its own in the text');
    mentions.push({ start, length: PLACEHOLDER.length, aci });
    searchFrom = start + 1;
  }
  const sorted = mentions.sort(byStart);
  for (const [i, { start }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && start < before.start + before.length)
      given.refuse('mentions', 'mentions that do not overlap');
  }
  return sorted;
}

/** A client drops the message of a range that goes beyond its text. */
function checkSpan(
  range: GivenFields,
  text: string,
): { readonly start: number; readonly length: number } {
  const start = range.required('start', range.integer('start', 0, text.length), 'there');
  const rest = text.length - start;
  const length = range.required('length', range.integer('length', 1, Math.max(rest, 1)), 'there');
  if (length > rest)
    range.refuse('start', `within the text, which has ${text.length} UTF-16 units`);
  return { start, length };
}
