import { randomBytes } from 'node:crypto';
import { refuse } from '../sealer/options.js';
import {
  type AttributesRecord,
  type ProfileRecord,
  attributesChange,
  loadOwnRecords,
  profileChange,
  rotationChange,
  type OwnRecords,
} from '../store/tables/account.js';
import type { Change } from '../store/store.js';
import type { AccountTransport } from '../transport/account-transport.js';
import { profileKeyChange } from '../runtime/account-record.js';
import { SendGuard } from '../runtime/send-guard.js';
import type { Capabilities } from '../access/capabilities.js';
import { attributesWith } from './attributes.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import { profileUpload } from './profile-upload.js';
import { refusalError } from '../transport/refusal-errors.js';
import { requirePrimary } from '../util/addresses.js';

const PROFILE_KEY_BYTES = 32;
interface RotationOptions {
  readonly signal: AbortSignal;
  /** Set of this device that precedes the stored one. */
  readonly capabilities: Capabilities | undefined;
}
const PENDING =
  'the new profile key is kept, and the next call or the next opening of the account finishes the change';

/**
 * Gives the account another profile key, whatever happens in between. In this order:
 *
 * 1. Store the new key as pending. From here on the rotation finishes sooner or later, with this
 *    very key: a request after a crash tells the service the same as the one before it.
 * 2. Upload the profile, encrypted with the new key. The service keeps a profile for each key: a
 *    contact with the old key sees no change.
 * 3. Register the access key of the new key. A contact with the old profile key can no longer send
 *    sealed to us; their client falls back to unsealed sends until our next message.
 * 4. In one commit, give the store's account the new key and remove the pending one. Then messages
 *    carry the new key.
 *
 * So our messages carry the old key until the service has accepted 2 and 3. While it refuses 2 or
 * 3, for hours if need be, nothing has changed for any contact: key in messages, profile and access
 * key still belong together. (With 4 before 3, contacts would get a key with which they can send
 * nothing.) A process that is killed between 3 and 4 starts with the old key and finds the pending
 * one; only messages that leave before the rotation finishes carry the key that is no longer
 * registered. And no contact ever gets the new key before 4: a contact that is blocked while the
 * key is pending does not have it.
 */
export class Rotation {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #signal: AbortSignal;
  readonly #capabilities: Capabilities | undefined;
  #running: Promise<void> | undefined;

  /** @param options.signal ends the requests to the service. */
  constructor(
    runtime: AccountRuntime,
    transport: AccountTransport,
    { signal, capabilities }: RotationOptions,
  ) {
    this.#capabilities = capabilities;
    this.#runtime = runtime;
    this.#transport = transport;
    this.#signal = signal;
  }

  /**
   * Returns the changes that make a new key pending; none if there is a pending one already.
   *
   * No contact has that one either. The caller holds the lock of the records, and commits the
   * changes.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: profile or attributes are not known;
   *   ERR_NOT_PRIMARY.
   */
  async begin(): Promise<Change[]> {
    requirePrimary(this.#runtime.account, 'rotate the profile key');
    const { profile, attributes, rotation } = await this.#load();
    checkKnown(profile, attributes);
    return rotation === undefined
      ? [rotationChange({ profileKey: randomBytes(PROFILE_KEY_BYTES) })]
      : [];
  }

  /** Whether profile and attributes are known, so that {@link begin} would not throw. */
  async isPossible(): Promise<boolean> {
    const { profile, attributes } = await this.#load();
    return profile !== undefined && attributes !== undefined;
  }

  async isPending(): Promise<boolean> {
    const { rotation } = await this.#load();
    return rotation !== undefined;
  }

  /**
   * Finishes the pending rotation, if there is one; calls at the same time share one flight.
   *
   * @throws SealcastError with which the service or the store refused it; the rotation stays
   *   pending.
   */
  async finish(): Promise<void> {
    // A rotation that began while the one before it ended is another run.
    while (await this.isPending()) await (this.#running ??= this.#run());
  }

  async #run(): Promise<void> {
    try {
      await this.#runtime.locks.with([OWN_LOCKS.service], () => this.#tellService());
    } finally {
      this.#running = undefined;
    }
  }

  async #tellService(): Promise<void> {
    const { profile, attributes, rotation } = await this.#load();
    // Another user of the same store has finished it.
    if (rotation === undefined) return;
    const { account } = this.#runtime;
    requirePrimary(account, 'rotate the profile key');
    const known = checkKnown(profile, attributes);
    const { profileKey } = rotation;
    const options = { signal: this.#signal };
    const guard = SendGuard.of(this.#runtime.options.store);
    const upload = await profileUpload(known.profile, profileKey, account.aci);
    guard.assertOwned();
    const uploaded = await this.#transport.setProfile(upload, options);
    if (uploaded.status !== 'ok')
      throw refusalError(uploaded, `the profile was not uploaded (${PENDING})`);
    const whole = attributesWith(known.attributes, account, {
      profileKey,
      capabilities: this.#capabilities,
    });
    guard.assertOwned();
    const registered = await this.#transport.setAccountAttributes(whole, options);
    if (registered.status !== 'ok')
      throw refusalError(registered, `the access key was not registered (${PENDING})`);
    await this.#runtime.locks.with([OWN_LOCKS.records], () => this.#take(profileKey));
  }

  async #take(profileKey: Uint8Array): Promise<void> {
    const { store } = this.#runtime.options;
    const { profile, attributes } = await this.#load();
    const change = await profileKeyChange(store, profileKey);
    try {
      await store.commit([
        change,
        rotationChange(undefined),
        // The rotation has sent their pending changes.
        ...(profile?.isPending === true ? [profileChange({ ...profile, isPending: false })] : []),
        ...(attributes?.isPending === true
          ? [attributesChange({ ...attributes, isPending: false })]
          : []),
      ]);
    } finally {
      change.value.fill(0);
    }
    this.#runtime.setProfileKey(profileKey);
    this.#runtime.options.telemetry.log.info({}, 'the account has a new profile key');
  }

  #load(): Promise<OwnRecords> {
    return loadOwnRecords(this.#runtime.options.store);
  }
}

function checkKnown(
  profile: ProfileRecord | undefined,
  attributes: AttributesRecord | undefined,
): { readonly profile: ProfileRecord; readonly attributes: AttributesRecord } {
  if (profile === undefined) {
    refuse(
      'profile',
      'set before a new profile key: it is encrypted with it, and what is not known would be lost',
    );
  }
  if (attributes === undefined) {
    refuse(
      'attributes',
      'given before an access key is registered: what is left out of them is cleared',
    );
  }
  return { profile, attributes };
}
