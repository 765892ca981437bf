import { withPrimaryBlock } from '../access/contact-sync.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import type { Records } from '../runtime/records.js';
import { blockedSyncChange, loadBlockedSync } from '../store/tables/own-sync.js';
import { contactChange, scanContacts } from '../store/tables/contacts.js';
import { TimeSlicer } from '../util/time-slicer.js';

/** Contacts whose locks are held together. */
const CHUNK_CONTACTS = 256;

/**
 * Applies the primary device's list of blocked contacts to their records.
 *
 * The list is on the disk, in the commit of the message that it came in, until all contacts have
 * it. A contact that a caller of ours blocked is not in the list, and stays blocked.
 */
export class BlockedList {
  readonly #runtime: AccountRuntime;
  readonly #records: Records;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(runtime: AccountRuntime, records: Records) {
    this.#runtime = runtime;
    this.#records = records;
  }

  /** Applies the list that waits, if there is one, after those before it. Never throws. */
  apply(): void {
    this.#running = this.#running
      .then(() => this.#apply())
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        const code = (error as { code?: unknown }).code ?? 'UNKNOWN';
        const { log } = this.#runtime.options.telemetry;
        log.warn({ code }, 'apply the list of blocked contacts: failed');
      });
  }

  /** Stops; the next opening applies the rest. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#running;
  }

  async #apply(): Promise<void> {
    const { store } = this.#runtime.options;
    const list = await loadBlockedSync(store);
    if (list === undefined) return;
    const blocked = new Set(list);
    const affected = [...blocked];
    const slicer = new TimeSlicer();
    for await (const { serviceId, contact } of scanContacts(store)) {
      if (contact.blockedByPrimary === true && !blocked.has(serviceId)) affected.push(serviceId);
      if (slicer.isOver) await slicer.next();
    }
    for (let at = 0; at < affected.length; at += CHUNK_CONTACTS) {
      if (this.#isClosed) return;
      await this.#applyTo(affected.slice(at, at + CHUNK_CONTACTS), blocked);
    }
    await this.#runtime.locks.with([OWN_LOCKS.records], async () => {
      // A newer list may have come meanwhile.
      const now = await loadBlockedSync(store);
      if (now?.join() === list.join()) await this.#records.commit([blockedSyncChange(undefined)]);
    });
  }

  async #applyTo(serviceIds: readonly string[], blocked: ReadonlySet<string>): Promise<void> {
    await this.#runtime.locks.with(serviceIds, async () => {
      const contacts = await this.#records.readableContacts(serviceIds);
      const changes = serviceIds.flatMap((serviceId, i) => {
        const contact = contacts[i];
        if (contact === undefined) return [];
        const changed = withPrimaryBlock(contact, blocked.has(serviceId));
        return changed === contact ? [] : [contactChange(serviceId, changed)];
      });
      await this.#records.commit(changes);
    });
  }
}
