import { SealcastError } from '../errors.js';
import { checkOptions, checkSignal, refuse } from '../sealer/options.js';
import { contactChange } from '../store/tables/contacts.js';
import { onAddressed } from '../access/unanswered.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import type { Records } from '../runtime/records.js';
import { unlessAborted } from '../util/abort.js';
import { parseServiceId, isPrimary } from '../util/addresses.js';
import { OWN_CALL_NAMES, type OwnCallOptions } from './account-types.js';
import type { Rotation } from './profile-key-rotation.js';

/** Blocks contacts, and replaces the profile key that a blocked contact may have. */
export class Blocking {
  readonly #runtime: AccountRuntime;
  readonly #records: Records;
  readonly #rotation: Rotation;

  constructor(runtime: AccountRuntime, records: Records, rotation: Rotation) {
    this.#runtime = runtime;
    this.#records = records;
    this.#rotation = rotation;
  }

  /**
   * Blocks a contact, and rotates the profile key if the contact may have the present one.
   *
   * Nothing further is sent to the contact, and so nothing that has our new profile key. Every
   * message carries the profile key, and a contact that we have written to has an identity key in
   * the store: a known identity key counts as a sent message. (It may come from a message that
   * never arrived. One rotation too many does no harm.) A contact that is blocked already causes no
   * further rotation.
   *
   * A linked device blocks without a rotation, which is the primary's to make: the contact keeps
   * the profile key that they may have.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: it is no service id, or a rotation is necessary and
   *   profile or attributes were never set; then the contact is not blocked. With any other error
   *   of the service the contact is blocked, and the new key is pending: the message says so.
   */
  async block(serviceId: string, options: OwnCallOptions = {}): Promise<void> {
    const checked = parseServiceId(serviceId) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(async () => {
      await this.#commitBlock(checked);
      await this.#finishBlock(checked);
    }, signal);
  }

  /**
   * Blocks a contact as {@link block} does, where the rotation that it needs is possible.
   *
   * It is not where profile or attributes were never set.
   *
   * @returns `false` where the rotation is not possible: nothing has changed.
   * @throws SealcastError with which the rotation could not finish: the contact is blocked, and the
   *   new key is pending.
   */
  async tryBlock(serviceId: string): Promise<boolean> {
    if (!(await this.#commitBlock(serviceId, () => this.#rotation.isPossible()))) return false;
    await this.#finishBlock(serviceId);
    return true;
  }

  /**
   * Commits the block and the rotation that it needs, in one commit: with the block committed
   * first, a crash would leave the contact with a profile key that no later step would replace.
   *
   * @param mayRotate asked, with the locks held, where a rotation is necessary.
   * @returns whether the contact is blocked.
   */
  #commitBlock(
    serviceId: string,
    mayRotate: () => boolean | Promise<boolean> = () => true,
  ): Promise<boolean> {
    return this.#runtime.locks.with([serviceId, OWN_LOCKS.records], async () => {
      const contact = await this.#records.contact(serviceId);
      // A contact that the Broadcaster alone blocked still has the key.
      const isBlocked = contact.blocked && contact.blockedByPrimary !== true;
      if (isBlocked && contact.lacksProfileKey) return true;
      const mayHaveProfileKey = contact.identityKey !== undefined;
      const rotates = mayHaveProfileKey && isPrimary(this.#runtime.account);
      if (rotates && !(await mayRotate())) return false;
      const rotation = rotates ? await this.#rotation.begin() : [];
      const lacksProfileKey = rotates || !mayHaveProfileKey || contact.lacksProfileKey;
      const change = contactChange(serviceId, {
        ...onAddressed(contact),
        blocked: true,
        blockedByPrimary: false,
        lacksProfileKey,
      });
      await this.#records.commit([change, ...rotation]);
      return true;
    });
  }

  async #finishBlock(serviceId: string): Promise<void> {
    if (!isPrimary(this.#runtime.account)) return;
    try {
      await this.#rotation.finish();
    } catch (error) {
      if (!(error instanceof SealcastError)) throw error;
      const message = `the contact is blocked, but ${error.message}`;
      const { code, retryAfterMs, cause } = error;
      const facts = {
        serviceId,
        cause,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      };
      throw new SealcastError(code, message, facts);
    }
  }

  /** Unblocks a contact. The next message gives them our profile key again. */
  async unblock(serviceId: string): Promise<void> {
    const checked = parseServiceId(serviceId) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
    await this.#runtime.locks.with([checked], async () => {
      const contact = await this.#records.contact(checked);
      if (contact.blocked) {
        await this.#records.commit([
          contactChange(checked, {
            ...contact,
            blocked: false,
            blockedByPrimary: false,
            lacksProfileKey: false,
          }),
        ]);
      }
    });
  }
}
