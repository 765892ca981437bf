import { EventEmitter } from 'node:events';
import {
  checkAccountTransport,
  checkPolicies,
  checkSharedOptions,
  type Internals,
  type Policies,
  type SharedOptions,
  OPENER_NAMES,
} from '../runtime/options.js';
import { checkBoolean, checkInteger, checkOptions } from '../sealer/options.js';
import type { ReceiveService } from './service.js';
import type { ReceiverEvents } from './events.js';
import type { ReceivedMessage, ReceiverStats } from './types.js';
import type { AccountTransport } from '../transport/account-transport.js';
import { EventRelay } from '../util/event-relay.js';
import type { NamesOf } from '../util/known-names.js';

const MAX_UNANSWERED_CONTACTS = 10_000;

/** Options of {@link Receiver.open}. */
export interface ReceiverOptions extends SharedOptions, Partial<Policies> {
  /** Connection to the service, in both directions. The caller closes it. */
  readonly transport: AccountTransport;
  /**
   * Whether prekeys are generated, uploaded, and maintained once a day. Without them no contact can
   * begin a session with the account. Default true; false where another program maintains them and
   * puts them into the store.
   */
  readonly maintainPreKeys?: boolean;
  /**
   * Contacts kept that wrote to the account, and that no broadcast went to. Default 10,000.
   *
   * The oldest above it are dropped with their sessions and profile keys. The Receiver looks for
   * them a minute after opening and every six hours, and at once where as many are new. A contact
   * stays that a broadcast went to, that a caller set something of, blocked or imported, that the
   * phone's lists have, whose new identity key waits to be accepted, that an unfinished broadcast
   * goes to, or whose message is not dealt with. One that was dropped and writes again is a new
   * contact.
   */
  readonly maxUnansweredContacts?: number;
}

/**
 * Receives the account's messages, and gives out each one once. It unseals them in batches,
 * validates certificates, decrypts in the workers, and learns the profile keys in them.
 *
 * A message is acknowledged to the service when it and its session are on the disk, and is stored
 * until the caller that iterates asks for the next one. A crash loses none, and gives none out
 * twice except the one that the caller was processing, and those before it whose end was not on the
 * disk yet. Messages of one sender keep their order. A caller that iterates slowly makes the
 * service wait.
 */
export class Receiver
  extends EventEmitter<ReceiverEvents>
  implements AsyncDisposable, AsyncIterable<ReceivedMessage>
{
  readonly #service: ReceiveService;
  #closing: Promise<void> | undefined;

  private constructor(service: ReceiveService) {
    super();
    this.#service = service;
    // A skew that was found before the caller could listen is told to the first listener.
    (this as EventEmitter).on('newListener', (name) => {
      if (name === 'clockSkew') service.tellClockSkews();
    });
  }

  /**
   * Opens a Receiver, which begins to take messages. It starts the workers, or shares those of the
   * Broadcaster that is open on the store.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_ACCOUNT_MISMATCH: the store is another
   *   account's; what {@link Sealer.create} and the store throw.
   * @example
   * const receiver = await Receiver.open({ store, transport, trustRoots, account: mine });
   */
  static open(options: ReceiverOptions): Promise<Receiver> {
    return Receiver.openWith(options, {});
  }

  /**
   * As {@link Receiver.open}, with parts that a test injects.
   *
   * @internal
   */
  static async openWith(options: ReceiverOptions, internals: Internals): Promise<Receiver> {
    const given = checkOptions(options, OPENER_NAMES satisfies NamesOf<ReceiverOptions>);
    const policies = checkPolicies(given);
    const transport = checkAccountTransport(options.transport);
    const maintainPreKeys = checkBoolean(given['maintainPreKeys'], 'maintainPreKeys', true);
    const maxUnansweredContacts = checkInteger(
      given['maxUnansweredContacts'] ?? MAX_UNANSWERED_CONTACTS,
      'maxUnansweredContacts',
      0,
      Number.MAX_SAFE_INTEGER,
    );
    const events = new EventRelay<ReceiverEvents>();
    const { ReceiveService: Service } = await import('./service.js');
    const service = await Service.open({
      ...checkSharedOptions(options, { ...internals, receives: true }),
      transport,
      policies,
      maintainPreKeys,
      maxUnansweredContacts,
      events,
    });
    const receiver = new Receiver(service);
    // Events from before the caller could listen reach listeners that are added at once.
    setImmediate(() => events.forwardTo(receiver));
    return receiver;
  }

  /**
   * Iterates messages as they come. Messages that were not dealt with before the last close or
   * crash come first. A message is dealt with when the next one is asked for; a caller that leaves
   * the loop in the middle of one gets it again. One loop at a time.
   *
   * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED and the like: no further messages can
   *   be taken; those that were not given out yet come again. ERR_TRANSPORT_REFUSED, or ERR_CLOSED
   *   where the transport was closed, after everything that had been taken was given out: no
   *   further messages come. The loop just ends when the Receiver is closed.
   * @example
   * for await (const { sender, content } of receiver) {
   *   console.log(sender, content.dataMessage?.body);
   * }
   */
  [Symbol.asyncIterator](): AsyncGenerator<ReceivedMessage, void, void> {
    return this.#service.iterate();
  }

  /**
   * Discards messages, for no caller is going to iterate. They are learned from (profile keys,
   * timers, retry requests), acknowledged, and dropped.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: a loop iterates.
   * @example
   * receiver.discard();
   */
  discard(): void {
    this.#service.discard();
  }

  /**
   * Counts of envelopes since it was opened, by outcome.
   *
   * @example
   * const { messages, deferred, refused } = receiver.stats();
   */
  stats(): ReceiverStats {
    return this.#service.stats;
  }

  /**
   * Finishes batches in work, and takes nothing further. Further calls do nothing.
   *
   * @example
   * await receiver.close();
   */
  close(): Promise<void> {
    this.#closing ??= this.#service.close();
    return this.#closing;
  }

  /** Does what {@link close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
