import { EventEmitter } from 'node:events';
import {
  checkAccountTransport,
  checkBoolean,
  checkPolicies,
  checkSharedOptions,
  type Internals,
  type Policies,
  type SharedOptions,
} from '../runtime/options.js';
import { OPENER_NAMES } from '../runtime/option-names.js';
import { checkOptions } from '../sealer/options.js';
import type { ReceiveService } from './service.js';
import type { ReceiverEvents } from './events.js';
import type { ReceivedMessage, ReceiverStats } from './types.js';
import type { AccountTransport } from '../transport/transport.js';
import { EventRelay } from '../util/event-relay.js';
import type { NamesOf } from '../util/known-names.js';

export interface ReceiverOptions extends SharedOptions, Partial<Policies> {
  /** The way to the service, there and back. Stays the caller's to close. */
  readonly transport: AccountTransport;
  /**
   * Whether prekeys are made, uploaded, and seen to once a day: nobody can begin a session with the account without. Default true; false
   * where another program does it and puts them into the store.
   */
  readonly maintainPreKeys?: boolean;
}

/**
 * Takes what the account is sent: unseals it in batches, validates certificates, decrypts it in the workers, learns the profile
 * keys in it, and gives it out, each message once.
 *
 * A message is acknowledged to the service when it and its session are on the disk, and lies in the store until whoever iterates asks
 * for the next one: a crash loses none, and gives none out twice but the one in hand, and those before it whose end was not on the
 * disk yet. Messages of one sender keep their order. Whoever iterates slowly makes the service wait.
 */
export class Receiver extends EventEmitter<ReceiverEvents> implements AsyncDisposable, AsyncIterable<ReceivedMessage> {
  readonly #service: ReceiveService;
  #closing: Promise<void> | undefined;

  private constructor(service: ReceiveService) {
    super();
    this.#service = service;
    // A skew that was found before anybody could listen is told to the first listener.
    (this as EventEmitter).on('newListener', (name) => {
      if (name === 'clockSkew') service.tellClockSkews();
    });
  }

  /**
   * Starts the workers, or shares those of the Broadcaster that is open on the store, and begins to take messages.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT; ERR_ACCOUNT_MISMATCH: the store is another account's; what {@link Sealer.create}
   *   and the store throw.
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
    const events = new EventRelay<ReceiverEvents>();
    const { ReceiveService: Service } = await import('./service.js');
    const service = await Service.open({
      ...checkSharedOptions(options, internals),
      transport,
      policies,
      maintainPreKeys,
      events,
    });
    const receiver = new Receiver(service);
    // What came before anybody could listen is told to those who listen at once.
    setImmediate(() => events.forwardTo(receiver));
    return receiver;
  }

  /**
   * Messages as they come, first those that were not dealt with before the last close or crash. A message is dealt with when the next
   * one is asked for; whoever leaves the loop in the middle of one is given it again. One loop at a time.
   *
   * @throws SealcastError ERR_STORE_FAILED, ERR_STORE_LOCKED and the like: nothing more can be taken; what was not given out
   *   yet comes again. ERR_TRANSPORT_REFUSED, or ERR_CLOSED where the transport was closed, after everything that had been
   *   taken was given out: nothing more comes. It just ends when the Receiver is closed.
   */
  [Symbol.asyncIterator](): AsyncGenerator<ReceivedMessage, void, void> {
    return this.#service.iterate();
  }

  /**
   * Nobody is going to iterate: messages are learned from (profile keys, timers, requests to send something again), acknowledged, and
   * let go.
   *
   * @throws SealcastError ERR_INVALID_ARGUMENT: somebody iterates.
   */
  discard(): void {
    this.#service.discard();
  }

  /** What became of envelopes since it was opened. */
  stats(): ReceiverStats {
    return this.#service.stats;
  }

  /** Finishes what is being decrypted, and takes nothing more. Further calls do nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#service.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
