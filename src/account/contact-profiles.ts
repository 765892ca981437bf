import { accessKeyFor, isPni, modeOf, onProfile } from '../access/access-mode.js';
import { decryptProfileName } from '../access/profile-cipher.js';
import { profileKeyFacts } from '../access/profile-version.js';
import { SealcastError } from '../errors.js';
import { checkOptions, checkSignal, refuse } from '../sealer/options.js';
import { type ContactRecord, contactChange } from '../store/tables/contacts.js';
import type { Change } from '../store/store.js';
import type { AccessKey, AccountTransport, FetchedProfile, ProfileOutcome } from '../transport/transport.js';
import { FETCH_PROFILE_NAMES, type ContactProfile, type FetchProfileOptions } from './account-types.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { parseServiceId } from '../util/service-id.js';
import { archiveSessions } from '../runtime/records.js';
import { isOtherIdentity, onIdentityKey } from '../access/contact-identity.js';
import { Records } from '../runtime/records.js';
import { refusalError } from '../transport/refusal-errors.js';
import { LruMap } from '../util/lru-map.js';
import { unlessAborted, withAnySignal } from '../util/abort.js';

export interface ProfilesOptions {
  /**
   * What another identity key than before does: `accept` has it take the old one's place. With
   * `fail` the old one stays, and whatever is sent finds out for itself. Either way nothing more is
   * encrypted with the sessions of the old one. Default `accept`, as a Broadcaster's.
   */
  readonly identityPolicy?: 'accept' | 'fail';
  /** Told of it, once it is on the disk. */
  readonly onIdentityChange?: (change: { readonly serviceId: string; readonly accepted: boolean }) => void;
}

const HOUR_MS = 3_600_000;
/** A profile is taken to be what it was for so long. */
const FRESH_MS = 6 * HOUR_MS;
/**
 * Names of so many contacts are remembered; of further ones, those that were asked for longest ago
 * are forgotten.
 */
const MAX_REMEMBERED = 16_384;

/** A profile, and what it was asked for with. */
interface Fetched {
  readonly profile: FetchedProfile;
  /** The contact's profile key at that time. */
  readonly profileKey: Uint8Array | undefined;
}

/** Facts about contacts by their profiles: whether they accept sealed messages, and their names. */
export class Profiles {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #records: Records;
  readonly #options: ProfilesOptions;
  readonly #closing = new AbortController();
  /** By service id. */
  readonly #remembered = new LruMap<string, ContactProfile>(MAX_REMEMBERED);

  constructor(runtime: AccountRuntime, transport: AccountTransport, options: ProfilesOptions = {}) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#options = options;
  }

  /**
   * The contact's profile (`GET /v1/profile/{serviceId}[/{version}]`), and with it whether and how
   * he takes sealed messages. It is asked for as nobody, with the contact's access key; as the
   * account where he takes nothing sealed, or does not take this key. Asked for at most every six
   * hours, or when his profile key changed, unless `force`.
   *
   * @param serviceId a UUID, or `PNI:` and a UUID: a phone-number identity has an identity key, and
   *   no more.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_RECIPIENT_UNREGISTERED: there is no such
   *   account; ERR_RATE_LIMITED; ERR_SERVICE_UNAVAILABLE; ERR_SERVICE_REJECTED; ERR_ABORTED,
   *   ERR_CLOSED; what the store throws.
   */
  async fetchProfile(serviceId: string, options: FetchProfileOptions = {}): Promise<ContactProfile> {
    const checked = parseServiceId(serviceId) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
    const { force = false, signal: givenSignal } = checkOptions(options, FETCH_PROFILE_NAMES);
    if (typeof force !== 'boolean') refuse('force', 'true or false');
    const signal = checkSignal(givenSignal);
    const contact = await this.#records.contact(checked);
    const known = force ? undefined : this.#recall(checked, contact);
    if (known !== undefined) return known;
    const fetched = await withAnySignal([signal, this.#closing.signal], (either) =>
      unlessAborted(() => this.#fetch(checked, contact, either), either),
    );
    return this.#keep(checked, fetched);
  }

  /** Ends what is being fetched with ERR_ABORTED. */
  close(): void {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
  }

  /**
   * The known profile, if it is of the last six hours. A clock that was set back makes no profile
   * last for years.
   */
  #recall(serviceId: string, contact: ContactRecord): ContactProfile | undefined {
    const { accessMode, profileFetchedMs } = contact;
    const ageMs = this.#runtime.clock.now() - profileFetchedMs;
    if (ageMs < 0 || ageMs >= FRESH_MS) return undefined;
    const remembered = this.#remembered.get(serviceId);
    // A contact that was never written to has no identity key in the store.
    const identityKey = contact.identityKey ?? remembered?.identityKey;
    if (identityKey === undefined) return undefined;
    return {
      // What was learned by sending is newer than what was fetched.
      ...modeOf(contact),
      unrestricted: accessMode === 'unrestricted',
      identityKey: Uint8Array.from(identityKey),
      fetchedAtMs: profileFetchedMs,
      ...(remembered?.name !== undefined && { name: remembered.name }),
    };
  }

  async #fetch(serviceId: string, contact: ContactRecord, signal: AbortSignal): Promise<Fetched> {
    const { profileKey } = contact;
    // A phone-number identity has no profile of a version.
    const isVersioned = profileKey !== undefined && !isPni(serviceId);
    const version = isVersioned ? (await profileKeyFacts(profileKey, serviceId)).version : undefined;
    const ask = (accessKey: AccessKey | null): Promise<ProfileOutcome> =>
      this.#transport.fetchProfile({ serviceId, accessKey, ...(version !== undefined && { version }) }, { signal });
    const accessKey = accessKeyFor(serviceId, contact);
    let answer = await ask(accessKey);
    // The key is outdated, or there is no such account: an authenticated request tells which.
    if (answer.status === 'unauthorized' && accessKey !== null) answer = await ask(null);
    if (answer.status === 'ok') return { profile: answer, profileKey };
    if (answer.status === 'not-found') {
      throw new SealcastError('ERR_RECIPIENT_UNREGISTERED', 'there is no such account', { serviceId });
    }
    throw refusalError(answer, 'no profile could be had', serviceId);
  }

  /** Has the store know what the profile says, of the contact as it is by now. */
  async #keep(serviceId: string, { profile, profileKey }: Fetched): Promise<ContactProfile> {
    const fetchedAtMs = this.#runtime.clock.now();
    const { identityKey, unrestricted, name } = profile;
    const { access, isOther } = await this.#runtime.locks.with([serviceId], async () => {
      const contact = await this.#records.contact(serviceId);
      const fetched = onProfile(contact, profile, profileKey, fetchedAtMs);
      const isOther = isOtherIdentity(contact, identityKey);
      const changes = isOther ? await this.#archive(serviceId, contact) : [];
      const known = this.#withIdentity(fetched, identityKey);
      await this.#records.commit([...changes, contactChange(serviceId, isOther ? { ...known, devices: [] } : known)]);
      return { access: modeOf(known), isOther };
    });
    if (isOther) this.#tellIdentityChange(serviceId);
    const decrypted = profileKey === undefined || name === undefined ? null : decryptProfileName(profileKey, name);
    const known: ContactProfile = {
      ...access,
      unrestricted,
      identityKey: Uint8Array.from(identityKey),
      fetchedAtMs,
      ...(decrypted !== null && { name: decrypted }),
    };
    this.#remembered.set(serviceId, known);
    return known;
  }

  /**
   * At first sight no key is taken over: a contact with an identity key in the store was written
   * to.
   */
  #withIdentity(contact: ContactRecord, identityKey: Uint8Array): ContactRecord {
    if (contact.identityKey === undefined) return contact;
    return onIdentityKey(contact, identityKey, this.#options.identityPolicy ?? 'accept');
  }

  #archive(serviceId: string, { devices }: ContactRecord): Promise<Change[]> {
    const deviceIds = devices.map(({ deviceId }) => deviceId);
    return archiveSessions(this.#records, this.#runtime.sessionClient, serviceId, deviceIds);
  }

  #tellIdentityChange(serviceId: string): void {
    const policy = this.#options.identityPolicy ?? 'accept';
    const { telemetry } = this.#runtime.options;
    telemetry.publish('identity-change', { policy });
    telemetry.log.warn({ policy }, 'a contact has another identity key than before');
    try {
      this.#options.onIdentityChange?.({ serviceId, accepted: policy === 'accept' });
    } catch (error) {
      // A listener's exception is its own.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
