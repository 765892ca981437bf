/** Style of a part of a text. */
export type TextStyle = 'bold' | 'italic' | 'spoiler' | 'strikethrough' | 'monospace';

/** In the order of Signal's numbers, from 1. */
export const TEXT_STYLES: readonly TextStyle[] = [
  'bold',
  'italic',
  'spoiler',
  'strikethrough',
  'monospace',
];

/** Part of a text, in UTF-16 units: as JavaScript counts. */
export interface TextSpan {
  readonly start: number;
  readonly length: number;
}

/** Part of a text that has a style. */
export interface BodyRange extends TextSpan {
  readonly style: TextStyle;
}

/** Part of a text in whose place clients show the name of an account. */
export interface Mention extends TextSpan {
  /** ACI: a UUID, lower case where it was received. */
  readonly aci: string;
}

/** Style or mention. */
export type TextRange = BodyRange | Mention;

/**
 * Makes one range of those of a style that touch or overlap.
 *
 * @returns ranges in the order of their starts; of those that start together the longest first.
 */
export function mergeStyles(ranges: readonly BodyRange[]): BodyRange[] {
  const merged: BodyRange[] = [];
  for (const style of TEXT_STYLES) {
    let last: { start: number; length: number; style: TextStyle } | undefined;
    const ofStyle = ranges.filter((range) => range.style === style).sort(byStart);
    for (const { start, length } of ofStyle) {
      if (last !== undefined && start <= last.start + last.length) {
        last.length = Math.max(last.length, start + length - last.start);
        continue;
      }
      last = { start, length, style };
      merged.push(last);
    }
  }
  return merged.sort(byStart);
}

/** Order of ranges on the wire. */
export const byStart = (a: TextSpan, b: TextSpan): number =>
  a.start - b.start || b.length - a.length;

/**
 * Ranges of the first `length` units of a text. A client drops the message of a range that goes
 * beyond its text. A style ends where the text does; a mention that would be cut is left out.
 */
export function clampRanges<Range extends TextRange>(
  ranges: readonly Range[],
  length: number,
): Range[] {
  const clamped: Range[] = [];
  for (const range of ranges) {
    const room = length - range.start;
    if (range.length <= room) clamped.push(range);
    else if (room > 0 && 'style' in range) clamped.push({ ...range, length: room });
  }
  return clamped;
}
