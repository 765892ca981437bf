import { fittingLength } from '../util/truncate-text.js';
import { MAX_BODY_BYTES } from './limits.js';
import { clampRanges, type TextRange } from './text-ranges.js';

/** A text as a message carries it. */
export interface SplitText<Range extends TextRange = TextRange> {
  /** The text, or of a long one the beginning. */
  readonly body: string;
  /** Of the body. */
  readonly ranges: readonly Range[];
  /** UTF-8 of the whole text, to be uploaded as an attachment; absent where the body is all. */
  readonly longText?: Uint8Array<ArrayBuffer>;
}

/**
 * Splits a text that is too long for a message's body: the body then is its beginning, at most
 * 2,048 bytes of UTF-8, cut between grapheme clusters.
 *
 * @param ranges of the whole text.
 */
export function splitLongText<Range extends TextRange>(
  text: string,
  ranges: readonly Range[],
): SplitText<Range> {
  const end = fittingLength(text, MAX_BODY_BYTES);
  if (end === text.length) return { body: text, ranges };
  return {
    body: text.slice(0, end),
    ranges: clampRanges(ranges, end),
    longText: new Uint8Array(Buffer.from(text)),
  };
}
