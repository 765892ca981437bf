import { onTimePassed } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import {
  findContacts,
  isReadable,
  type ContactRecord,
  type FoundContact,
} from '../store/tables/contacts.js';
import { loadSessions, sessionChange, sessionKey } from '../store/tables/sessions.js';
import type { Change, Store } from '../store/store.js';
import type { Clock } from '../util/clock.js';
import type { StoredChange, WorkerReadable } from '../store/lmdb/worker-records.js';
import { SendGuard, type TouchedContacts } from './send-guard.js';
import type { SessionClient } from '../session/session-client.js';

/** Records of the contacts and sessions in a store. */
export class Records {
  protected readonly store: Store;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #guard: SendGuard;

  constructor(store: Store, clock: Pick<Clock, 'now'>) {
    this.store = store;
    this.#clock = clock;
    this.#guard = SendGuard.of(store);
  }

  /**
   * Commits all of the changes, or none.
   *
   * Every change of a contact goes through here, so that no request begins on an older record.
   */
  async commit(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.store.commit(changes);
    } finally {
      // Also after a failed commit: the next read tells what is on disk.
      this.#guard.noteCommitted(changes);
    }
  }

  /**
   * Commits changes that a worker made, in their stored form.
   *
   * @param touched contacts whose records, and those whose sessions, are among the changes.
   */
  async commitStored(
    store: WorkerReadable,
    changes: readonly StoredChange[],
    touched: TouchedContacts,
  ): Promise<void> {
    if (changes.length === 0) return;
    try {
      await store.commitStored(changes);
    } finally {
      this.#guard.noteTouched(touched);
    }
  }

  /** Loads contacts; an error in place of each whose record is damaged. */
  async findContacts(serviceIds: readonly string[]): Promise<FoundContact[]> {
    const contacts = await findContacts(this.store, serviceIds);
    const nowMs = this.#clock.now();
    return contacts.map((contact) =>
      isReadable(contact) ? onTimePassed(contact, nowMs) : contact,
    );
  }

  /** Loads contacts; undefined in place of each whose record is damaged. */
  async readableContacts(serviceIds: readonly string[]): Promise<(ContactRecord | undefined)[]> {
    const contacts = await this.findContacts(serviceIds);
    return contacts.map((contact) => (isReadable(contact) ? contact : undefined));
  }

  /** @throws SealcastError ERR_STORE_FAILED, with `table`: the contact's record is damaged. */
  async contact(serviceId: string): Promise<ContactRecord> {
    const [contact] = await this.findContacts([serviceId]);
    // One key, one value.
    if (contact === undefined)
      throw new SealcastError('ERR_STORE_FAILED', 'the store gave no answer');
    if (!isReadable(contact)) throw contact;
    return contact;
  }

  sessions(addresses: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return loadSessions(this.store, addresses);
  }
}

/**
 * Returns the changes that archive a contact's sessions with these devices.
 *
 * No message is encrypted with an archived session; a message that comes late can still be
 * decrypted. The caller holds the contact's lock, and commits the changes.
 */
export async function archiveSessions(
  records: Records,
  sessionClient: SessionClient,
  serviceId: string,
  deviceIds: readonly number[],
): Promise<Change[]> {
  const sessions = await records.sessions(
    deviceIds.map((deviceId) => sessionKey(serviceId, deviceId)),
  );
  const known = deviceIds.flatMap((deviceId, i) => {
    const record = sessions[i];
    return record === undefined ? [] : [{ deviceId, record }];
  });
  const archived = await sessionClient.archive(known.map(({ record }) => record));
  return known.flatMap(({ deviceId }, i) => {
    const record = archived[i];
    return record === undefined ? [] : [sessionChange(serviceId, deviceId, record)];
  });
}
