import { isUnproven, onSealed, type Access } from '../access/access-mode.js';
import { Coalescer } from '../util/coalescer.js';
import type { Change } from '../store/store.js';
import { contactChange } from '../store/tables/contacts.js';
import type { Delivery, DeliveryRows } from './delivery.js';
import type { BroadcastContext } from './context.js';

interface Note {
  readonly delivery: Delivery;
  /** Access of a sealed message, where its acceptance teaches something about the contact. */
  readonly learned: Access | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Records how deliveries ended. Outcomes that come while one transaction is being flushed share the
 * next one.
 */
export class OutcomeWriter {
  readonly #rows: DeliveryRows;
  readonly #context: BroadcastContext;
  readonly #notes = new Coalescer<Note>({ run: (notes) => this.#write(notes) });

  constructor(rows: DeliveryRows, context: BroadcastContext) {
    this.#rows = rows;
    this.#context = context;
  }

  /**
   * Resolves once the outcome is on the disk.
   *
   * @param sealedWith access that an accepted sealed message was sent with.
   */
  record(delivery: Delivery, sealedWith?: Access): Promise<void> {
    const learned = sealedWith !== undefined && isUnproven(sealedWith) ? sealedWith : undefined;
    return new Promise((resolve, reject) =>
      this.#notes.add({ delivery, learned, resolve, reject }),
    );
  }

  async #write(notes: readonly Note[]): Promise<void> {
    try {
      await this.#writeAll(notes);
      for (const { resolve } of notes) resolve();
    } catch (error) {
      for (const { reject } of notes) reject(error);
    }
  }

  async #writeAll(notes: readonly Note[]): Promise<void> {
    const { locks, outbox } = this.#context;
    const learned = new Map(
      notes.flatMap(({ delivery, learned: access }) =>
        access === undefined ? [] : [[delivery.recipient, access]],
      ),
    );
    if (learned.size === 0) return outbox.commit(this.#rowChanges(notes));
    const serviceIds = [...learned.keys()];
    return locks.with(serviceIds, async () => {
      const contacts = await outbox.readableContacts(serviceIds);
      const updates = serviceIds.flatMap((serviceId, i): Change[] => {
        const contact = contacts[i];
        const access = learned.get(serviceId);
        if (contact === undefined || access === undefined) return [];
        const changed = onSealed(contact, access);
        return changed === contact ? [] : [contactChange(serviceId, changed)];
      });
      return outbox.commit([...this.#rowChanges(notes), ...updates]);
    });
  }

  /**
   * Makes the changes, in the step that calls commit: a recipient that asked for the message
   * meanwhile stays queued for it.
   */
  #rowChanges(notes: readonly Note[]): Change[] {
    return notes.map(({ delivery }) => this.#rows.ended(delivery));
  }
}
