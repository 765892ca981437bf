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
  type OwnRecords,
} from '../store/tables/account.js';
import type { Change } from '../store/store.js';
import type { AccountTransport } from '../transport/transport.js';
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
import { parseServiceId } from '../util/service-id.js';
import { OWN_LOCKS } from '../runtime/account-runtime.js';
import { checkProfile, profileUpload, type ProfileInput } from './profile-upload.js';
import { contactChange } from '../store/tables/contacts.js';
import { Records } from '../runtime/records.js';
import { isDefinite, refusalError } from '../transport/refusal-errors.js';
import { Rotation } from './profile-key-rotation.js';
import { unlessAborted, withAnySignal } from '../util/abort.js';

const AGAIN =
  'whether the service did it is not known; it is told again by the next call and when the account is opened';

/**
 * What the service knows of our own account: the profile, and with which access key others may send
 * to us sealed. It is kept in the store as it was given, and everything of it that a crash, or a
 * service that is away, leaves half done is finished by {@link finishPending}.
 *
 * On a linked device, the primary hears nothing of a new profile key: it is told by the account's
 * storage, which is not supported. Rotate where the primary is.
 */
export class OwnAccount {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #records: Records;
  readonly #closing = new AbortController();
  readonly #rotation: Rotation;

  constructor(runtime: AccountRuntime, transport: AccountTransport) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#rotation = new Rotation(runtime, transport, this.#closing.signal);
  }

  /**
   * Ends what is asked of the service with ERR_ABORTED: it is taken up again when the account is
   * opened next.
   */
  close(): void {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
  }

  /**
   * Keeps the account's attributes, all of them; the service gets them with the next registration
   * of an access key, never a part of them.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; what the store throws.
   */
  async setAttributes(attributes: AttributesInput): Promise<void> {
    // Before any wait: what is wrong with them is said at once, and the caller's arrays are his own
    // again.
    const checked = checkAttributes(attributes, undefined);
    await this.#change(({ attributes: known }) => {
      const { unrestricted, isPending } = known ?? checked;
      return [attributesChange({ ...checked, unrestricted, isPending })];
    });
  }

  /**
   * Registers the access key of our profile key, with all attributes: from then on, who has the
   * profile key may send to us sealed (`PUT /v1/accounts/attributes/`).
   *
   * @param options.unrestricted whether anybody may, with any key. Remains as it is, over new
   *   profile keys and restarts, until it is given again.
   * @throws SealcastError ERR_INVALID_ARGUMENT: there are no attributes ({@link setAttributes}), or
   *   there is no profile key; then nothing was sent. ERR_RATE_LIMITED, ERR_SERVICE_REJECTED:
   *   nothing has changed. ERR_SERVICE_UNAVAILABLE: it is told again.
   */
  async registerAccessKey(options: AccessKeyOptions = {}): Promise<void> {
    const { unrestricted, signal } = checkOptions(options, ACCESS_KEY_NAMES);
    if (unrestricted !== undefined && typeof unrestricted !== 'boolean') refuse('unrestricted', 'true or false');
    await unlessAborted(() => this.#registerAccessKey(unrestricted), checkSignal(signal));
  }

  async #registerAccessKey(unrestricted: boolean | undefined): Promise<void> {
    const isRotating = await this.#exclusively(async () => {
      this.#profileKey();
      const before = await this.#change(({ attributes = refuse('attributes', 'given before an access key is') }) => [
        attributesChange({ ...attributes, unrestricted: unrestricted ?? attributes.unrestricted, isPending: true }),
      ]);
      // A new profile key that is on its way takes them along: one access key after the other would
      // be registered.
      if (before.rotation !== undefined) return true;
      await this.#sendAttributes(before.attributes);
      return false;
    });
    if (isRotating) await this.#rotation.finish();
  }

  /** @param before what is true still if the service refuses. */
  async #sendAttributes(before: AttributesRecord | undefined): Promise<void> {
    const { attributes } = await this.#load();
    if (attributes === undefined) return;
    const whole = attributesWith(attributes, this.#runtime.account, this.#profileKey());
    const answer = await this.#transport.setAccountAttributes(whole, { signal: this.#closing.signal });
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
   * Sets our profile, all of it (`PUT /v1/profile`): those who have our profile key can read it. It
   * is kept in the store.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; also: there is no profile key. ERR_RATE_LIMITED,
   *   ERR_SERVICE_REJECTED: the profile is what it was. ERR_SERVICE_UNAVAILABLE: it is uploaded
   *   again.
   */
  async setProfile(profile: ProfileInput, options: OwnCallOptions = {}): Promise<void> {
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

  /** @param before what is true still if the service refuses. */
  async #uploadProfile(profile: ProfileRecord, before: ProfileRecord | undefined): Promise<void> {
    const upload = await profileUpload(profile, this.#profileKey(), this.#runtime.account.aci);
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
   * Gives the account a new, random profile key: the profile is encrypted with it, its access key
   * registered, and messages carry it from then on. Who had the old one can no longer read changes
   * of the profile, nor send to us sealed, until a message of ours reaches him. Calls at the same
   * time share one. An avatar is lost: it was encrypted with the old key.
   *
   * See {@link Rotation} for what is true at each moment of it.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: profile or attributes were never set, and nothing
   *   was changed. ERR_RATE_LIMITED, ERR_SERVICE_REJECTED, ERR_SERVICE_UNAVAILABLE, ERR_ABORTED:
   *   the new key is on its way, and is taken up again.
   */
  async rotateProfileKey(options: OwnCallOptions = {}): Promise<void> {
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(async () => {
      await this.#locked([OWN_LOCKS.records], async () => this.#records.commit(await this.#rotation.begin()));
      await this.#rotation.finish();
    }, signal);
  }

  /**
   * Blocks a contact: nothing more is sent to him, and so nothing that has our new profile key; and
   * the profile key is rotated if he may have the one we have. Every message carries it, and whom
   * we have written to has an identity key in the store: an identity key that is known counts as a
   * message that was sent. (It may be of a message that never arrived. One profile key too many
   * harms nobody.) Somebody who is blocked already costs no other one.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: it is no service id, or a new profile key is called
   *   for and profile or attributes were never set; then he is not blocked. With any other error of
   *   the service's he is, and the new key is on its way: the message says so.
   */
  async block(serviceId: string, options: OwnCallOptions = {}): Promise<void> {
    const checked = checkServiceId(serviceId);
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    // In one commit: were he blocked first, a crash would leave him with a profile key that nobody
    // means to change any more.
    await unlessAborted(async () => {
      await this.#locked([checked, OWN_LOCKS.records], async () => {
        const contact = await this.#records.contact(checked);
        // A contact that was blocked by the Broadcaster alone still has the key.
        if (contact.blocked && contact.lacksProfileKey) return;
        const rotation = contact.identityKey === undefined ? [] : await this.#rotation.begin();
        const change = contactChange(checked, { ...contact, blocked: true, lacksProfileKey: true });
        await this.#records.commit([change, ...rotation]);
      });
      try {
        await this.#rotation.finish();
      } catch (error) {
        if (!(error instanceof SealcastError)) throw error;
        const message = `the contact is blocked, but ${error.message}`;
        const { code, retryAfterMs, cause } = error;
        const facts = { serviceId: checked, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
        throw new SealcastError(code, message, facts);
      }
    }, signal);
  }

  /** Unblocks a contact. The next message gives them our profile key again. */
  async unblock(serviceId: string): Promise<void> {
    const checked = checkServiceId(serviceId);
    await this.#locked([checked], async () => {
      const contact = await this.#records.contact(checked);
      if (contact.blocked) {
        await this.#records.commit([contactChange(checked, { ...contact, blocked: false, lacksProfileKey: false })]);
      }
    });
  }

  /**
   * Finishes what a crash or the service left half done: a new profile key, a profile, an access
   * key. For when the account is opened.
   *
   * @throws SealcastError as what it finishes.
   */
  async finishPending(options: OwnCallOptions = {}): Promise<void> {
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    await unlessAborted(async () => {
      // It takes profile and attributes along.
      await this.#rotation.finish();
      await this.#exclusively(async () => {
        const { profile, attributes } = await this.#load();
        // They were told to the service before: nothing but they is known to be true. Neither waits
        // for the other to be taken.
        const results = await Promise.allSettled([
          profile?.isPending === true ? this.#uploadProfile(profile, profile) : undefined,
          attributes?.isPending === true ? this.#sendAttributes(attributes) : undefined,
        ]);
        for (const result of results) if (result.status === 'rejected') throw result.reason;
      });
    }, signal);
  }

  /**
   * With what the contact is sent to sealed, and our own other devices are.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_ABORTED; waits for a sender certificate as a
   *   broadcast does.
   */
  async unidentifiedAccess(serviceId: string, options: OwnCallOptions = {}): Promise<UnidentifiedAccessPair> {
    const checked = checkServiceId(serviceId);
    const signal = checkSignal(checkOptions(options, OWN_CALL_NAMES)['signal']);
    const [contact, { attributes }] = await Promise.all([this.#records.contact(checked), this.#load()]);
    const target = contact.blocked ? null : accessKeyFor(checked, contact);
    const { profileKey } = this.#runtime.account;
    let self = profileKey === undefined ? null : deriveAccessKey(profileKey);
    if (attributes?.unrestricted === true) self = new Uint8Array(ACCESS_KEY_BYTES);
    if (target === null && self === null) return { target: null, self: null };
    const { bytes: certificate } = await withAnySignal([signal, this.#closing.signal], (either) =>
      unlessAborted(() => this.#runtime.certificates.get(either), either),
    );
    const accessWith = (accessKey: Uint8Array<ArrayBuffer> | null): UnidentifiedAccess | null =>
      accessKey && { accessKey, certificate: Uint8Array.from(certificate) };
    return { target: accessWith(target), self: accessWith(self) };
  }

  #profileKey(): Uint8Array {
    return this.#runtime.account.profileKey ?? refuse('account.profileKey', 'known');
  }

  #load(): Promise<OwnRecords> {
    return loadOwnRecords(this.#runtime.options.store);
  }

  /** @returns the records as they were before. */
  #change(changesTo: (records: OwnRecords) => readonly Change[]): Promise<OwnRecords> {
    return this.#locked([OWN_LOCKS.records], async () => {
      const records = await this.#load();
      await this.#records.commit(changesTo(records));
      return records;
    });
  }

  /** Serialises requests that change account state on the service. */
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
