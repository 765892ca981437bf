import { EventEmitter } from 'node:events';
import { onToldProfileKey } from '../access/contact-sync.js';
import type { BroadcastService } from './service.js';
import {
  type BroadcasterEvents,
  checkBroadcast,
  checkLimits,
  checkTranscripts,
  type BroadcastMessage,
  type BroadcastOptions,
  type BroadcasterLimits,
  type Recipients,
  type Transcripts,
} from './options.js';
import type { PendingIdentity } from '../account/account-types.js';
import { parseServiceId } from '../util/addresses.js';
import {
  BroadcastReader,
  checkId,
  type BroadcastStatus,
  type DeliveriesOptions,
  type StoredDelivery,
} from './broadcast-reader.js';
import type { BroadcastRun, ResumedBroadcast } from './run.js';
import {
  checkPolicies,
  checkProfileKey,
  checkSharedOptions,
  type Internals,
  type Policies,
  type SharedOptions,
  OPENER_NAMES,
} from '../runtime/options.js';
import { MAX_EXPIRE_TIMER } from '../content/index.js';
import { SealcastError } from '../errors.js';
import {
  checkInteger,
  checkOptions,
  checkSignal,
  refuse,
  type PublicKeyInput,
} from '../sealer/options.js';
import type { SealerStats } from '../sealer/sealer.js';
import { EventRelay } from '../util/event-relay.js';
import type { NamesOf } from '../util/known-names.js';

/** Options of {@link Broadcaster.open}. */
export interface BroadcasterOptions
  extends SharedOptions, Partial<Policies>, Partial<BroadcasterLimits> {
  /** Default of {@link BroadcastOptions.transcripts}. */
  readonly transcripts?: Transcripts;
}

/** Options of {@link Broadcaster.resume}. */
export interface ResumeOptions {
  /** Stops the broadcasts that are resumed; they can be resumed again. */
  readonly signal?: AbortSignal;
}

const RESUME_NAMES = { signal: true } satisfies NamesOf<ResumeOptions>;

/**
 * Sends a text to many recipients, each as an individual message, and keeps its progress.
 *
 * Each recipient gets a sealed message of its own. A broadcast is an outbox in the store. A
 * ciphertext is on the disk before it leaves, and a message that was sent is never sent again. A
 * message that a crash left in between goes out once more, with the same ciphertext, and receivers
 * drop it as a duplicate. If the account's profile key was replaced meanwhile, it is encrypted once
 * more, and has the timestamp by which the recipients' clients know it.
 */
export class Broadcaster extends EventEmitter<BroadcasterEvents> implements AsyncDisposable {
  readonly #service: BroadcastService;
  readonly #reader: BroadcastReader;
  #closing: Promise<void> | undefined;

  private constructor(service: BroadcastService, reader: BroadcastReader) {
    super();
    this.#service = service;
    this.#reader = reader;
    // The first listener hears of a skew that was found before any could be added.
    (this as EventEmitter).on('newListener', (name) => {
      if (name === 'clockSkew') service.tellClockSkews();
    });
  }

  /**
   * Starts the workers, and removes finished broadcasts that are old enough from the store.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_ACCOUNT_MISMATCH: the store is another
   *   account's; the errors of {@link Sealer.create} and of the store.
   * @example
   * const broadcaster = await Broadcaster.open({ store, transport, trustRoots, account: mine });
   */
  static open(options: BroadcasterOptions): Promise<Broadcaster> {
    return Broadcaster.openWith(options, {});
  }

  /**
   * As {@link Broadcaster.open}, with parts that a test injects.
   *
   * @internal
   */
  static async openWith(options: BroadcasterOptions, internals: Internals): Promise<Broadcaster> {
    const given = checkOptions(options, OPENER_NAMES satisfies NamesOf<BroadcasterOptions>);
    const policies = checkPolicies(given);
    const limits = checkLimits(given);
    const transcripts = checkTranscripts(given['transcripts']);
    const shared = checkSharedOptions(options, internals);
    const checked = { ...shared, policies, limits, transcripts };
    const { BroadcastService: Service } = await import('./service.js');
    const events = new EventRelay<BroadcasterEvents>();
    const reader = new BroadcastReader(checked.store);
    const broadcaster = new Broadcaster(await Service.open({ ...checked, events }), reader);
    events.forwardTo(broadcaster);
    return broadcaster;
  }

  /**
   * Sends the message to every recipient, each once, whatever happens in between. Returns at once.
   *
   * @param recipients service ids: UUIDs, or `PNI:` and a UUID. An entry that is none is a failed
   *   delivery of its own.
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED; ERR_MESSAGE_TOO_LARGE: receivers'
   *   devices would drop the text, see {@link truncateBody}.
   * @example
   * const run = broadcaster.broadcast({ body: 'The bridge is open.' }, subscribers, { id: 'b-1' });
   * const { sealed, failed } = await run.summary();
   */
  broadcast(
    message: BroadcastMessage,
    recipients: Recipients,
    options: BroadcastOptions = {},
  ): BroadcastRun {
    this.#assertOpen();
    const { canUpload } = this.#service;
    return this.#service.broadcast(checkBroadcast(message, recipients, options, canUpload));
  }

  /**
   * Finishes the broadcasts that a crash or a close cut off, one after the other. A broadcast whose
   * recipients had not all been read waits for them: see the status. One whose record is damaged is
   * `failed`, with ERR_STORE_FAILED; where its id cannot be read either, the id given here is
   * `damaged:` and a name of the record that stays the same.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_ABORTED, ERR_CLOSED, ERR_STORE_FAILED,
   *   ERR_STORE_LOCKED.
   * @example
   * for (const { id, status } of await broadcaster.resume()) console.log(id, status);
   */
  resume(options?: ResumeOptions): Promise<ResumedBroadcast[]>;
  /**
   * Finishes one broadcast. Returns at once: its run has progress and deliveries, as that of
   * `broadcast()` has. A finished broadcast ends again at once, with the same counts.
   *
   * The run's `summary()` and its iteration throw ERR_INVALID_ARGUMENT where the store has no
   * broadcast of this id, and where not all of its recipients had been read: `broadcast()` it
   * again.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: the id is none, or another call is sending the
   *   broadcast; ERR_CLOSED.
   * @example
   * const run = broadcaster.resume('ferry-2026-11-22');
   * for await (const { recipient, status } of run)
   *   console.log(recipient, status, run.progress.pending);
   */
  resume(id: string, options?: ResumeOptions): BroadcastRun;
  resume(
    given: string | ResumeOptions = {},
    options: ResumeOptions = {},
  ): BroadcastRun | Promise<ResumedBroadcast[]> {
    if (typeof given !== 'string') return this.#resumeAll(given);
    this.#assertOpen();
    const { signal } = checkOptions(options, RESUME_NAMES);
    return this.#service.resumeOne(checkId(given), checkSignal(signal));
  }

  async #resumeAll(options: ResumeOptions): Promise<ResumedBroadcast[]> {
    this.#assertOpen();
    return this.#service.resumeAll(checkSignal(checkOptions(options, RESUME_NAMES)['signal']));
  }

  /**
   * Iterates the broadcasts in the store, each with its counts; finished ones leave it after
   * `keepFinishedMs`. As {@link BroadcastReader.broadcasts}, which needs no Broadcaster.
   *
   * @throws SealcastError ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * for await (const { id, state, sealed, waiting } of broadcaster.broadcasts())
   *   console.log(id, state, sealed, waiting);
   */
  broadcasts(): AsyncIterable<BroadcastStatus> {
    this.#assertOpen();
    return this.#reader.broadcasts();
  }

  /**
   * Returns a broadcast with its counts; undefined where the store has none of this id. As {@link
   * BroadcastReader.status}.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * const status = await broadcaster.status('ferry-2026-11-22');
   * console.log(status?.state, status?.waiting);
   */
  async status(id: string): Promise<BroadcastStatus | undefined> {
    this.#assertOpen();
    return this.#reader.status(id);
  }

  /**
   * Iterates the deliveries of a broadcast in the store: recipients, statuses and error codes. As
   * {@link BroadcastReader.deliveries}.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: wrong arguments, at once; an id of no broadcast in
   *   the store, when it is iterated. ERR_CLOSED, ERR_STORE_FAILED, ERR_STORE_LOCKED.
   * @example
   * for await (const { recipient, errorCode } of broadcaster.deliveries(id, { status: 'failed' }))
   *   console.log(recipient, errorCode);
   */
  deliveries(id: string, options: DeliveriesOptions = {}): AsyncIterable<StoredDelivery> {
    this.#assertOpen();
    return this.#reader.deliveries(id, options);
  }

  /**
   * Sets the profile key that a contact told the account, 32 bytes. Another key than before makes
   * the contact's access mode `unknown`. With the same key, a contact that denied sealed messages
   * is tried again. Many calls at once share a transaction.
   *
   * @example
   * await broadcaster.setProfileKey(serviceId, profileKey);
   */
  setProfileKey(serviceId: string, profileKey: Uint8Array): Promise<void> {
    const key = checkProfileKey(profileKey);
    return this.#change(serviceId, (contact) => onToldProfileKey(contact, key));
  }

  /**
   * Sets how long messages of the conversation stay, as the contact set it.
   *
   * @param seconds 0: for ever.
   * @param version of the setting.
   * @example
   * await broadcaster.setExpireTimer(serviceId, 7 * 24 * 60 * 60, 2);
   */
  setExpireTimer(serviceId: string, seconds: number, version: number): Promise<void> {
    const expireTimer = checkInteger(seconds, 'seconds', 0, MAX_EXPIRE_TIMER);
    const expireTimerVersion = checkInteger(version, 'version', 0, MAX_EXPIRE_TIMER);
    return this.#change(serviceId, (contact) => ({ ...contact, expireTimer, expireTimerVersion }));
  }

  /**
   * Does what {@link Account.block} and {@link Account.unblock} do, where the account is open.
   *
   * Where the Broadcaster is open alone, and where the account's profile or attributes were never
   * set, the contact is blocked and the profile key that it may have stays in use. {@link
   * Account.block} replaces it later.
   *
   * @deprecated Use {@link Account.block} and {@link Account.unblock}.
   * @throws SealcastError as {@link Account.block}.
   * @example
   * await account.block(serviceId); // instead of broadcaster.setBlocked(serviceId, true)
   */
  setBlocked(serviceId: string, blocked: boolean): Promise<void> {
    if (typeof blocked !== 'boolean') refuse('blocked', 'true or false');
    this.#assertOpen();
    return this.#service.setBlocked(checkServiceId(serviceId), blocked);
  }

  #change(given: string, change: Parameters<BroadcastService['changeContact']>[1]): Promise<void> {
    this.#assertOpen();
    return this.#service.changeContact(checkServiceId(given), change);
  }

  /**
   * Accepts the new identity key of a contact, where `onIdentityChange` is `fail`.
   *
   * Until then, sends to the contact end with ERR_IDENTITY_CHANGED. Sessions with the old key are
   * archived; the next broadcast begins new ones.
   *
   * @param identityKey the key that was looked at, 33 bytes or a libsignal PublicKey: a key that
   *   came after it is not accepted.
   * @throws SealcastError ERR_INVALID_ARGUMENT: no new key of this contact waits.
   *   ERR_IDENTITY_CHANGED: another key waits than the one given. ERR_CLOSED, and the errors of the
   *   store.
   * @example
   * for await (const { serviceId, identityKey } of broadcaster.pendingIdentities()) {
   *   if (await isVerified(serviceId, identityKey)) {
   *     await broadcaster.acceptIdentity(serviceId, identityKey);
   *   }
   * }
   */
  async acceptIdentity(serviceId: string, identityKey?: PublicKeyInput): Promise<void> {
    this.#assertOpen();
    return this.#service.identities.accept(serviceId, identityKey);
  }

  /**
   * Iterates contacts whose new identity key waits to be accepted, in the store's order. Reads all
   * contacts.
   *
   * @example
   * for await (const { serviceId } of broadcaster.pendingIdentities()) console.log(serviceId);
   */
  pendingIdentities(): AsyncIterable<PendingIdentity> {
    this.#assertOpen();
    return this.#service.identities.pending();
  }

  /**
   * Returns the name under which a broadcast appears in log lines and metrics.
   *
   * It is the HMAC-SHA256 of the id with a key that the store keeps, 16 bytes in hex. It also turns
   * a name that says something into an id that says nothing.
   *
   * @example
   * const id = broadcaster.publicId(`${sender}:${timestamp}:${body}`);
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT, ERR_CLOSED.
   */
  publicId(id: string): string {
    this.#assertOpen();
    if (typeof id !== 'string' || id === '') refuse('id', 'a string of at least 1 character');
    return this.#service.publicId(id);
  }

  /**
   * Goes on with the broadcasts that wait for the answer to a challenge: it was given.
   *
   * @internal
   */
  challengeAnswered(): void {
    this.#assertOpen();
    this.#service.challengeAnswered();
  }

  /**
   * Returns the statistics of the Sealer in use.
   *
   * @example
   * const { kernel, queueLength } = broadcaster.stats();
   */
  stats(): SealerStats {
    return this.#service.sealer.stats();
  }

  /**
   * Stops the runs (their broadcasts can be resumed), ends the workers and wipes the keys. Further
   * calls do nothing.
   *
   * @example
   * await broadcaster.close();
   * await transport.close();
   * await store.close();
   */
  close(): Promise<void> {
    this.#closing ??= this.#service.close(closedError());
    return this.#closing;
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}

function checkServiceId(given: unknown): string {
  return parseServiceId(given) ?? refuse('serviceId', 'a UUID, or PNI: and a UUID');
}

function closedError(): SealcastError {
  return new SealcastError('ERR_CLOSED', 'this Broadcaster is closed');
}
