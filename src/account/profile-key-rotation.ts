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
import type { AccountTransport } from '../transport/transport.js';
import { profileKeyChange } from '../runtime/account-record.js';
import { attributesWith } from './attributes.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/account-runtime.js';
import { profileUpload } from './profile-upload.js';
import { refusalError } from '../transport/refusal-errors.js';

const PROFILE_KEY_BYTES = 32;
const PENDING = 'the new profile key is kept, and taken up again by the next call and when the account is opened';

/**
 * Gives the account another profile key, whatever happens in between. In this order:
 *
 * 1. The new key goes into the store, as one that is on its way. From here on the rotation is finished sooner or later, with
 *    this very key: what the service was told of it before a crash is told it again, and is the same.
 * 2. The profile is uploaded, encrypted with it. The service keeps a profile for each key: who has the old key sees no change.
 * 3. Its access key is registered. Who has the old profile key can no longer send sealed to us; his client falls back to
 *    unsealed sends until our next message.
 * 4. The store's account gets the new key, and the one on its way is gone, in one commit. Then messages carry it.
 *
 * So our messages carry the old key until the service is through with the new one. When it refuses 2 or 3, for hours if it
 * must be, nothing has changed for anybody: key in messages, profile and access key still belong together. (With 4 before 3
 * it would be otherwise: contacts would be given a key with which nothing can be sent.) Whoever is killed between 3 and 4
 * starts with the old key and finds the new one on its way; a key that is no longer registered is in no more messages than
 * leave until it is finished. And nobody is ever given the new key before 4: whoever is blocked while it is on its way does
 * not have it.
 */
export class Rotation {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #signal: AbortSignal;
  #flight: Promise<void> | undefined;

  /** @param signal ends what is asked of the service. */
  constructor(runtime: AccountRuntime, transport: AccountTransport, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#signal = signal;
  }

  /**
   * What has a new key be on its way; nothing if there is one already, which nobody has either. The caller holds the lock of
   * the records, and commits it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: profile or attributes are not known.
   */
  async begin(): Promise<Change[]> {
    const { profile, attributes, rotation } = await this.#load();
    checkKnown(profile, attributes);
    return rotation === undefined ? [rotationChange({ profileKey: randomBytes(PROFILE_KEY_BYTES) })] : [];
  }

  async isPending(): Promise<boolean> {
    const { rotation } = await this.#load();
    return rotation !== undefined;
  }

  /**
   * Finishes what is on its way, if anything is; all who ask at once share it.
   *
   * @throws SealcastError what the service or the store refused it with; it stays on its way.
   */
  async finish(): Promise<void> {
    // One that was begun while the one before it ended is another flight.
    while (await this.isPending()) await (this.#flight ??= this.#fly());
  }

  async #fly(): Promise<void> {
    try {
      await this.#runtime.locks.with([OWN_LOCKS.service], () => this.#tellService());
    } finally {
      this.#flight = undefined;
    }
  }

  async #tellService(): Promise<void> {
    const { profile, attributes, rotation } = await this.#load();
    // Another one on the same store has finished it.
    if (rotation === undefined) return;
    const known = checkKnown(profile, attributes);
    const { profileKey } = rotation;
    const { account } = this.#runtime;
    const options = { signal: this.#signal };
    const upload = await profileUpload(known.profile, profileKey, account.aci);
    const uploaded = await this.#transport.setProfile(upload, options);
    if (uploaded.status !== 'ok') throw refusalError(uploaded, `the profile was not uploaded (${PENDING})`);
    const whole = attributesWith(known.attributes, account, profileKey);
    const registered = await this.#transport.setAccountAttributes(whole, options);
    if (registered.status !== 'ok') throw refusalError(registered, `the access key was not registered (${PENDING})`);
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
        // What was on its way of them went with it.
        ...(profile?.isPending === true ? [profileChange({ ...profile, isPending: false })] : []),
        ...(attributes?.isPending === true ? [attributesChange({ ...attributes, isPending: false })] : []),
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
    refuse('profile', 'set before a new profile key: it is encrypted with it, and what is not known would be lost');
  }
  if (attributes === undefined) {
    refuse('attributes', 'given before an access key is registered: what is left out of them is cleared');
  }
  return { profile, attributes };
}
