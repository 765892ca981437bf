import { onTimePassed } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import { NEW_CONTACT, decodeContact, encodeContact, type ContactRecord } from '../store/records.js';
import type { Change, Store } from '../store/store.js';
import type { Clock } from '../util/clock.js';
import { SendGuard } from './send-guard.js';

export const sessionKey = (serviceId: string, deviceId: number): string => `${serviceId}.${deviceId}`;

/** Contacts and sessions in a store, in records of their own. */
export class Records {
  protected readonly store: Store;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #guard: SendGuard;

  constructor(store: Store, clock: Pick<Clock, 'now'>) {
    this.store = store;
    this.#clock = clock;
    this.#guard = SendGuard.of(store);
  }

  /** All of it, or nothing. Every change of a contact goes through here, so that no request begins on what it was before. */
  async commit(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.store.commit(changes);
    } finally {
      // Also of a commit that failed: what is on disk then is for the next read to tell.
      this.#guard.noteCommitted(changes);
    }
  }

  async contacts(serviceIds: readonly string[]): Promise<ContactRecord[]> {
    const values = await this.store.getMany('contact', serviceIds);
    const nowMs = this.#clock.now();
    return values.map((value) => (value === undefined ? NEW_CONTACT : onTimePassed(decodeContact(value), nowMs)));
  }

  async contact(serviceId: string): Promise<ContactRecord> {
    const [contact] = await this.contacts([serviceId]);
    // One key, one value.
    if (contact === undefined) throw new SealcastError('ERR_STORE_FAILED', 'the store gave no answer');
    return contact;
  }

  sessions(addresses: readonly string[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return this.store.getMany('session', addresses);
  }
}

export const contactChange = (serviceId: string, contact: ContactRecord): Change => ({
  table: 'contact',
  key: serviceId,
  value: encodeContact(contact),
});
export const sessionChange = (serviceId: string, deviceId: number, record: Uint8Array): Change => ({
  table: 'session',
  key: sessionKey(serviceId, deviceId),
  value: record,
});
