import { SealcastError } from '../errors.js';
import { LruMap } from '../util/lru-map.js';
import type { Change, Store } from '../store/store.js';
import { contactsIn } from '../store/tables/contacts.js';
import { contactsWithSessionsIn } from '../store/tables/sessions.js';

/** Contacts whose last changes are remembered: about 2 MB each for contacts and for sessions. */
const MAX_REMEMBERED = 16_384;

/** Revisions of the last changes of names. */
class LastChanges {
  /** The oldest change first. */
  readonly #revisions = new LruMap<string, number>(MAX_REMEMBERED);
  /** Revision of the latest change that was forgotten. */
  #forgotten = 0;

  note(name: string, revision: number): void {
    const forgotten = this.#revisions.set(name, revision);
    if (forgotten !== undefined) this.#forgotten = forgotten[1];
  }

  /** Whether the name had no change since; `false` also where that is no longer known. */
  isCurrent(name: string, revision: number): boolean {
    return revision >= (this.#revisions.peek(name) ?? this.#forgotten);
  }
}

/** Service ids of contacts in a commit: those whose records it writes, and whose sessions. */
export interface TouchedContacts {
  readonly contacts: readonly string[];
  readonly sessions: readonly string[];
}

const guards = new WeakMap<Store, SendGuard>();

/**
 * Last check before a request that concerns a contact.
 *
 * It checks that what was read of the contact still holds, and that the store is ours.
 *
 * A message is encrypted, sealed and queued long before its request begins, so its block list
 * entry, access mode, profile key and identity key were read long before, too. Each read remembers
 * its revision, and {@link SendGuard.mayBegin} compares it with the contact's last change: a map
 * look-up for each request, and a second read only after a write in between. The caller asks
 * synchronously before the request, and reads again on `false`.
 *
 * `Records.commit` notes every change of a contact once it is on disk, and before its caller hears
 * of it. So from the moment at which `setBlocked` resolves, no request to the contact begins.
 */
export class SendGuard {
  readonly #store: Pick<Store, 'mayAct'>;
  readonly #contacts = new LastChanges();
  readonly #sessions = new LastChanges();
  #revision = 0;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** The guard of a store: one for all that read and write it. */
  static of(store: Store): SendGuard {
    const known = guards.get(store);
    if (known !== undefined) return known;
    const guard = new SendGuard(store);
    guards.set(store, guard);
    return guard;
  }

  /** Revision to read before a contact is read, or while its lock is held. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Returns whether a request may begin with what was read of the contact at `revision`.
   *
   * @throws SealcastError ERR_STORE_LOCKED: another process has taken the store over, and sends
   *   from it.
   */
  mayBegin(serviceId: string, revision: number): boolean {
    this.assertOwned();
    return this.isCurrent(serviceId, revision);
  }

  /**
   * Checks that the store is ours, right before a request that concerns no contact.
   *
   * @throws SealcastError ERR_STORE_LOCKED: another process has taken the store over, and acts for
   *   the account.
   */
  assertOwned(): void {
    if (this.#store.mayAct?.() === false) {
      throw new SealcastError(
        'ERR_STORE_LOCKED',
        'another writer has taken the store over: nothing more is sent',
      );
    }
  }

  /** Returns whether the contact had no write since; `false` also where that is no longer known. */
  isCurrent(serviceId: string, revision: number): boolean {
    return this.#contacts.isCurrent(serviceId, revision);
  }

  /**
   * As {@link SendGuard.isCurrent}, for the contact's sessions, which its lock guards.
   *
   * A commit under way notes its changes before its lock is released, so the holder of the lock
   * misses none.
   */
  areSessionsCurrent(serviceId: string, revision: number): boolean {
    return this.#sessions.isCurrent(serviceId, revision);
  }

  /** Notes the contacts, and the owners of sessions, among the changes of a commit. */
  noteCommitted(changes: readonly Change[]): void {
    this.noteTouched({
      contacts: contactsIn(changes),
      sessions: contactsWithSessionsIn(changes),
    });
  }

  /** As {@link SendGuard.noteCommitted}, where the caller knows whom the changes are about. */
  noteTouched({ contacts, sessions }: TouchedContacts): void {
    for (const serviceId of contacts) this.#contacts.note(serviceId, ++this.#revision);
    for (const serviceId of sessions) this.#sessions.note(serviceId, ++this.#revision);
  }
}
