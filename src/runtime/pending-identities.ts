import { SealcastError } from '../errors.js';
import { checkPublicKey, refuse, type PublicKeyInput } from '../sealer/options.js';
import { contactChange, scanContacts } from '../store/tables/contacts.js';
import type { PendingIdentity } from '../account/account-types.js';
import { archiveSessions, Records } from './records.js';
import { onAccepted } from '../access/contact-identity.js';
import { onAddressed } from '../access/unanswered.js';
import type { AccountRuntime } from './account-runtime.js';
import { parseServiceId } from '../util/addresses.js';

/** New identity keys of contacts that wait to be accepted. */
export class Identities {
  readonly #runtime: AccountRuntime;
  readonly #records: Records;

  constructor(runtime: AccountRuntime) {
    this.#runtime = runtime;
    this.#records = new Records(runtime.options.store, runtime.clock);
  }

  /** See `Broadcaster.acceptIdentity`. */
  async accept(serviceId: string, identityKey?: PublicKeyInput): Promise<void> {
    const checked = parseServiceId(serviceId) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
    const meant =
      identityKey === undefined
        ? undefined
        : Buffer.of(5, ...checkPublicKey(identityKey, 'identityKey'));
    await this.#runtime.locks.with([checked], async () => {
      const contact = await this.#records.contact(checked);
      const { identityKey: known, pendingIdentityKey: pending, devices } = contact;
      if (pending === undefined) {
        if (meant !== undefined && known !== undefined && meant.equals(known)) return;
        refuse('serviceId', 'that of a contact whose new identity key waits');
      }
      if (meant?.equals(pending) === false) {
        const message =
          'the identity key that waits is another one than the one given: it changed again';
        throw new SealcastError('ERR_IDENTITY_CHANGED', message, { serviceId: checked });
      }
      const deviceIds = devices.map(({ deviceId }) => deviceId);
      const archived = await archiveSessions(
        this.#records,
        this.#runtime.sessionClient,
        checked,
        deviceIds,
      );
      await this.#records.commit([
        ...archived,
        contactChange(checked, onAddressed(onAccepted(contact))),
      ]);
    });
  }

  /** See `Broadcaster.pendingIdentities`. */
  async *pending(): AsyncGenerator<PendingIdentity, void, void> {
    for await (const { serviceId, contact } of scanContacts(this.#runtime.options.store)) {
      const { pendingIdentityKey } = contact;
      if (pendingIdentityKey !== undefined)
        yield { serviceId, identityKey: Uint8Array.from(pendingIdentityKey) };
    }
  }
}
