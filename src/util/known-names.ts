import { SealcastError } from '../errors.js';

/**
 * The names that an object may have: all of a type's, so that the compiler misses one that was
 * forgotten.
 */
export type NamesOf<T> = Readonly<Record<keyof T, true>>;

/** Longest name that an error repeats in full, in UTF-16 units. */
const MAX_SHOWN_LENGTH = 64;
/**
 * A name this many edits away, or fewer, may be the one that is meant; half of the letters at most.
 */
const MAX_EDITS = 3;

/**
 * Refuses an object that has a name it should not have: a misspelt option is silently no option.
 *
 * Looks at own, enumerable, string names alone, and passes over a name whose value is undefined: it
 * asks for nothing.
 *
 * @param parent name of the object within the call, `account` for example; absent where its names
 *   are the call's own.
 * @param index of the object, where it is an entry of an array.
 * @throws SealcastError ERR_INVALID_ARGUMENT; `field` is the unknown name, after `parent` and a
 *   point.
 */
export function checkNames(
  given: object,
  known: Readonly<Record<string, unknown>>,
  parent?: string,
  index?: number,
): void {
  for (const name of Object.keys(given)) {
    if (
      Object.hasOwn(known, name) ||
      (given as Readonly<Record<string, unknown>>)[name] === undefined
    )
      continue;
    const prefix = parent === undefined ? '' : `${parent}.`;
    const field = `${prefix}${name.length > MAX_SHOWN_LENGTH ? `${name.slice(0, MAX_SHOWN_LENGTH)}...` : name}`;
    const names = Object.keys(known);
    const meant = nearestName(name, names);
    const hint =
      meant === undefined ? `known names: ${names.join(', ')}` : `did you mean ${prefix}${meant}?`;
    const place = index === undefined ? field : `entry ${index}: ${field}`;
    const facts = index === undefined ? { field } : { field, index };
    throw new SealcastError(
      'ERR_INVALID_ARGUMENT',
      `${place} is not a known name (${hint})`,
      facts,
    );
  }
}

/**
 * Whether the object was written as one, or copied: a class's instance comes from elsewhere and may
 * have more names.
 */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    prototype === Object.prototype ||
    Object.getPrototypeOf(prototype) === null
  );
}

/** The name that differs in case and separators alone, else the one with the fewest edits. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  // A name that an error does not show in full resembles no other, and is not worth the time.
  if (name.length > MAX_SHOWN_LENGTH) return undefined;
  const given = normalized(name);
  const maxEdits = Math.min(MAX_EDITS, Math.floor(given.length / 2));
  let nearest: string | undefined;
  let fewest = maxEdits + 1;
  for (const candidate of names) {
    const edits = countEdits(given, normalized(candidate));
    if (edits < fewest) [nearest, fewest] = [candidate, edits];
  }
  return nearest;
}

const normalized = (name: string): string => name.toLowerCase().replace(/[-_]/g, '');

/** Number of insertions, deletions, replacements and swaps of neighbors between two texts. */
function countEdits(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(replaced, at(last, j) + 1, at(row, j - 1) + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) edits = Math.min(edits, at(beforeLast, j - 2) + 1);
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;
