import { EventEmitter } from 'node:events';
import { checkCapabilities } from '../access/capabilities.js';
import type { AttributesInput } from './attributes.js';
import type { ChallengeAnswer } from './challenge.js';
import type { AccountDevice } from './account-types.js';
import type { AccountService } from './service.js';
import type {
  PendingIdentity,
  AccessKeyOptions,
  OwnCallOptions,
  UnidentifiedAccessPair,
  ContactProfile,
  FetchProfileOptions,
} from './account-types.js';
import {
  checkAccountTransport,
  checkPolicies,
  checkSharedOptions,
  type Internals,
  OPENER_NAMES,
} from '../runtime/options.js';
import type { ProfileInput } from './profile-upload.js';
import { Broadcaster, type BroadcasterOptions } from '../broadcast/broadcaster.js';
import type {
  BroadcastStatus,
  DeliveriesOptions,
  StoredDelivery,
} from '../broadcast/broadcast-reader.js';
import { SealcastError } from '../errors.js';
import type { AccountEvents } from './account-events.js';
import { checkOptions, type PublicKeyInput } from '../sealer/options.js';
import { Receiver, type ReceiverOptions } from '../receive/receiver.js';
import { EventRelay } from '../util/event-relay.js';
import type { NamesOf } from '../util/known-names.js';

/** Options of {@link openAccount}: those of a Broadcaster and of a Receiver. */
export interface AccountOptions extends Omit<BroadcasterOptions, 'transport'>, ReceiverOptions {
  /**
   * Capabilities of this device, by the service's names, the whole set. The service hears of them
   * at every start (`PUT /v1/devices/capabilities`).
   *
   * Give them where the service requires one that this version of sealcast does not name: linking
   * fails with 409, or requests with 499. Default: `spqr`, `usernameChangeSyncMessage`, and on a
   * linked device `attachmentBackfill`.
   */
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

/**
 * Opens an account: its {@link Broadcaster}, its {@link Receiver}, and its state on the service.
 *
 * They share one Sealer with its workers, one store, one transport, one sender certificate, and one
 * lock for each address.
 *
 * @throws SealcastError as {@link Broadcaster.open} and {@link Receiver.open}.
 * @example
 * const account = await openAccount({ store, transport, trustRoots, account: mine });
 * account.receiver.discard();
 */
export function openAccount(options: AccountOptions): Promise<Account> {
  return Account.open(options);
}

/**
 * See {@link openAccount}.
 *
 * @example
 * account.on('identityChange', ({ serviceId, accepted }) => console.log(serviceId, accepted));
 */
export class Account extends EventEmitter<AccountEvents> implements AsyncDisposable {
  readonly broadcaster: Broadcaster;
  readonly receiver: Receiver;
  readonly #service: AccountService;
  #closing: Promise<void> | undefined;

  private constructor(broadcaster: Broadcaster, receiver: Receiver, service: AccountService) {
    super();
    this.broadcaster = broadcaster;
    this.receiver = receiver;
    this.#service = service;
  }

  /**
   * As {@link openAccount}.
   *
   * @example
   * const account = await Account.open({ store, transport, trustRoots, account: mine });
   */
  static open(options: AccountOptions): Promise<Account> {
    return Account.openWith(options, {});
  }

  /**
   * As {@link Account.open}, with parts that a test injects.
   *
   * @internal
   */
  static async openWith(options: AccountOptions, internals: Internals): Promise<Account> {
    const policies = checkPolicies(
      checkOptions(options, OPENER_NAMES satisfies NamesOf<AccountOptions>),
    );
    const transport = checkAccountTransport(options.transport);
    const capabilities = checkCapabilities(options.capabilities, 'capabilities');
    const broadcaster = await Broadcaster.openWith(options, { ...internals, receives: true });
    const events = new EventRelay<AccountEvents>();
    broadcaster.on('identityChange', (change) => events.emit('identityChange', change));
    const opened: AsyncDisposable[] = [broadcaster];
    try {
      const receiver = await Receiver.openWith(options, internals);
      receiver.on('identityChange', (change) => events.emit('identityChange', change));
      receiver.on('queueEmpty', () => events.emit('queueEmpty'));
      receiver.on('alert', (alert) => events.emit('alert', alert));
      receiver.on('stopped', (stop) => events.emit('stopped', stop));
      opened.push(receiver);
      const { AccountService: Service } = await import('./service.js');
      const service = await Service.open({
        ...checkSharedOptions(options, { ...internals, receives: true }),
        transport,
        policies,
        capabilities,
        onProfileKeyLost: (problem) => events.emit('profileKeyLost', problem),
        onCapabilityProblem: (problem) => events.emit('capabilityProblem', problem),
        onIdentityChange: (change) => broadcaster.emit('identityChange', change),
      });
      const account = new Account(broadcaster, receiver, service);
      // Changes that were found before the caller could listen reach listeners that the caller adds
      // at once.
      setImmediate(() => events.forwardTo(account));
      return account;
    } catch (error) {
      for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * As {@link Broadcaster.acceptIdentity}.
   *
   * @example
   * await account.acceptIdentity(serviceId, identityKey);
   */
  acceptIdentity(serviceId: string, identityKey?: PublicKeyInput): Promise<void> {
    return this.broadcaster.acceptIdentity(serviceId, identityKey);
  }

  /**
   * As {@link Broadcaster.pendingIdentities}.
   *
   * @example
   * for await (const { serviceId } of account.pendingIdentities()) console.log(serviceId);
   */
  pendingIdentities(): AsyncIterable<PendingIdentity> {
    return this.broadcaster.pendingIdentities();
  }

  /**
   * As {@link Broadcaster.broadcasts}.
   *
   * @example
   * for await (const { id, state } of account.broadcasts()) console.log(id, state);
   */
  broadcasts(): AsyncIterable<BroadcastStatus> {
    return this.broadcaster.broadcasts();
  }

  /**
   * As {@link Broadcaster.status}.
   *
   * @example
   * console.log((await account.status('ferry-2026-11-22'))?.waiting);
   */
  status(id: string): Promise<BroadcastStatus | undefined> {
    return this.broadcaster.status(id);
  }

  /**
   * As {@link Broadcaster.deliveries}.
   *
   * @example
   * for await (const { recipient } of account.deliveries(id, { status: 'unregistered' }))
   *   console.log(recipient);
   */
  deliveries(id: string, options: DeliveriesOptions = {}): AsyncIterable<StoredDelivery> {
    return this.broadcaster.deliveries(id, options);
  }

  /**
   * Fetches a contact's profile and access mode, with a request every six hours at most.
   *
   * @example
   * const { name, accessMode } = await account.fetchProfile(serviceId);
   * console.log(name?.given, accessMode);
   */
  fetchProfile(serviceId: string, options: FetchProfileOptions = {}): Promise<ContactProfile> {
    return this.#open().profiles.fetchProfile(serviceId, options);
  }

  /**
   * Stores the account's attributes, all of them, for {@link registerAccessKey}.
   *
   * Only on the primary device, as all that changes the account itself: from a linked device, the
   * service would clear the owner's registration lock and overwrite the access key.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_NOT_PRIMARY, ERR_STORE_FAILED
   * @example
   * await account.setAttributes({ pniRegistrationId: 4711, discoverableByPhoneNumber: false });
   */
  setAttributes(attributes: AttributesInput): Promise<void> {
    return this.#open().own.setAttributes(attributes);
  }

  /**
   * Registers an access key, so that others can send sealed to us.
   *
   * These are contacts that have our profile key, or, if `unrestricted`, any account
   * (`PUT /v1/accounts/attributes/`, with all attributes).
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: there are no attributes, or there is no profile
   *   key; ERR_NOT_PRIMARY; ERR_RATE_LIMITED, ERR_SERVICE_REJECTED: nothing has changed;
   *   ERR_SERVICE_UNAVAILABLE: a later attempt sends it again.
   * @example
   * await account.setAttributes({ pniRegistrationId: 4711, discoverableByPhoneNumber: false });
   * await account.registerAccessKey({ unrestricted: false });
   */
  registerAccessKey(options: AccessKeyOptions = {}): Promise<void> {
    return this.#open().own.registerAccessKey(options);
  }

  /**
   * Sets our profile, all of it, encrypted with our profile key (`PUT /v1/profile`).
   *
   * @throws SealcastError as {@link registerAccessKey}
   * @example
   * await account.setProfile({ given: 'Harbor', family: 'Office', about: 'Bridge openings' });
   */
  setProfile(profile: ProfileInput, options: OwnCallOptions = {}): Promise<void> {
    return this.#open().own.setProfile(profile, options);
  }

  /**
   * Replaces the profile key.
   *
   * The rotation uploads the profile again and registers the new access key; messages carry the new
   * key from then on. The next opening of the account finishes a rotation that a crash interrupted.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: profile or attributes were never set;
   *   ERR_NOT_PRIMARY; others: a later attempt resumes the rotation.
   * @example
   * await account.rotateProfileKey({ signal: AbortSignal.timeout(60_000) });
   */
  rotateProfileKey(options: OwnCallOptions = {}): Promise<void> {
    return this.#open().own.rotateProfileKey(options);
  }

  /**
   * Blocks a contact, and replaces our profile key if the contact may have it.
   *
   * The contact gets no further messages. A linked device replaces no profile key: the contact
   * keeps the one that they may have until the primary device blocks them.
   *
   * @throws SealcastError as {@link rotateProfileKey}
   * @example
   * await account.block(serviceId);
   */
  block(serviceId: string, options: OwnCallOptions = {}): Promise<void> {
    return this.#open().own.block(serviceId, options);
  }

  /**
   * Unblocks a contact, which can get messages again.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, and the errors of the store.
   * @example
   * await account.unblock(serviceId);
   */
  unblock(serviceId: string): Promise<void> {
    return this.#open().own.unblock(serviceId);
  }

  /**
   * Uploads prekeys where the service lacks them; afterwards others can begin sessions with us.
   *
   * The receiver does so by itself, when it opens and once a day.
   *
   * @throws SealcastError ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED,
   *   ERR_TRANSPORT_REFUSED, ERR_CLOSED.
   * @example
   * await account.maintainPreKeys();
   */
  maintainPreKeys(): Promise<void> {
    return this.#open().maintainPreKeys();
  }

  /**
   * Answers a challenge of the service, and goes on with the broadcasts that wait for it.
   *
   * @param answer token of the event `challenge`, and the solved captcha.
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_CAPTCHA: the service does not accept the
   *   captcha; ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED, ERR_ABORTED,
   *   ERR_CLOSED; ERR_NOT_IMPLEMENTED: the transport has no `answerChallenge`.
   * @example
   * account.broadcaster.on('challenge', async ({ token }) => {
   *   const captcha = await ask('https://signalcaptchas.org/challenge/generate.html');
   *   await account.answerChallenge({ token, captcha });
   * });
   */
  async answerChallenge(answer: ChallengeAnswer, options: OwnCallOptions = {}): Promise<void> {
    await this.#open().answerChallenge(answer, options);
    this.broadcaster.challengeAnswered();
  }

  /**
   * Lists the account's devices, as the service has them.
   *
   * @throws SealcastError ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE, ERR_SERVICE_REJECTED,
   *   ERR_TRANSPORT_REFUSED, ERR_CLOSED; ERR_NOT_IMPLEMENTED: the transport has no `fetchDevices`.
   * @example
   * for (const { deviceId, lastSeenMs } of await account.devices())
   *   console.log(deviceId, new Date(lastSeenMs));
   */
  devices(): Promise<AccountDevice[]> {
    return this.#open().devices.list();
  }

  /**
   * Removes a linked device from the account, this one by default.
   *
   * Of this device, the credentials leave the store and the service ends the connection (`stopped`,
   * reason `delinked`); contacts and their profile keys stay, for a later link. Only the primary
   * device removes others.
   *
   * @throws SealcastError as {@link devices}; ERR_INVALID_ARGUMENT: it is the primary device;
   *   ERR_NOT_PRIMARY: it is another device, and this one is linked; ERR_STORE_FAILED.
   * @example
   * await account.unlink(); // this device
   */
  unlink(deviceId?: number): Promise<void> {
    return this.#open().devices.unlink(deviceId);
  }

  /**
   * Returns the access for sealed sends to a contact and to our own other devices.
   *
   * The pair has the form of libsignal-service-java's `UnidentifiedAccessPair`.
   *
   * @example
   * const { target } = await account.unidentifiedAccess(serviceId);
   * if (target !== null) console.log(target.accessKey.length, target.certificate.length);
   */
  unidentifiedAccess(
    serviceId: string,
    options: OwnCallOptions = {},
  ): Promise<UnidentifiedAccessPair> {
    return this.#open().own.unidentifiedAccess(serviceId, options);
  }

  #open(): AccountService {
    if (this.#closing !== undefined)
      throw new SealcastError('ERR_CLOSED', 'this Account is closed');
    return this.#service;
  }

  /**
   * Closes Receiver and Broadcaster, ends the workers, wipes the keys.
   *
   * Store and transport stay the caller's. From the outside in: the Receiver takes in no further
   * messages and finishes the batches that it processes, with all their requests to the
   * Broadcaster, before the Broadcaster stops. Requested messages that are not sent by then are in
   * the outbox, for `resume()`.
   *
   * @example
   * await account.close();
   * await transport.close();
   * await store.close();
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.receiver.close();
    } finally {
      try {
        await this.broadcaster.close();
      } finally {
        await this.#service.close();
      }
    }
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
