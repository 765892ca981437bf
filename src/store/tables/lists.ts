import { RecordType } from '../codec.js';
import { readRecords, scanRecords, type Found } from '../scan.js';
import type { Change, Store } from '../store.js';

/*
 * Rows of table `list`, by the first segment of their keys:
 *
 *   l/{list}               the list itself
 *   m/{list}/{serviceId}   a member
 *   s/{list}/{serviceId}   a suppression: this person left the list by their own word
 *   u/{list}/{serviceId}   an absence: the last broadcasts to the list found no account
 *
 * A person has at most one of `m` and `s`. The rows of one kind and list are in the order of
 * contacts. `runtime/list-records.ts` is their only writer.
 */

/** Record of a list. */
export interface ListRecord {
  /** ms since the epoch */
  readonly createdAtMs: number;
  readonly members: number;
  /** Broadcasts in a row that find a member unregistered before the member is removed; 0: never. */
  readonly unregisteredLimit: number;
}

/** Record of a member. */
export interface MemberRecord {
  /** ms since the epoch */
  readonly joinedMs: number;
  readonly tags: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
}

/** Record of a person who left a list, and is not added again but by their own word. */
export interface SuppressionRecord {
  /** ms since the epoch */
  readonly sinceMs: number;
}

/** Broadcasts in a row that found a member unregistered. */
export interface AbsenceRecord {
  readonly broadcasts: number;
  /** Timestamp of the last of them: an earlier broadcast is not counted after it. */
  readonly timestamp: number;
}

const LIST = new RecordType('List');
const MEMBER = new RecordType('Member');
const SUPPRESSION = new RecordType('Suppression');
const ABSENCE = new RecordType('Absence');

function decodeList(bytes: Uint8Array): ListRecord {
  const wire = LIST.decode(bytes);
  return {
    createdAtMs: wire['createdAtMs'] as number,
    members: wire['members'] as number,
    unregisteredLimit: wire['unregisteredLimit'] as number,
  };
}

const encodeMember = ({ joinedMs, tags, fields }: MemberRecord): Uint8Array<ArrayBuffer> =>
  MEMBER.encode({
    joinedMs,
    tags,
    fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
  });

function decodeMember(bytes: Uint8Array): MemberRecord {
  const wire = MEMBER.decode(bytes);
  const fields = wire['fields'] as { readonly name: string; readonly value: string }[];
  return {
    joinedMs: wire['joinedMs'] as number,
    tags: [...(wire['tags'] as string[])],
    fields: Object.fromEntries(fields.map(({ name, value }) => [name, value])),
  };
}

const decodeSuppression = (bytes: Uint8Array): SuppressionRecord => ({
  sinceMs: SUPPRESSION.decode(bytes)['sinceMs'] as number,
});

function decodeAbsence(bytes: Uint8Array): AbsenceRecord {
  const wire = ABSENCE.decode(bytes);
  return { broadcasts: wire['broadcasts'] as number, timestamp: wire['timestamp'] as number };
}

const listKey = (list: string): string => `l/${list}`;
type RowKind = 'm' | 's' | 'u';
const prefixOf = (kind: RowKind, list: string): string => `${kind}/${list}/`;

/**
 * Loads the record of a list; undefined where there is none.
 *
 * @throws SealcastError ERR_STORE_FAILED, with `table`: it is damaged.
 */
export async function loadList(store: Store, list: string): Promise<ListRecord | undefined> {
  const [record] = await readRecords(store, 'list', [listKey(list)], decodeList);
  if (record instanceof Error) throw record;
  return record;
}

export const listChange = (list: string, record: ListRecord): Change => ({
  table: 'list',
  key: listKey(list),
  value: LIST.encode(record),
});

/** Iterates over the lists that can be read, in the store's order. */
export async function* scanLists(
  store: Store,
): AsyncGenerator<{ readonly list: string; readonly record: ListRecord }, void, void> {
  const prefix = listKey('');
  for await (const { records } of scanRecords(store, 'list', decodeList, { prefix }))
    for (const { key, value } of records) yield { list: key.slice(prefix.length), record: value };
}

/** Rows of a person in a list; an error where one is damaged. */
export interface FoundMember {
  readonly member: Found<MemberRecord>;
  readonly suppression: Found<SuppressionRecord>;
  readonly absence: Found<AbsenceRecord>;
}

/** Loads the rows of people in a list, in the order of the service ids. */
export async function findMembers(
  store: Store,
  list: string,
  serviceIds: readonly string[],
): Promise<FoundMember[]> {
  const read = <Value>(kind: RowKind, decode: (bytes: Uint8Array) => Value) =>
    readRecords(
      store,
      'list',
      serviceIds.map((serviceId) => `${prefixOf(kind, list)}${serviceId}`),
      decode,
    );
  const [members, suppressions, absences] = await Promise.all([
    read('m', decodeMember),
    read('s', decodeSuppression),
    read('u', decodeAbsence),
  ]);
  return serviceIds.map((_, i) => ({
    member: members[i],
    suppression: suppressions[i],
    absence: absences[i],
  }));
}

/** Iterates over the members of a list that can be read, in the store's order. */
export const scanMembers = (store: Store, list: string): AsyncGenerator<ListRow<MemberRecord>> =>
  scanRows(store, prefixOf('m', list), decodeMember);

/** Iterates over the people who left a list by their own word, in the store's order. */
export const scanSuppressions = (
  store: Store,
  list: string,
): AsyncGenerator<ListRow<SuppressionRecord>> =>
  scanRows(store, prefixOf('s', list), decodeSuppression);

/** Iterates over the members that were found unregistered last, in the store's order. */
export const scanAbsences = (store: Store, list: string): AsyncGenerator<ListRow<AbsenceRecord>> =>
  scanRows(store, prefixOf('u', list), decodeAbsence);

/** Row of a person in a list. */
export interface ListRow<Value> {
  readonly serviceId: string;
  readonly record: Value;
}

async function* scanRows<Value>(
  store: Store,
  prefix: string,
  decode: (bytes: Uint8Array) => Value,
): AsyncGenerator<ListRow<Value>> {
  for await (const { records } of scanRecords(store, 'list', decode, { prefix }))
    for (const { key, value } of records)
      yield { serviceId: key.slice(prefix.length), record: value };
}

const rowChange = (
  kind: RowKind,
  { list, serviceId }: { readonly list: string; readonly serviceId: string },
  value: Uint8Array | null,
): Change => ({ table: 'list', key: `${prefixOf(kind, list)}${serviceId}`, value });

/** Place of a person's rows. */
export interface MemberPlace {
  readonly list: string;
  readonly serviceId: string;
}

/** @param record null removes the member */
export const memberChange = (place: MemberPlace, record: MemberRecord | null): Change =>
  rowChange('m', place, record && encodeMember(record));

/** @param record null removes the suppression */
export const suppressionChange = (place: MemberPlace, record: SuppressionRecord | null): Change =>
  rowChange('s', place, record && SUPPRESSION.encode(record));

/** @param record null removes the absence */
export const absenceChange = (place: MemberPlace, record: AbsenceRecord | null): Change =>
  rowChange('u', place, record && ABSENCE.encode(record));
