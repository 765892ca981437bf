import { onAddressed } from '../access/unanswered.js';
import { SealcastError } from '../errors.js';
import { RecipientLocks } from '../session/recipient-locks.js';
import type { Change, Store } from '../store/store.js';
import {
  contactChange,
  isReadable,
  type ContactRecord,
  type FoundContact,
} from '../store/tables/contacts.js';
import {
  absenceChange,
  findMembers,
  listChange,
  loadList,
  memberChange,
  suppressionChange,
  type AbsenceRecord,
  type FoundMember,
  type ListRecord,
  type MemberRecord,
  type SuppressionRecord,
} from '../store/tables/lists.js';
import type { Clock } from '../util/clock.js';
import { OWN_LOCKS } from './own-locks.js';
import { Records } from './records.js';

/** Rows of a person in a list, as the store has them. */
export interface SeenMember {
  readonly serviceId: string;
  readonly member: MemberRecord | undefined;
  readonly suppression: SuppressionRecord | undefined;
  readonly absence: AbsenceRecord | undefined;
}

/**
 * Rows of a person after a change; a row that is absent here stays, null removes it.
 *
 * An absence ends where the member is added, changed or removed.
 */
export interface MemberUpdate {
  readonly member?: MemberRecord | null;
  readonly suppression?: SuppressionRecord | null;
  readonly absence?: AbsenceRecord | null;
}

const NO_ROWS: FoundMember = { member: undefined, suppression: undefined, absence: undefined };

/**
 * The only writer of a list's records: its members, its count, and the marks of contacts that left.
 *
 * A change holds the locks of the list and of the people that it changes, so that it excludes the
 * steps of a broadcast on their contacts. The mark of a person who leaves is in the same commit as
 * the end of their membership. `Records.commit` notes the contact's change: once it is on the disk,
 * no request of a broadcast to the list begins for them.
 */
export class ListRecords {
  readonly name: string;
  readonly #store: Store;
  readonly #records: Records;
  readonly #locks: RecipientLocks;

  constructor(store: Store, name: string, clock: Pick<Clock, 'now'>) {
    this.#store = store;
    this.name = name;
    this.#records = new Records(store, clock);
    this.#locks = RecipientLocks.of(store);
  }

  /** @throws SealcastError ERR_STORE_FAILED: the record is damaged, or there is none. */
  async list(): Promise<ListRecord> {
    const record = await loadList(this.#store, this.name);
    if (record === undefined)
      throw new SealcastError('ERR_STORE_FAILED', 'the list is no longer in the store');
    return record;
  }

  /**
   * Changes the list's own record.
   *
   * @param change gets undefined where there is no list yet, and returns undefined where nothing
   *   changes.
   */
  changeList(
    change: (
      stored: ListRecord | undefined,
    ) => ListRecord | undefined | Promise<ListRecord | undefined>,
  ): Promise<void> {
    return this.#locks.with([this.#lock], async () => {
      const changed = await change(await loadList(this.#store, this.name));
      if (changed !== undefined) await this.#records.commit([listChange(this.name, changed)]);
    });
  }

  /**
   * Changes the rows of people, all of them in one commit.
   *
   * @param serviceIds each once, at most some hundred.
   * @param change returns undefined for a person of whom nothing changes.
   * @returns once the changes are on the disk.
   * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED, ERR_CLOSED.
   */
  change(
    serviceIds: readonly string[],
    change: (seen: SeenMember) => MemberUpdate | undefined,
  ): Promise<void> {
    return this.#locks.with([...serviceIds, this.#lock], async () => {
      const [list, found, contacts] = await Promise.all([
        this.list(),
        findMembers(this.#store, this.name, serviceIds),
        this.#records.findContacts(serviceIds),
      ]);
      let members = list.members;
      const changes = serviceIds.flatMap((serviceId, i) => {
        const rows = found[i] ?? NO_ROWS;
        const update = change(seenOf(serviceId, rows));
        if (update === undefined) return [];
        if (update.member !== undefined)
          members += (update.member === null ? 0 : 1) - (rows.member === undefined ? 0 : 1);
        return [
          ...this.#rowChanges(serviceId, update),
          ...this.#contactChanges(serviceId, contacts[i], update),
        ];
      });
      if (members !== list.members) changes.push(listChange(this.name, { ...list, members }));
      await this.#records.commit(changes);
    });
  }

  #rowChanges(serviceId: string, { member, suppression, absence }: MemberUpdate): Change[] {
    const place = { list: this.name, serviceId };
    // The count begins again with every change of the membership.
    const counted = member === undefined ? absence : (absence ?? null);
    return [
      ...(member === undefined ? [] : [memberChange(place, member)]),
      ...(suppression === undefined ? [] : [suppressionChange(place, suppression)]),
      ...(counted === undefined ? [] : [absenceChange(place, counted)]),
    ];
  }

  /** A contact whose record is damaged stays so: no broadcast goes to them. */
  #contactChanges(
    serviceId: string,
    contact: FoundContact | undefined,
    update: MemberUpdate,
  ): Change[] {
    if (contact === undefined || !isReadable(contact)) return [];
    const changed = this.#contactAfter(contact, update);
    return changed === contact ? [] : [contactChange(serviceId, changed)];
  }

  /**
   * Contact after the change: one who left gets the mark, a member has none, and is not dropped as
   * a stranger.
   *
   * @returns the same contact where nothing changes.
   */
  #contactAfter(contact: ContactRecord, { member, suppression }: MemberUpdate): ContactRecord {
    const { leftLists = [] } = contact;
    const hasMark = leftLists.includes(this.name);
    if (suppression !== undefined && suppression !== null)
      return hasMark ? contact : { ...contact, leftLists: [...leftLists, this.name] };
    if (member === undefined || member === null) return contact;
    const addressed = onAddressed(contact);
    return hasMark
      ? { ...addressed, leftLists: leftLists.filter((list) => list !== this.name) }
      : addressed;
  }

  get #lock(): string {
    return `${OWN_LOCKS.list}${this.name}`;
  }
}

/**
 * Rows of a person as a change sees them: a damaged row must keep no person from leaving. A damaged
 * member can be added again, and a damaged suppression still holds.
 */
function seenOf(serviceId: string, { member, suppression, absence }: FoundMember): SeenMember {
  return {
    serviceId,
    member: member instanceof SealcastError ? undefined : member,
    suppression: suppression instanceof SealcastError ? { sinceMs: 0 } : suppression,
    absence: absence instanceof SealcastError ? undefined : absence,
  };
}
