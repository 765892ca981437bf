import { maySend, takesSealed } from '../access/access-mode.js';
import { awaitsAcceptance, isOtherIdentity } from '../access/contact-identity.js';
import { carriesNoOtherKey } from '../access/profile-key-mark.js';
import type { Policies } from '../runtime/options.js';
import type { AccountRecord } from '../store/tables/account.js';
import type { ContactRecord } from '../store/tables/contacts.js';
import type { OutboxRecord } from '../store/tables/outbox.js';
import type { SeenContact } from './contact-look.js';
import {
  deniedError,
  failure,
  refusalFor,
  selfError,
  type DeliveryStep,
  type EncryptedDelivery,
} from './delivery.js';

/** Ciphertexts as a row or a delivery has them. */
type Ciphertexts = Pick<EncryptedDelivery, 'identityKey' | 'profileKeyMark'>;

/** Facts of the account, and the user's decisions, that a check depends on. */
export interface CheckContext {
  readonly account: () => Pick<AccountRecord, 'aci' | 'profileKey'>;
  readonly policies: Pick<Policies, 'onIdentityChange' | 'unsealedFallback'>;
  /** Name of the list that the recipients come from, if they come from one. */
  readonly list?: string | undefined;
}

/**
 * Checks what may go to a contact: ciphertexts of an earlier encryption, and whether to encrypt at
 * all.
 */
export class DeliveryCheck {
  readonly #context: CheckContext;

  constructor(context: CheckContext) {
    this.#context = context;
  }

  /**
   * Whether a ciphertext for the identity key may go to the contact: it is the key that the contact
   * is known by, and no other one waits to be accepted.
   */
  isFor(contact: ContactRecord, encryptedFor: Uint8Array | undefined): boolean {
    if (encryptedFor === undefined || isOtherIdentity(contact, encryptedFor)) return false;
    return !awaitsAcceptance(contact, this.#context.policies.onIdentityChange);
  }

  /**
   * Whether ciphertexts may go to the contact: they are for its identity key, and carry no profile
   * key that was replaced.
   */
  isUsable(contact: ContactRecord, { identityKey, profileKeyMark }: Ciphertexts): boolean {
    const { profileKey } = this.#context.account();
    return this.isFor(contact, identityKey) && carriesNoOtherKey(profileKeyMark, profileKey);
  }

  /** Makes a delivery of the row's ciphertexts. @returns undefined where it has no usable ones. */
  deliveryOf(
    serviceId: string,
    { contact, revision }: SeenContact,
    row: OutboxRecord | undefined,
  ): EncryptedDelivery | undefined {
    if (row?.state !== 'encrypted' || !this.isUsable(contact, row)) return undefined;
    const { identityKey, devices, profileKeyMark } = row;
    return { serviceId, access: contact, revision, identityKey, devices, profileKeyMark };
  }

  /**
   * Next step of a recipient where it is clear without a session.
   *
   * @returns undefined where the delivery had ended before.
   */
  stepWithoutSession(
    serviceId: string,
    seen: SeenContact,
    row: OutboxRecord | undefined,
  ): DeliveryStep | undefined | 'to-encrypt' {
    const { contact } = seen;
    if (row?.state === 'done') return undefined;
    const refused = refusalFor(serviceId, contact, this.#context);
    if (refused !== undefined) return refused;
    const delivery = this.deliveryOf(serviceId, seen, row);
    if (delivery !== undefined) return { kind: 'encrypted', delivery };
    if (serviceId === this.#context.account().aci) return failure(selfError(serviceId));
    const isSealed = takesSealed(serviceId, contact);
    if (!maySend(isSealed, this.#context.policies)) return failure(deniedError(serviceId));
    return 'to-encrypt';
  }
}
