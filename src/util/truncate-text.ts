const ELLIPSIS = '…';

let segmenter: Intl.Segmenter | undefined;

/**
 * Truncates a text between graphemes to at most `maxBytes` of UTF-8, with an ellipsis. A text that
 * fits is returned as it is.
 */
export function truncateText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  return `${text.slice(0, cutLength(text, maxBytes - Buffer.byteLength(ELLIPSIS)))}${ELLIPSIS}`;
}

/**
 * @returns the length in UTF-16 units of the longest beginning that has at most `maxBytes` of UTF-8
 *   and ends between graphemes.
 */
export const fittingLength = (text: string, maxBytes: number): number =>
  Buffer.byteLength(text) <= maxBytes ? text.length : cutLength(text, maxBytes);

/** @param text that has more than `maxBytes`. */
function cutLength(text: string, maxBytes: number): number {
  let room = maxBytes;
  let end = 0;
  // A UTF-16 unit is at least a byte: what follows these units never fits, and need not be
  // segmented.
  segmenter ??= new Intl.Segmenter();
  for (const { segment } of segmenter.segment(text.slice(0, maxBytes + 1))) {
    room -= Buffer.byteLength(segment);
    if (room < 0) break;
    end += segment.length;
  }
  // A letter with a thousand accents is cut within.
  return end === 0 ? codePointsThatFit(text, maxBytes) : end;
}

/**
 * @returns the length in UTF-16 units of the longest beginning that fits and does not split a
 *   surrogate pair.
 */
function codePointsThatFit(text: string, maxBytes: number): number {
  let end = 0;
  let bytes = 0;
  for (const point of text.slice(0, maxBytes + 1)) {
    bytes += Buffer.byteLength(point);
    if (bytes > maxBytes) break;
    end += point.length;
  }
  return end;
}
