import { RECIPIENT_LIST, type ListRecipients, type RecipientList } from '../broadcast/options.js';
import { SealcastError } from '../errors.js';
import { ListRecords } from '../runtime/list-records.js';
import { checkOptions, refuse } from '../sealer/options.js';
import type { Store } from '../store/store.js';
import {
  findMembers,
  scanMembers,
  scanSuppressions,
  type MemberRecord,
} from '../store/tables/lists.js';
import { SYSTEM_CLOCK, type Clock } from '../util/clock.js';
import type { NamesOf } from '../util/known-names.js';
import { exportRows } from './csv-export.js';
import { checkImport, importRows, type ImportedRow, type ImportOptions } from './csv-import.js';
import {
  checkAci,
  checkAdd,
  checkTag,
  type AddOptions,
  type AddOutcome,
  type Entry,
  type ListMember,
} from './member-input.js';

/** Person who left a list by their own word. */
export interface SuppressedPerson {
  readonly serviceId: string;
  /** ms since the epoch */
  readonly sinceMs: number;
}

/** Choice of members. */
export interface SegmentOptions {
  /** Only members with this tag. */
  readonly tag?: string;
}

/** Options of {@link SubscriberList.remove}. */
export interface RemoveOptions {
  /**
   * `stop`: they said so. An import does not add them again, and a broadcast to the list that is
   * under way does not go to them any more. `removed`, the default: a decision of the caller's.
   */
  readonly reason?: 'removed' | 'stop';
}

const SEGMENT_NAMES = { tag: true } satisfies NamesOf<SegmentOptions>;
const REMOVE_NAMES = { reason: true } satisfies NamesOf<RemoveOptions>;

/**
 * List of subscribers in a store, to broadcast to.
 *
 * A change is on the disk when its call resolves. A member has tags, which make segments, and
 * personal fields. A person who left by their own word is kept as suppressed: an import does not
 * add them again. Members whose accounts are gone leave by themselves, see
 * {@link OpenListOptions.unregisteredLimit}.
 *
 * The list is an iterable of recipients. A broadcast to it asks, right before each request, whether
 * the member has left: from the moment at which `remove` with reason `stop` resolves, no request of
 * such a broadcast to that person begins, and their delivery fails with ERR_RECIPIENT_UNSUBSCRIBED.
 * Messages to single people, such as the answer to STOP, still go.
 */
export class SubscriberList implements ListRecipients {
  readonly name: string;
  readonly #store: Store;
  readonly #records: ListRecords;
  readonly #clock: Pick<Clock, 'now'>;

  private constructor(store: Store, name: string, clock: Pick<Clock, 'now'>) {
    this.name = name;
    this.#store = store;
    this.#clock = clock;
    this.#records = new ListRecords(store, name, clock);
  }

  /**
   * Opens the list, for `openList`.
   *
   * @internal
   */
  static async open(
    store: Store,
    name: string,
    limit: { readonly given: number | undefined; readonly fallback: number },
    clock: Pick<Clock, 'now'> = SYSTEM_CLOCK,
  ): Promise<SubscriberList> {
    const list = new SubscriberList(store, name, clock);
    await list.#records.changeList((stored) => {
      if (stored === undefined)
        return {
          createdAtMs: clock.now(),
          members: 0,
          unregisteredLimit: limit.given ?? limit.fallback,
        };
      const { given = stored.unregisteredLimit } = limit;
      return given === stored.unregisteredLimit
        ? undefined
        : { ...stored, unregisteredLimit: given };
    });
    return list;
  }

  /** @internal */
  get [RECIPIENT_LIST](): RecipientList {
    return { store: this.#store, name: this.name };
  }

  /**
   * Adds a person, or changes the tags and fields of a member.
   *
   * @param serviceId an ACI
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * const outcome = await list.add(serviceId, { tags: ['ferry'], fields: { name: 'Ada' } });
   * if (outcome === 'suppressed') console.log('they said STOP: ask them to write HELLO');
   */
  async add(serviceId: string, options: AddOptions = {}): Promise<AddOutcome> {
    const checked = checkAci(serviceId);
    const { resubscribe, tags, fields } = checkAdd(options);
    const update = (known: MemberRecord): MemberRecord => ({
      ...known,
      ...(tags !== undefined && { tags }),
      ...(fields !== undefined && { fields }),
    });
    const [outcome] = await this.#addAll([{ serviceId: checked, update }], resubscribe);
    if (outcome instanceof SealcastError) throw outcome;
    return outcome ?? 'suppressed';
  }

  /** Adds people, each once, in one commit. @returns an outcome for each entry. */
  async #addAll(
    entries: readonly Entry[],
    resubscribe: boolean,
  ): Promise<readonly (AddOutcome | SealcastError)[]> {
    const byId = new Map(entries.map((entry) => [entry.serviceId, entry]));
    const outcomes = new Map<string, AddOutcome | SealcastError>();
    await this.#records.change([...byId.keys()], ({ serviceId, member, suppression }) => {
      const entry = byId.get(serviceId);
      const isSuppressed = suppression !== undefined && !resubscribe;
      const known = member ?? { joinedMs: this.#clock.now(), tags: [], fields: {} };
      const next = isSuppressed || entry === undefined ? undefined : entry.update(known);
      if (next === undefined || next instanceof SealcastError) {
        outcomes.set(serviceId, next ?? 'suppressed');
        return undefined;
      }
      outcomes.set(serviceId, member === undefined ? 'added' : 'updated');
      return { member: next, ...(suppression !== undefined && { suppression: null }) };
    });
    return entries.map(({ serviceId }) => outcomes.get(serviceId) ?? 'suppressed');
  }

  /**
   * Removes a person. With the reason `stop` also one who is no member: no import adds them.
   *
   * @returns whether they were a member.
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * await list.remove(serviceId, { reason: 'stop' });
   */
  async remove(serviceId: string, options: RemoveOptions = {}): Promise<boolean> {
    const checked = checkAci(serviceId);
    const { reason = 'removed' } = checkOptions(options, REMOVE_NAMES);
    if (reason !== 'removed' && reason !== 'stop') refuse('reason', 'removed or stop');
    let wasMember = false;
    await this.#records.change([checked], ({ member, suppression }) => {
      wasMember = member !== undefined;
      if (reason === 'stop')
        return { member: null, suppression: suppression ?? { sinceMs: this.#clock.now() } };
      return { member: null };
    });
    return wasMember;
  }

  /**
   * Removes all that the list has of a person, also that they left: an import may add them again.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * await list.forget(serviceId);
   */
  async forget(serviceId: string): Promise<void> {
    await this.#records.change([checkAci(serviceId)], () => ({
      member: null,
      suppression: null,
    }));
  }

  /**
   * Returns a member; undefined where the person is none.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * const member = await list.get(serviceId);
   * console.log(member?.fields.name);
   */
  async get(serviceId: string): Promise<ListMember | undefined> {
    const checked = checkAci(serviceId);
    const [found] = await findMembers(this.#store, this.name, [checked]);
    const member = found?.member;
    if (member instanceof Error) throw member;
    return member && { serviceId: checked, ...member };
  }

  /**
   * Iterates the members, or those of a segment, in the store's order. Members may be added and
   * removed meanwhile.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * for await (const { serviceId, fields } of list.members({ tag: 'ferry' }))
   *   console.log(serviceId, fields.name);
   */
  members(options: SegmentOptions = {}): AsyncGenerator<ListMember, void, void> {
    return this.#members(checkSegment(options));
  }

  async *#members(tag: string | undefined): AsyncGenerator<ListMember, void, void> {
    for await (const { serviceId, record } of scanMembers(this.#store, this.name))
      if (tag === undefined || record.tags.includes(tag)) yield { serviceId, ...record };
  }

  /**
   * Number of members. That of a segment is counted by reading the list.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * console.log(await list.count(), await list.count({ tag: 'ferry' }));
   */
  async count(options: SegmentOptions = {}): Promise<number> {
    const tag = checkSegment(options);
    if (tag === undefined) return (await this.#records.list()).members;
    const serviceIds = this.#serviceIds(tag);
    let members = 0;
    while ((await serviceIds.next()).done !== true) members += 1;
    return members;
  }

  /**
   * Recipients of a broadcast: the members of a segment. The list itself is that of all members.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT
   * @example
   * const run = broadcaster.broadcast({ body }, list.recipients({ tag: 'ferry' }));
   */
  recipients(options: SegmentOptions = {}): ListRecipients {
    const tag = checkSegment(options);
    return {
      [RECIPIENT_LIST]: this[RECIPIENT_LIST],
      [Symbol.asyncIterator]: () => this.#serviceIds(tag),
    };
  }

  /**
   * Iterates the service ids of all members, in the store's order: recipients of a broadcast.
   *
   * @example
   * const { sealed } = await broadcaster.broadcast({ body }, list).summary();
   */
  [Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    return this.#serviceIds(undefined);
  }

  async *#serviceIds(tag: string | undefined): AsyncGenerator<string, void, void> {
    for await (const { serviceId } of this.#members(tag)) yield serviceId;
  }

  /**
   * Iterates the people who left by their own word, in the store's order.
   *
   * @throws SealcastError ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * for await (const { serviceId, sinceMs } of list.suppressed())
   *   console.log(serviceId, new Date(sinceMs));
   */
  async *suppressed(): AsyncGenerator<SuppressedPerson, void, void> {
    for await (const { serviceId, record } of scanSuppressions(this.#store, this.name))
      yield { serviceId, sinceMs: record.sinceMs };
  }

  /**
   * Imports members from CSV, and iterates the outcome of each row, once it is on the disk.
   *
   * The first row names the columns. One of them, `recipient`, has an ACI, a username (`ada.42`) or
   * a link `https://signal.me/#eu/…`; the column `tags` has tags with `;` between them; every other
   * column is a personal field. An empty cell leaves what the member has. Usernames and links are
   * looked up through `transport`. A row that cannot be imported has an error, whose `index` is the
   * number of the row, from 1. A phone number is such: the service gives only a PNI for it, and
   * nothing can be sealed to that.
   *
   * Rows are read as fast as the iteration goes, and committed together: a loop that is left early
   * may leave out rows that were read.
   *
   * @param source a Node or web stream, or any iterable of bytes in UTF-8 or of text
   * @throws SealcastError ERR_INVALID_ARGUMENT: it is no CSV from some row on; `index` is its
   *   number, and the rows before are imported. ERR_ABORTED, ERR_CLOSED, ERR_STORE_FAILED,
   *   ERR_STORE_LOCKED; those of the transport.
   * @example
   * const rows = list.importCsv(createReadStream(path), { transport });
   * for await (const { status, error } of rows)
   *   if (status === 'failed') console.warn(error?.message);
   */
  importCsv(
    source: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
    options: ImportOptions = {},
  ): AsyncGenerator<ImportedRow, void, void> {
    const checked = checkImport(source, options);
    return importRows(checked, (entries) => this.#addAll(entries, checked.resubscribe));
  }

  /**
   * Exports members as CSV that `importCsv` reads: columns `recipient`, `tags`, and one for each
   * personal field. Parts of text, with CRLF line ends.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: the members have more than 256 different fields.
   *   ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * await pipeline(Readable.from(list.exportCsv()), createWriteStream('news.csv'));
   */
  exportCsv(options: SegmentOptions = {}): AsyncGenerator<string, void, void> {
    const tag = checkSegment(options);
    return exportRows(() => this.#members(tag));
  }
}

function checkSegment(options: SegmentOptions): string | undefined {
  const { tag } = checkOptions(options, SEGMENT_NAMES);
  return tag === undefined ? undefined : checkTag(tag);
}
