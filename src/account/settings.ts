import { ACCESS_KEY_BYTES, deriveAccessKey } from '../access/access-key.js';
import { accessKeyFor } from '../access/access-mode.js';
import { SealcastError } from '../errors.js';
import { checkOptions, checkSignal, refuse } from '../sealer/options.js';
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
import type { Capabilities } from '../access/capabilities.js';
import { attributesWith, checkAttributes, type AttributesInput } from './attributes.js';
import {
  ACCESS_KEY_NAMES,
  OWN_CALL_NAMES,
  type AccessKeyOptions,
  type OwnCallOptions,
  type UnidentifiedAccess,
  type UnidentifiedAccessPair,
} from './account-types.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { OWN_LOCKS } from '../runtime/own-locks.js';
import { parseServiceId, isPrimary, requirePrimary } from '../util/addresses.js';
import { checkProfile, profileUpload, type ProfileInput } from './profile-upload.js';
import { Records } from '../runtime/records.js';
import { SendGuard } from '../runtime/send-guard.js';
import { isDefinite, refusalError } from '../transport/refusal-errors.js';
import { Blocking } from './blocking.js';
import { Rotation } from './profile-key-rotation.js';
import { unlessAborted, withAnySignal } from '../util/abort.js';

const AGAIN =
  'whether the service did it is not known; it is told again by the next call and when the account is opened';

/**
 * Settings of our own account on the service: the profile and the access key for sealed sends to
 * us.
 *
 * The store keeps them as the caller gave them. {@link finishPending} finishes everything of them
 * that a crash or an outage of the service leaves half done.
 *
 * Only the primary device changes them: attributes of a linked device replace the owner's
 * registration lock and access key, and the primary does not learn of a new profile key.
 */
export class OwnAccount {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #records: Records;
  readonly #guard: SendGuard;
  readonly #closing = new AbortController();
  readonly #rotation: Rotation;
  readonly #blocking: Blocking;
  readonly #capabilities: Capabilities | undefined;

  /** @param capabilities set of this device that precedes the stored one. */
  constructor(runtime: AccountRuntime, transport: AccountTransport, capabilities?: Capabilities) {
    this.#capabilities = capabilities;
    this.#runtime = runtime;
    this.#transport = transport;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#guard = SendGuard.of(runtime.options.store);
    const { signal } = this.#closing;
    this.#rotation = new Rotation(runtime, transport, { signal, capabilities });
    this.#blocking = new Blocking(runtime, this.#records, this.#rotation);
  }

  /**
   * Ends requests to the service with ERR_ABORTED.
   *
   * The next opening of the account resumes them.
   */
  close(): void {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
  }

  /**
   * Stores the account's attributes, all of them.
   *
   * The service gets them with the next registration of an access key, never a part of them.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_NOT_PRIMARY; as the store.
   */
  async setAttributes(attributes: AttributesInput): Promise<void> {
    this.#requirePrimary('set the attributes');
    // Before any wait: the caller hears of a wrong argument at once, and may reuse its arrays.
    const checked = checkAttributes(attributes, undefined);
    await this.#change(({ attributes: known }) => {
      const { unrestricted, isPending } = known ?? checked;
      return [attributesChange({ ...checked, unrestricted, isPending })];
    });
  }

  /**
   * Registers the access key of our profile key, with all attributes.
   *
   * From then on, a contact that has the profile key may send sealed to us
   * (`PUT /v1/accounts/attributes/`).
   *
   * @param options choices of the registration.
   * @param options.unrestricted whether any sender may, with any key. Remains as it is, over new
   *   profile keys and restarts, until the caller gives it again.
   * @throws SealcastError ERR_INVALID_ARGUMENT: there are no attributes ({@link setAttributes}), or
   *   there is no profile key; ERR_NOT_PRIMARY; then nothing was sent. ERR_RATE_LIMITED,
   *   ERR_SERVICE_REJECTED: nothing has changed. ERR_SERVICE_UNAVAILABLE: a later attempt sends it
   *   again.
   */
  async registerAccessKey(options: AccessKeyOptions = {}): Promise<void> {
    this.#requirePrimary('register the access key');
    const { unrestricted, signal } = checkOptions(options, ACCESS_KEY_NAMES);
    if (unrestricted !== undefined && typeof unrestricted !== 'boolean')
      refuse('unrestricted', 'true or false');
    await unlessAborted(() => this.#registerAccessKey(unrestricted), checkSignal(signal));
  }

  async #registerAccessKey(unrestricted: boolean | undefined): Promise<void> {
    const isRotating = await this.#exclusively(async () => {
      this.#profileKey();
      const before = await this.#change(
        ({ attributes = refuse('attributes', 'given before an access key is') }) => [
          attributesChange({
            ...attributes,
            unrestricted: unrestricted ?? attributes.unrestricted,
            isPending: true,
          }),
        ],
      );
      // A pending rotation sends the attributes too: to send them here as well would register one
      // access key right after the other.
      if (before.rotation !== undefined) return true;
      await this.#sendAttributes(before.attributes);
      return false;
    });
    if (isRotating) await this.#rotation.finish();
  }

  /** @param before the record that still holds if the service refuses. */
  async #sendAttributes(before: AttributesRecord | undefined): Promise<void> {
    const { attributes } = await this.#load();
    if (attributes === undefined) return;
    const whole = attributesWith(attributes, this.#runtime.account, {
      profileKey: this.#profileKey(),
      capabilities: this.#capabilities,
    });
    this.#guard.assertOwned();
    const answer = await this.#transport.setAccountAttributes(whole, {
      signal: this.#closing.signal,
    });
    const isTaken = answer.status === 'ok';
    if (isTaken || isDefinite(answer)) {
      const unrestricted = (isTaken ? attributes : (before ?? attributes)).unrestricted;
      const isPending = !isTaken && before?.isPending === true;
      await this.#change(({ attributes: known = attributes }) => [
        attributesChange({ ...known, unrestricted, isPending }),
      ]);
    }
    if (!isTaken) {
      const what = 'the access key was not registered';
      throw refusalError(answer, isDefinite(answer) ? what : `${what} (${AGAIN})`);
    }
  }

  /**
   * Sets our profile, all of it (`PUT /v1/profile`), and stores it.
   *
   * Contacts that have our profile key can read it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; also: there is no profile key. ERR_NOT_PRIMARY.
   *   ERR_RATE_LIMITED, ERR_SERVICE_REJECTED: the profile is as before. ERR_SERVICE_UNAVAILABLE: a
   *   later attempt uploads it again.
   */
  async setProfile(profile: ProfileInput, options: OwnCallOptions = {}): Promise<void> {
    this.#requirePrimary('set the profile');
    const checked = checkProfile(profile);
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(() => this.#setProfile({ ...checked, isPending: true }), signal);
  }

  async #setProfile(profile: ProfileRecord): Promise<void> {
    const isRotating = await this.#exclusively(async () => {
      this.#profileKey();
      const before = await this.#change(() => [profileChange(profile)]);
      if (before.rotation !== undefined) return true;
      await this.#uploadProfile(profile, before.profile);
      return false;
    });
    if (isRotating) await this.#rotation.finish();
  }

  /** @param before the record that still holds if the service refuses. */
  async #uploadProfile(profile: ProfileRecord, before: ProfileRecord | undefined): Promise<void> {
    const upload = await profileUpload(profile, this.#profileKey(), this.#runtime.account.aci);
    this.#guard.assertOwned();
    const answer = await this.#transport.setProfile(upload, { signal: this.#closing.signal });
    const isTaken = answer.status === 'ok';
    if (isTaken) await this.#change(() => [profileChange({ ...profile, isPending: false })]);
    else if (isDefinite(answer)) await this.#change(() => [profileChange(before)]);
    if (!isTaken) {
      const what = 'the profile was not uploaded';
      throw refusalError(answer, isDefinite(answer) ? what : `${what} (${AGAIN})`);
    }
  }

  /**
   * Gives the account a new, random profile key.
   *
   * The rotation encrypts the profile with the new key and registers its access key; messages carry
   * the new key from then on. A contact that had the old key can no longer read changes of the
   * profile, nor send sealed to us, until a message of ours reaches them. Calls at the same time
   * share one rotation. The rotation loses an avatar: it was encrypted with the old key.
   *
   * See {@link Rotation} for the state at each moment of it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: profile or attributes were never set, and nothing
   *   was changed. ERR_NOT_PRIMARY. ERR_RATE_LIMITED, ERR_SERVICE_REJECTED, ERR_SERVICE_UNAVAILABLE, ERR_ABORTED:
   *   the new key is pending; the next call or the next opening of the account resumes the
   *   rotation.
   */
  async rotateProfileKey(options: OwnCallOptions = {}): Promise<void> {
    this.#requirePrimary('rotate the profile key');
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(async () => {
      await this.#locked([OWN_LOCKS.records], async () =>
        this.#records.commit(await this.#rotation.begin()),
      );
      await this.#rotation.finish();
    }, signal);
  }

  /** As {@link Blocking.block}. */
  block(serviceId: string, options?: OwnCallOptions): Promise<void> {
    return this.#blocking.block(serviceId, options);
  }

  /** As {@link Blocking.tryBlock}. */
  tryBlock(serviceId: string): Promise<boolean> {
    return this.#blocking.tryBlock(serviceId);
  }

  /** As {@link Blocking.unblock}. */
  unblock(serviceId: string): Promise<void> {
    return this.#blocking.unblock(serviceId);
  }

  /**
   * Finishes changes that a crash or the service left half done.
   *
   * These are a new profile key, a profile, an access key. The account calls it when it opens. A
   * linked device drops them instead: an earlier version began them.
   *
   * @throws SealcastError as the operations that it finishes.
   */
  async finishPending(options: OwnCallOptions = {}): Promise<void> {
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    if (!isPrimary(this.#runtime.account)) {
      await this.#dropPending();
      return;
    }
    await unlessAborted(async () => {
      // The rotation sends profile and attributes too.
      await this.#rotation.finish();
      await this.#exclusively(async () => {
        const { profile, attributes } = await this.#load();
        // The service was told of both before: no older record is known to hold, so each is its own
        // `before`. Neither waits until the service has taken the other.
        const results = await Promise.allSettled([
          profile?.isPending === true ? this.#uploadProfile(profile, profile) : undefined,
          attributes?.isPending === true ? this.#sendAttributes(attributes) : undefined,
        ]);
        for (const result of results) if (result.status === 'rejected') throw result.reason;
      });
    }, signal);
  }

  /** Forgets the changes that only the primary device may send. */
  async #dropPending(): Promise<void> {
    const { rotation, profile, attributes } = await this.#change(
      ({ rotation, profile, attributes }) => [
        ...(rotation === undefined ? [] : [rotationChange(undefined)]),
        ...(profile?.isPending === true ? [profileChange({ ...profile, isPending: false })] : []),
        ...(attributes?.isPending === true
          ? [attributesChange({ ...attributes, isPending: false })]
          : []),
      ],
    );
    const hadPending =
      rotation !== undefined || profile?.isPending === true || attributes?.isPending === true;
    if (!hadPending) return;
    this.#runtime.options.telemetry.log.warn(
      { code: 'ERR_NOT_PRIMARY' },
      'pending account changes dropped: only the primary device may send them',
    );
  }

  #requirePrimary(operation: string): void {
    requirePrimary(this.#runtime.account, operation);
  }

  /**
   * Returns the access for sealed sends to the contact and to our own other devices.
   *
   * Waits for a sender certificate as a broadcast does.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_ABORTED
   */
  async unidentifiedAccess(
    serviceId: string,
    options: OwnCallOptions = {},
  ): Promise<UnidentifiedAccessPair> {
    const checked = checkServiceId(serviceId);
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    const before = await this.#accessKeys(checked);
    if (before.target === null && before.self === null) return { target: null, self: null };
    const { bytes: certificate } = await withAnySignal([signal, this.#closing.signal], (either) =>
      unlessAborted(() => this.#runtime.certificates.get(either), either),
    );
    // The certificate may take long: the contact may be blocked by now, or a key replaced.
    const { target, self } = await this.#accessKeys(checked);
    const accessWith = (accessKey: Uint8Array<ArrayBuffer> | null): UnidentifiedAccess | null =>
      accessKey && { accessKey, certificate: Uint8Array.from(certificate) };
    return { target: accessWith(target), self: accessWith(self) };
  }

  /** Access keys for sealed sends to the contact and to our own other devices, as of now. */
  async #accessKeys(
    serviceId: string,
  ): Promise<Record<'target' | 'self', Uint8Array<ArrayBuffer> | null>> {
    const [contact, { attributes }] = await Promise.all([
      this.#records.contact(serviceId),
      this.#load(),
    ]);
    const target = contact.blocked ? null : accessKeyFor(serviceId, contact);
    if (attributes?.unrestricted === true)
      return { target, self: new Uint8Array(ACCESS_KEY_BYTES) };
    const { profileKey } = this.#runtime.account;
    return { target, self: profileKey === undefined ? null : deriveAccessKey(profileKey) };
  }

  #profileKey(): Uint8Array {
    return this.#runtime.account.profileKey ?? refuse('account.profileKey', 'known');
  }

  #load(): Promise<OwnRecords> {
    return loadOwnRecords(this.#runtime.options.store);
  }

  /** @returns the records before the change. */
  #change(changesTo: (records: OwnRecords) => readonly Change[]): Promise<OwnRecords> {
    return this.#locked([OWN_LOCKS.records], async () => {
      const records = await this.#load();
      await this.#records.commit(changesTo(records));
      return records;
    });
  }

  /** Serializes requests that change account state on the service. */
  #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#locked([OWN_LOCKS.service], work);
  }

  #locked<Result>(names: readonly string[], work: () => Promise<Result>): Promise<Result> {
    return this.#runtime.locks.with(names, work);
  }
}

function checkServiceId(value: unknown): string {
  return parseServiceId(value) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
}
