import {
  accessKeyFor,
  isPni,
  isSameAccess,
  modeOf,
  onProfile,
  type Access,
} from '../access/access-mode.js';
import { decryptProfileName } from '../access/profile-cipher.js';
import { profileKeyFacts } from '../access/profile-version.js';
import { SealcastError } from '../errors.js';
import { checkOptions, checkSignal, refuse } from '../sealer/options.js';
import { type ContactRecord, contactChange } from '../store/tables/contacts.js';
import type { Change } from '../store/store.js';
import type { Refusal } from '../transport/transport.js';
import type { AccountTransport, FetchedProfile } from '../transport/account-transport.js';
import {
  FETCH_PROFILE_NAMES,
  type ContactProfile,
  type FetchProfileOptions,
} from './account-types.js';
import type { AccountRuntime } from '../runtime/account-runtime.js';
import { parseServiceId } from '../util/addresses.js';
import { archiveSessions, Records } from '../runtime/records.js';
import { SendGuard } from '../runtime/send-guard.js';
import { isOtherIdentity, onIdentityKey } from '../access/contact-identity.js';
import { refusalError } from '../transport/refusal-errors.js';
import { LruMap } from '../util/lru-map.js';
import { unlessAborted, withAnySignal } from '../util/abort.js';

export interface ProfilesOptions {
  /**
   * Effect of a changed identity key.
   *
   * `accept` puts it in the old one's place. With `fail` the old one stays, and each send finds out
   * for itself. Either way no message is encrypted with the sessions of the old one any longer.
   * Default `accept`, as a Broadcaster's.
   */
  readonly identityPolicy?: 'accept' | 'fail';
  /** Receives the change, once it is on disk. */
  readonly onIdentityChange?: (change: {
    readonly serviceId: string;
    readonly accepted: boolean;
  }) => void;
}

const HOUR_MS = 3_600_000;
/** Age below which a known profile needs no request. */
const FRESH_MS = 6 * HOUR_MS;
/**
 * Number of contacts whose names are remembered.
 *
 * Beyond it, the names that were asked for longest ago are forgotten.
 */
const MAX_REMEMBERED = 16_384;

/** A profile, and the profile key of its request. */
interface Fetched {
  readonly profile: FetchedProfile;
  /** The contact's profile key at the time of the request. */
  readonly profileKey: Uint8Array | undefined;
}

/** Facts about contacts by their profiles: whether they accept sealed messages, and their names. */
export class Profiles {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #records: Records;
  readonly #guard: SendGuard;
  readonly #options: ProfilesOptions;
  readonly #closing = new AbortController();
  /** By service id. */
  readonly #remembered = new LruMap<string, ContactProfile>(MAX_REMEMBERED);

  constructor(runtime: AccountRuntime, transport: AccountTransport, options: ProfilesOptions = {}) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#guard = SendGuard.of(runtime.options.store);
    this.#options = options;
  }

  /**
   * Fetches the contact's profile, and with it whether and how they take sealed messages.
   *
   * The request (`GET /v1/profile/{serviceId}[/{version}]`) is unauthenticated, with the contact's
   * access key; it is authenticated where the contact takes nothing sealed, or does not take this
   * key. It is sent at most every six hours, or when the contact's profile key changed, unless
   * `force`.
   *
   * @param serviceId a UUID, or `PNI:` and a UUID: a phone-number identity has only an identity
   *   key.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_RECIPIENT_UNREGISTERED: there is no such
   *   account; ERR_RATE_LIMITED; ERR_SERVICE_UNAVAILABLE; ERR_SERVICE_REJECTED; ERR_ABORTED,
   *   ERR_CLOSED; ERR_STORE_LOCKED, before any further request; as the store.
   */
  async fetchProfile(
    serviceId: string,
    options: FetchProfileOptions = {},
  ): Promise<ContactProfile> {
    const checked = parseServiceId(serviceId) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
    const { force = false, signal: givenSignal } = checkOptions(options, FETCH_PROFILE_NAMES);
    if (typeof force !== 'boolean') refuse('force', 'true or false');
    const signal = checkSignal(givenSignal);
    const known = force ? undefined : this.#recall(checked, await this.#records.contact(checked));
    if (known !== undefined) return known;
    const fetched = await withAnySignal([signal, this.#closing.signal], (either) =>
      unlessAborted(() => this.#fetch(checked, either), either),
    );
    return this.#keep(checked, fetched);
  }

  /** Ends fetches under way with ERR_ABORTED. */
  close(): void {
    this.#closing.abort(new SealcastError('ERR_CLOSED', 'this Account is closed'));
  }

  /**
   * Returns the known profile, if it is of the last six hours.
   *
   * A clock that was set back makes no profile last for years.
   */
  #recall(serviceId: string, contact: ContactRecord): ContactProfile | undefined {
    const { accessMode, profileFetchedMs } = contact;
    const ageMs = this.#runtime.clock.now() - profileFetchedMs;
    if (ageMs < 0 || ageMs >= FRESH_MS) return undefined;
    const remembered = this.#remembered.get(serviceId);
    // A contact that we never wrote to has no identity key in the store.
    const identityKey = contact.identityKey ?? remembered?.identityKey;
    if (identityKey === undefined) return undefined;
    return {
      // Facts learned by sending are newer than fetched ones.
      ...modeOf(contact),
      unrestricted: accessMode === 'unrestricted',
      identityKey: Uint8Array.from(identityKey),
      fetchedAtMs: profileFetchedMs,
      ...(remembered?.name !== undefined && { name: remembered.name }),
    };
  }

  /**
   * Asks with the contact's access key, or as the account.
   *
   * The account asks where the key is refused, or there is none. A contact that changed while a
   * request was under way, or prepared, is read again: what is asked next follows from the access
   * that it has by then.
   */
  async #fetch(serviceId: string, signal: AbortSignal): Promise<Fetched> {
    /** Access with which the service refused the unauthenticated request. */
    let refused: Access | undefined;
    for (;;) {
      const { revision } = this.#guard;
      const contact = await this.#records.contact(serviceId);
      const { profileKey } = contact;
      const isRefused = refused !== undefined && isSameAccess(refused, contact);
      const accessKey = isRefused ? null : accessKeyFor(serviceId, contact);
      // A phone-number identity has no versioned profile.
      const isVersioned = profileKey !== undefined && !isPni(serviceId);
      const version = isVersioned
        ? (await profileKeyFacts(profileKey, serviceId)).version
        : undefined;
      signal.throwIfAborted();
      if (!this.#guard.mayBegin(serviceId, revision)) continue;
      const answer = await this.#transport.fetchProfile(
        { serviceId, accessKey, ...(version !== undefined && { version }) },
        { signal },
      );
      if (answer.status === 'ok') return { profile: answer, profileKey };
      // The key is outdated, or there is no such account: an authenticated request tells which.
      if (answer.status === 'unauthorized' && accessKey !== null) refused = contact;
      else throw profileError(answer, serviceId);
    }
  }

  /** Applies the fetched profile to the contact's present record in the store. */
  async #keep(serviceId: string, { profile, profileKey }: Fetched): Promise<ContactProfile> {
    const fetchedAtMs = this.#runtime.clock.now();
    const { identityKey, unrestricted, name } = profile;
    const { access, isOther } = await this.#runtime.locks.with([serviceId], async () => {
      const contact = await this.#records.contact(serviceId);
      const fetched = onProfile(contact, profile, profileKey, fetchedAtMs);
      const isOther = isOtherIdentity(contact, identityKey);
      const changes = isOther ? await this.#archive(serviceId, contact) : [];
      const known = this.#withIdentity(fetched, identityKey);
      await this.#records.commit([
        ...changes,
        contactChange(serviceId, isOther ? { ...known, devices: [] } : known),
      ]);
      return { access: modeOf(known), isOther };
    });
    if (isOther) this.#tellIdentityChange(serviceId);
    const decrypted =
      profileKey === undefined || name === undefined ? null : decryptProfileName(profileKey, name);
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
   * Takes over no key at first sight: an identity key in the store means that we wrote to the
   * contact.
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

function profileError(refusal: Refusal, serviceId: string): SealcastError {
  if (refusal.status !== 'not-found')
    return refusalError(refusal, 'no profile could be had', serviceId);
  const message = 'there is no such account';
  return new SealcastError('ERR_RECIPIENT_UNREGISTERED', message, { serviceId });
}
