import { isVerifierOf } from '../access/access-key.js';
import { onSyncedProfileKey, withPrimaryBlock } from '../access/contact-sync.js';
import { encodeSyncRequest, padPlaintext, type StoredContact } from '../content/index.js';
import { SealcastError } from '../errors.js';
import { profileKeyChange } from './account-record.js';
import type { AccountRuntime, PrimaryFollower } from './account-runtime.js';
import { OWN_LOCKS } from './own-locks.js';
import { OwnDeviceSender } from './own-device-sender.js';
import { Records } from './records.js';
import { contactChange } from '../store/tables/contacts.js';
import { onAddressed } from '../access/unanswered.js';
import { loadCredentials, wipeCredentials } from '../store/tables/credentials.js';
import { loadOwnSync, ownSyncChange } from '../store/tables/own-sync.js';
import { refusalError } from '../transport/refusal-errors.js';
import type { Refusal } from '../transport/transport.js';
import type { AccountTransport, FetchedProfile } from '../transport/account-transport.js';
import { isSameBytes } from '../util/bytes.js';
import { DailySchedule } from './daily-schedule.js';
import { StorageReader, type StoredRecords } from './storage-reader.js';

const OPERATION = "follow the account's profile key";
/** Longest wait of an opening for the first look, ms. */
const FIRST_LOOK_MS = 10_000;
/** Contacts whose locks are held together. */
const CHUNK_CONTACTS = 256;

/** Findings of a look before it reads the storage service. */
interface Findings {
  /** Whether the profile is of our key; undefined where it does not tell. */
  readonly isCurrent: boolean | undefined;
  /** Of the profile key, when the look began. */
  readonly revision: number;
  /** Our profile key when the look began. */
  readonly own: Uint8Array | undefined;
}

/**
 * Follows the primary device of a linked one: the account's profile key, contacts and blocks.
 *
 * The primary replaces the profile key, and tells other devices only to fetch again. A device that
 * goes on sending the old key makes contacts send with an access key that the service refuses. So
 * the key is compared with the verifier of the account's own profile, when the account opens, when
 * the primary says so, and once a day:
 *
 * | verifier is of | storage service       | messages carry                                  |
 * | -------------- | --------------------- | ----------------------------------------------- |
 * | our key        | any                   | our key; another key in the account's record is |
 * |                |                       | looked at again                                 |
 * | another key    | has that key          | that key                                        |
 * | another key    | unreadable, or older  | none, until a later look finds it               |
 * | nothing        | has another key       | that key                                        |
 * | nothing        | unreadable            | our key                                         |
 *
 * A key that was replaced never comes back: the store keeps its hash. From the moment at which the
 * primary says that it may have been replaced, until a look has ended, nothing is sent; where that
 * look fails, messages go out without a key: see OwnProfileKey.
 */
export class PrimaryWatch implements PrimaryFollower {
  readonly #runtime: AccountRuntime;
  readonly #transport: AccountTransport;
  readonly #records: Records;
  readonly #reader: StorageReader;
  readonly #devices: OwnDeviceSender;
  readonly #schedule: DailySchedule;
  #endRequests: () => void = () => undefined;
  #started: Promise<void> | undefined;
  /** Whether answers of the primary are received: it is asked for nothing before. */
  #receives = false;
  /** Whether the storage service is to be read although the profile key is right. */
  #wantsRecords = true;

  constructor(runtime: AccountRuntime, transport: AccountTransport) {
    this.#runtime = runtime;
    this.#transport = transport;
    this.#records = new Records(runtime.options.store, runtime.clock);
    this.#reader = new StorageReader(runtime.options.store, transport);
    this.#devices = new OwnDeviceSender(runtime);
    this.#schedule = new DailySchedule(
      {
        operation: OPERATION,
        run: (signal) => this.#lookOrWithhold(signal),
        failed: ({ code }) => runtime.options.telemetry.log.warn({ code }, `${OPERATION}: failed`),
      },
      runtime.clock,
    );
  }

  /**
   * Looks for the first time, and from then on as the class says.
   *
   * @returns when the first look has ended, or takes long: what is sent then has the right key, as
   *   far as the service answers. Further calls share it.
   */
  start(receives: boolean): Promise<void> {
    const mayAskNow = receives && !this.#receives && this.#started !== undefined;
    this.#receives ||= receives;
    if (mayAskNow) this.#schedule.now();
    return (this.#started ??= this.#start());
  }

  async #start(): Promise<void> {
    this.#endRequests = this.#runtime.fetchRequests.subscribe((what) => {
      this.#wantsRecords ||= what === 'storage-manifest';
      this.#schedule.now();
    });
    this.#schedule.start();
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#runtime.clock.setTimeout(resolve, FIRST_LOOK_MS);
    });
    await Promise.race([this.#schedule.settled(), late]);
    cancel();
  }

  /** Ends the looks; resolves when the one under way has ended. */
  async close(): Promise<void> {
    this.#endRequests();
    await this.#schedule.stop();
  }

  async #lookOrWithhold(signal: AbortSignal): Promise<Refusal | undefined> {
    let isDone = false;
    try {
      const refusal = await this.#look(signal);
      isDone = refusal === undefined;
      return refusal;
    } finally {
      if (!isDone) this.#runtime.profileKey.withhold();
    }
  }

  async #look(signal: AbortSignal): Promise<Refusal | undefined> {
    const { aci } = this.#runtime.account;
    const { revision, stored: own } = this.#runtime.profileKey;
    const profile = await this.#transport.fetchProfile(
      { serviceId: aci, accessKey: null },
      { signal },
    );
    if (profile.status !== 'ok') return profile;
    const isCurrent = isOf(own, profile);
    try {
      if (isCurrent === true) await this.#settle(revision);
      if (isCurrent !== true || this.#wantsRecords)
        await this.#follow(profile, { isCurrent, revision, own }, signal);
    } finally {
      await this.#askPrimary(signal);
    }
    return undefined;
  }

  /** @throws SealcastError what keeps the records from being read. */
  async #follow(
    { verifier }: FetchedProfile,
    findings: Findings,
    signal: AbortSignal,
  ): Promise<void> {
    const { isCurrent, revision, own } = findings;
    const { store } = this.#runtime.options;
    const { manifestVersion } = await loadOwnSync(store);
    let records: StoredRecords | undefined;
    try {
      // The contacts of a version are taken once; its profile key is wanted again.
      records = await this.#reader.read(isCurrent === true ? manifestVersion : 0, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (isCurrent === false) await this.#loseKey(errorOf(error), own);
      await this.#askForKeys(signal);
      // Our key is right: contacts alone are worth another look, with the next day's.
      if (isCurrent === true && !isPassing(error)) return;
      throw error;
    }
    if (records === undefined) {
      this.#wantsRecords = false;
      return;
    }
    const isAhead = await this.#takeKey(records, verifier, findings);
    if (!isAhead) await this.#settle(revision);
    if (records.version !== manifestVersion) {
      for await (const page of records.contacts()) await this.#takeContacts(page);
      await this.#saveProgress({ manifestVersion: records.version });
    }
    this.#wantsRecords = false;
    if (!isAhead) return;
    // The record has another key than the profile: one of them is about to follow the other.
    this.#wantsRecords = true;
    throw new SealcastError(
      'ERR_SERVICE_UNAVAILABLE',
      `${OPERATION}: profile and account record have different keys, look again`,
    );
  }

  /** @returns whether the record's key is not the one of the profile. */
  async #takeKey(
    { profileKey }: StoredRecords,
    verifier: Uint8Array | undefined,
    { isCurrent, own }: Findings,
  ): Promise<boolean> {
    const isOther = profileKey !== undefined && !isSameBytes(own, profileKey);
    if (isCurrent === true) return isOther;
    const fits =
      profileKey !== undefined && (verifier === undefined || isVerifierOf(profileKey, verifier));
    if (fits) {
      if (isOther) await this.#switchKey(profileKey, own);
      this.#runtime.profileKey.found();
      return false;
    }
    if (isCurrent === undefined) return false;
    await this.#loseKey(
      new SealcastError(
        'ERR_SERVICE_REJECTED',
        `${OPERATION}: the account's record does not have the key of the profile yet`,
      ),
      own,
    );
    return true;
  }

  async #loseKey(error: SealcastError, own: Uint8Array | undefined): Promise<void> {
    const { profileKey, options } = this.#runtime;
    await this.#switchKey(undefined, own);
    if (!profileKey.lose(error)) return;
    const { log } = options.telemetry;
    log.warn({ code: error.code }, 'the profile key was replaced: messages go out without one');
  }

  /**
   * @param own our key when the look began.
   * @throws SealcastError ERR_SERVICE_UNAVAILABLE: we have another one by now.
   */
  async #switchKey(profileKey: Uint8Array | undefined, own: Uint8Array | undefined): Promise<void> {
    const { store, telemetry } = this.#runtime.options;
    await this.#runtime.locks.with([OWN_LOCKS.records], async () => {
      // A key that is replaced never comes back: not even one that a caller gave during the look.
      if (!isSameBytes(this.#runtime.profileKey.stored, own)) {
        const message = `${OPERATION}: another key was given meanwhile, look again`;
        throw new SealcastError('ERR_SERVICE_UNAVAILABLE', message);
      }
      if (own === profileKey) return;
      const change = await profileKeyChange(store, profileKey);
      try {
        await store.commit([change]);
      } finally {
        change.value.fill(0);
      }
      this.#runtime.setProfileKey(profileKey);
    });
    if (profileKey !== undefined)
      telemetry.log.info({}, 'the account has a new profile key, of the primary device');
  }

  /** Ends the doubt whether the stored key is the present one, if the look began after it. */
  async #settle(revision: number): Promise<void> {
    const { profileKey, options, locks } = this.#runtime;
    if (profileKey.isSure) return;
    await locks.with([OWN_LOCKS.records], async () => {
      if (profileKey.revision !== revision) return;
      const progress = await loadOwnSync(options.store);
      await options.store.commit([ownSyncChange({ ...progress, isKeyDoubted: false })]);
      profileKey.settle(revision);
    });
  }

  async #takeContacts(page: readonly StoredContact[]): Promise<void> {
    const { aci } = this.#runtime.account;
    const stored = new Map(page.map((contact) => [contact.aci, contact]));
    stored.delete(aci);
    const serviceIds = [...stored.keys()];
    for (let at = 0; at < serviceIds.length; at += CHUNK_CONTACTS) {
      const chunk = serviceIds.slice(at, at + CHUNK_CONTACTS);
      await this.#runtime.locks.with(chunk, async () => {
        const contacts = await this.#records.readableContacts(chunk);
        const changes = chunk.flatMap((serviceId, i) => {
          const contact = contacts[i];
          const told = stored.get(serviceId);
          if (contact === undefined || told === undefined) return [];
          const blocked = withPrimaryBlock(onAddressed(contact), told.blocked);
          const changed =
            told.profileKey === undefined ? blocked : onSyncedProfileKey(blocked, told.profileKey);
          return changed === contact ? [] : [contactChange(serviceId, changed)];
        });
        await this.#records.commit(changes);
      });
    }
  }

  /** Asks the primary for its lists and settings, once after the device was linked. */
  async #askPrimary(signal: AbortSignal): Promise<void> {
    if (!this.#receives) return;
    const { requested } = await loadOwnSync(this.#runtime.options.store);
    if (requested) return;
    for (const request of ['blocked', 'configuration', 'contacts'] as const)
      await this.#request(request, signal);
    await this.#saveProgress({ requested: true });
  }

  /** Asks for the keys where they are not known. */
  async #askForKeys(signal: AbortSignal): Promise<void> {
    if (!this.#receives) return;
    const credentials = await loadCredentials(this.#runtime.options.store);
    wipeCredentials(credentials);
    const isKnown =
      credentials?.accountEntropyPool !== undefined || credentials?.masterKey !== undefined;
    if (!isKnown) await this.#request('keys', signal);
  }

  async #request(
    request: Parameters<typeof encodeSyncRequest>[0],
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.#devices.send(padPlaintext(encodeSyncRequest(request)), { signal });
    if (answer.status === 'sent' || answer.status === 'no-devices') return;
    throw refusalError(answer, `ask the primary device for ${request}`);
  }

  #saveProgress(change: Partial<Awaited<ReturnType<typeof loadOwnSync>>>): Promise<void> {
    const { store } = this.#runtime.options;
    return this.#runtime.locks.with([OWN_LOCKS.records], async () =>
      store.commit([ownSyncChange({ ...(await loadOwnSync(store)), ...change })]),
    );
  }
}

/** Whether the profile is of the key; undefined where it does not tell. */
function isOf(
  profileKey: Uint8Array | undefined,
  { verifier }: FetchedProfile,
): boolean | undefined {
  if (profileKey === undefined) return false;
  return verifier === undefined ? undefined : isVerifierOf(profileKey, verifier);
}

const errorOf = (error: unknown): SealcastError =>
  error instanceof SealcastError
    ? error
    : new SealcastError('ERR_STORE_FAILED', `${OPERATION}: failed`, { cause: error });

/** Whether time alone may mend it. */
const isPassing = (error: unknown): boolean => error instanceof SealcastError && error.retryable;
