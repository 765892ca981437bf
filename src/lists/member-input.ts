import type { SealcastError } from '../errors.js';
import type { MemberRecord } from '../store/tables/lists.js';
import { checkObject, checkOptions, refuse, checkBoolean } from '../sealer/options.js';
import { parseServiceId } from '../util/addresses.js';
import type { NamesOf } from '../util/known-names.js';

/** Most tags of a member. */
export const MAX_TAGS = 32;
/** Longest tag, UTF-16 units. */
const MAX_TAG_LENGTH = 64;
/** Most personal fields of a member. */
export const MAX_FIELDS = 32;
const MAX_FIELD_NAME_LENGTH = 64;
/** Longest value of a personal field, bytes of UTF-8. */
export const MAX_FIELD_BYTES = 1_024;

const LIST_NAME = /^[\w-]{1,64}$/;
/** Letters and digits of any script, as `{{name}}` has them in a text. */
const FIELD_NAME = /^[\p{L}\p{N}_-]+$/u;
/** A tag has no separator of tags in it, and no control character. */
const TAG = /^[^\p{C},;]+$/u;

/** Member of a list. */
export interface ListMember {
  /** An ACI. */
  readonly serviceId: string;
  /** When they joined, ms since the epoch. */
  readonly joinedMs: number;
  /** Names of the segments that they are in. */
  readonly tags: readonly string[];
  /** Personal fields, by name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Outcome of {@link SubscriberList.add}. `suppressed`: the person had left, and stays away. */
export type AddOutcome = 'added' | 'updated' | 'suppressed';

/** Entry that is added to a list. */
export interface Entry {
  readonly serviceId: string;
  /** @returns the member after it, or why it cannot be so. */
  readonly update: (known: MemberRecord) => MemberRecord | SealcastError;
}

/** Options of {@link SubscriberList.add}. */
export interface AddOptions {
  /** Names of segments: at most 32, of 64 characters each. Default: those that the member has. */
  readonly tags?: readonly string[];
  /**
   * Personal fields by name: at most 32, of 1,024 bytes each. Default: those that the member has.
   */
  readonly fields?: Readonly<Record<string, string>>;
  /** Whether to add a person who left by their own word. Default false. */
  readonly resubscribe?: boolean;
}

const ADD_NAMES = { tags: true, fields: true, resubscribe: true } satisfies NamesOf<AddOptions>;

export function checkListName(name: unknown): string {
  return typeof name === 'string' && LIST_NAME.test(name)
    ? name
    : refuse('name', '1 to 64 letters, digits, _ and -');
}

/** An ACI: nothing can be sealed to a PNI. */
export function checkAci(given: unknown): string {
  const serviceId = parseServiceId(given);
  if (serviceId === null || serviceId.startsWith('PNI:'))
    refuse('serviceId', 'the ACI of a person, a UUID: nothing can be sealed to a PNI');
  return serviceId;
}

export function checkTag(tag: unknown, field = 'tag'): string {
  const isTag =
    typeof tag === 'string' &&
    tag.length <= MAX_TAG_LENGTH &&
    TAG.test(tag) &&
    tag.trim() === tag &&
    tag.isWellFormed();
  return isTag ? tag : refuse(field, `1 to ${MAX_TAG_LENGTH} characters without , and ;`);
}

export function checkTags(given: unknown): readonly string[] {
  if (!Array.isArray(given)) refuse('tags', 'an array of texts');
  const tags = [...new Set(given.map((tag: unknown) => checkTag(tag, 'tags')))];
  if (tags.length > MAX_TAGS) refuse('tags', `at most ${MAX_TAGS}`);
  return tags;
}

export function checkFieldName(name: string): string {
  return name.length <= MAX_FIELD_NAME_LENGTH && FIELD_NAME.test(name) && name !== '__proto__'
    ? name
    : refuse('fields', `by names of 1 to ${MAX_FIELD_NAME_LENGTH} letters, digits, _ and -`);
}

export function checkFields(given: unknown): Readonly<Record<string, string>> {
  const fields = Object.entries(checkObject(given, 'fields'));
  if (fields.length > MAX_FIELDS) refuse('fields', `at most ${MAX_FIELDS}`);
  return Object.fromEntries(
    fields.map(([name, value]) => [checkFieldName(name), checkFieldValue(name, value)]),
  );
}

function checkFieldValue(name: string, value: unknown): string {
  const isValue =
    typeof value === 'string' &&
    Buffer.byteLength(value) <= MAX_FIELD_BYTES &&
    !value.includes('\0') &&
    value.isWellFormed();
  return isValue
    ? value
    : refuse(`fields.${name}`, `a text of at most ${MAX_FIELD_BYTES} bytes, without NUL`);
}

/** Options of an addition, checked; absent: the member keeps its own. */
export interface CheckedAdd {
  readonly tags: readonly string[] | undefined;
  readonly fields: Readonly<Record<string, string>> | undefined;
  readonly resubscribe: boolean;
}

export function checkAdd(options: unknown): CheckedAdd {
  const { tags, fields, resubscribe } = checkOptions(options, ADD_NAMES);
  return {
    tags: tags === undefined ? undefined : checkTags(tags),
    fields: fields === undefined ? undefined : checkFields(fields),
    resubscribe: checkBoolean(resubscribe, 'resubscribe', false),
  };
}
