import type { Transport } from '../../transport/transport.js';

/**
 * Failures of one recipient's request after which they are its own. They count while other
 * recipients' requests get through, or did before.
 */
const MAX_FAILURES = 5;
/**
 * Failing recipients up to which a sign of life counts as well. With so few left, no other request
 * may get through meanwhile.
 */
const MAX_ALONE = 16;
/**
 * Outages in a row in which the service answers other requests and accepts no message. They are 20
 * minutes where the service names no time. Waiting longer would be waiting for ever.
 */
const MAX_SILENT_ROUNDS = 30;
/**
 * Time of such outages, ms, after which the next one is the last. The service may name 5 minutes
 * for each.
 */
const MAX_SILENT_MS = 3_600_000;

/** Failures of one recipient's requests, counted. */
export class RecipientFailures {
  #failures = 0;
  /** Sends that the service had accepted when it last failed this recipient. */
  #takenBefore: number;
  /** Rounds in which the service was there and accepted no message. */
  #silentRounds = 0;
  /** Time that these rounds took, ms. */
  #silentMs = 0;

  /** @param taken sends that the service has accepted so far. */
  constructor(taken: number) {
    this.#takenBefore = taken;
  }

  /** Whether the failures are the recipient's own. */
  get areOwn(): boolean {
    return this.#failures > MAX_FAILURES;
  }

  /** Whether the service was there for too long without accepting a message. */
  get areSilent(): boolean {
    return this.#silentRounds > MAX_SILENT_ROUNDS || this.#silentMs >= MAX_SILENT_MS;
  }

  /** Takes the sends that were accepted so far. @returns whether there are more than before. */
  noteTaken(taken: number): boolean {
    const isServingOthers = taken > this.#takenBefore;
    this.#takenBefore = taken;
    return isServingOthers;
  }

  /** Counts a failure while the service serves others. */
  countAmongOthers(): void {
    this.#failures += 1;
    this.#silentRounds = 0;
    this.#silentMs = 0;
  }

  /** Counts a round in which the service was there and accepted no message. */
  countSilentRound({ isOwn, lastOutageMs }: { isOwn: boolean; lastOutageMs: number }): void {
    if (isOwn) this.#failures += 1;
    // The first failure comes before any wait.
    if (this.#silentRounds > 0) this.#silentMs += lastOutageMs;
    this.#silentRounds += 1;
  }
}

/** State of the `DeliverySender` at the time of a failure. */
export interface FailureScene {
  /** Sends that the service has accepted so far. */
  readonly taken: number;
  /** Number of the outage that the failure belongs to. */
  readonly round: number;
  /** Length of the outage before it, ms. */
  readonly lastOutageMs: number;
  readonly isSealed: boolean;
}

/**
 * Verdict on a failure. `outage`: every recipient waits it out. `own`: this recipient's requests
 * fail, and the service serves others. `service`: the service is there and accepts no message at
 * all, for too long to go on.
 */
export type FailureVerdict = 'outage' | 'own' | 'service';

/**
 * Tells apart an outage, a failing recipient, and a service that accepts nothing.
 *
 * All recipients wait out an outage. A failing recipient is one whose requests the service fails
 * every time. The third answers, be it with 5xx alone, and accepts no message. So a delivery ends
 * in bounded time while the network is up; while no request is answered at all, waiting goes on.
 */
export class RecipientFailureTracker {
  readonly #transport: Transport;
  readonly #ownAci: string;
  readonly #signal: AbortSignal;
  /** Recipients whose last request failed. */
  readonly #failing = new Set<string>();
  /**
   * Signs of life of the latest outage, each requested once, by `isSealed`: sealed and unsealed
   * requests take different ways.
   */
  readonly #signs = new Map<
    boolean,
    { readonly round: number; readonly isThere: Promise<boolean> }
  >();

  /**
   * @param ownAci the account that a sign of life asks about: the service learns of no recipient
   *   that way.
   */
  constructor(transport: Transport, ownAci: string, signal: AbortSignal) {
    this.#transport = transport;
    this.#ownAci = ownAci;
    this.#signal = signal;
  }

  /** Records that the recipient's request was answered, or that its delivery has ended. */
  answered(serviceId: string): void {
    this.#failing.delete(serviceId);
  }

  async judge(
    serviceId: string,
    failures: RecipientFailures,
    scene: FailureScene,
  ): Promise<FailureVerdict> {
    const { taken, lastOutageMs } = scene;
    this.#failing.add(serviceId);
    if (failures.noteTaken(taken)) failures.countAmongOthers();
    else if (await this.#isThere(scene)) {
      const isOwn = this.#failing.size <= MAX_ALONE && taken > 0;
      failures.countSilentRound({ isOwn, lastOutageMs });
    }
    if (failures.areOwn) return 'own';
    if (!failures.areSilent) return 'outage';
    return this.#failing.size <= MAX_ALONE ? 'own' : 'service';
  }

  #isThere({ round, isSealed }: FailureScene): Promise<boolean> {
    const known = this.#signs.get(isSealed);
    if (known?.round === round) return known.isThere;
    const isThere = this.#ask(isSealed);
    this.#signs.set(isSealed, { round, isThere });
    return isThere;
  }

  /**
   * Sends a request that takes the same way as the failed one: unauthenticated, or as the account.
   */
  async #ask(isSealed: boolean): Promise<boolean> {
    const options = { signal: this.#signal };
    const sign = isSealed
      ? await this.#transport.accountExists(this.#ownAci, options)
      : await this.#transport.fetchSenderCertificate({ includePhoneNumber: false }, options);
    return sign.status !== 'unavailable' || sign.httpStatus !== undefined;
  }
}
