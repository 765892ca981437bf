import { type ContactRecord, contactChange } from '../store/tables/contacts.js';
import type { SeenContact } from './contact-look.js';
import type { BroadcastContext } from './context.js';
import { failure, identityError, type DeliveryStep } from './delivery.js';

/**
 * Tells the application that a recipient has another identity key than before.
 *
 * The event names the recipient, and says whether the policy accepts the key. Diagnostics and log
 * carry the policy alone: neither of them names a recipient.
 */
export function tellIdentityChange(
  serviceId: string,
  { events, policies, telemetry }: Pick<BroadcastContext, 'events' | 'policies' | 'telemetry'>,
): void {
  const policy = policies.onIdentityChange;
  events.emit('identityChange', { serviceId, accepted: policy === 'accept' });
  telemetry.publish('identity-change', { policy });
  telemetry.log.warn({ policy }, 'a recipient has another identity key than before');
}

/**
 * Stores an identity key that the policy refuses, and ends the delivery.
 *
 * @param known the contact with the refused key as its pending one; as seen where it was so before.
 * @returns undefined where the contact changed since it was seen; nothing was stored.
 * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED.
 */
export function refuseIdentity(
  serviceId: string,
  { contact, revision }: SeenContact,
  known: ContactRecord,
  context: BroadcastContext,
): Promise<DeliveryStep | undefined> {
  const { guard, locks, outbox } = context;
  return locks.with([serviceId], async () => {
    if (!guard.isCurrent(serviceId, revision)) return undefined;
    if (known !== contact) await outbox.commit([contactChange(serviceId, known)]);
    tellIdentityChange(serviceId, context);
    return failure(identityError(serviceId));
  });
}
