import type { ContactRecord } from '../store/tables/contacts.js';
import type { BroadcastContext } from './context.js';
import { refusalFor, type DeliveryStep } from './delivery.js';

/** Contact, and the revision at which it was read. */
export interface SeenContact {
  readonly contact: ContactRecord;
  /** See `SendGuard`. */
  readonly revision: number;
}

/** Reads contacts for the steps of a delivery, with and without their locks. */
export class ContactLook {
  readonly #context: Pick<BroadcastContext, 'guard' | 'locks' | 'outbox' | 'list'>;

  constructor(context: Pick<BroadcastContext, 'guard' | 'locks' | 'outbox' | 'list'>) {
    this.#context = context;
  }

  /**
   * Reads the contact as it is now, without its lock: the guard, or a look under the lock, checks
   * again before a step acts on it.
   *
   * @param before an earlier look, which is not repeated where it still holds.
   */
  async look(serviceId: string, before?: SeenContact): Promise<SeenContact> {
    const { guard, outbox } = this.#context;
    if (before !== undefined && guard.isCurrent(serviceId, before.revision)) return before;
    const { revision } = guard;
    return { revision, contact: await outbox.contact(serviceId) };
  }

  /**
   * Runs a step with the contact as it is by now, under its lock. Nothing further is encrypted for
   * a contact that was blocked since the broadcast began: it would carry the profile key that
   * replaced the one that the contact has. Nor for one that left the broadcast's list.
   */
  withCurrent<Next extends DeliveryStep | undefined>(
    serviceId: string,
    step: (contact: ContactRecord) => Promise<Next>,
  ): Promise<Next | DeliveryStep> {
    return this.#context.locks.with([serviceId], async () => {
      const contact = await this.#context.outbox.contact(serviceId);
      return refusalFor(serviceId, contact, this.#context) ?? step(contact);
    });
  }
}
