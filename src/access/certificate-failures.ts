import { SealcastError, type SealcastErrorCode } from '../errors.js';
import { serviceWaitMs } from '../util/service-wait.js';

/** The service named a time before which it is not to be asked again. */
export class CertificateDelayed extends SealcastError {
  /** Number of the service as it came, ms: of any size. */
  readonly delayMs: number;
  /** Longest time that is waited for it, ms: every broadcast waits meanwhile. */
  readonly ceilingMs: number;

  constructor(
    message: string,
    facts: {
      readonly code: 'ERR_RATE_LIMITED' | 'ERR_SERVICE_UNAVAILABLE';
      readonly retryAfterMs: number;
      readonly ceilingMs: number;
      readonly cause: unknown;
    },
  ) {
    const { code, retryAfterMs, ceilingMs, cause } = facts;
    super(code, message, { cause, retryAfterMs });
    this.delayMs = retryAfterMs;
    this.ceilingMs = ceilingMs;
  }
}

/** The service answered, and gives this account no certificate. */
export class CertificateRefused extends SealcastError {
  constructor(message: string, cause: unknown) {
    super('ERR_SERVICE_REJECTED', message, { cause });
  }
}

/** Nothing is answered, this request or another: the network is down. */
export class CertificateUnreachable extends SealcastError {
  constructor(message: string, cause: unknown) {
    super('ERR_SERVICE_UNAVAILABLE', message, { cause });
  }
}

/** Refused, or of no use: an answer that asking again is unlikely to change. */
const CONCLUSIVE: ReadonlySet<SealcastErrorCode> = new Set([
  'ERR_SERVICE_REJECTED',
  'ERR_INVALID_CERTIFICATE',
  'ERR_CLOCK_SKEW',
]);
/** Conclusive answers in a row, two minutes of them, after which waiting ends. */
const MAX_CONCLUSIVE = 7;
/**
 * Failures in a row, while the service answers, after which waiting ends. They take 25 minutes
 * where the service names no time.
 */
const MAX_ANSWERED = 30;
/** Waiting, ms, after which the next failure ends it, whatever times the service names. */
const MAX_WAITED_MS = 3_600_000;
/** Longest wait where the service names no time, ms. */
const OWN_CEILING_MS = 60_000;

/**
 * Counts failed fetches of a certificate in a row, and ends the wait for one at a bound: 7
 * conclusive answers, 30 failures, or an hour of waiting. While nothing is answered at all, nothing
 * is counted and waiting goes on.
 */
export class CertificateFailures {
  #conclusive = 0;
  #answered = 0;
  #waitedMs = 0;
  #delay: Pick<CertificateDelayed, 'delayMs' | 'ceilingMs'> | undefined;
  /** Fetches that failed, counted or not. */
  count = 0;
  /** Error that ended the waiting; every waiting caller gets it. */
  end: SealcastError | undefined;

  /**
   * @param isAwaited whether no usable certificate is left: a refresh ahead of time may fail any
   *   number of times.
   */
  add(error: SealcastError, isAwaited: boolean): void {
    this.count += 1;
    this.#delay = error instanceof CertificateDelayed ? error : undefined;
    if (!isAwaited) return;
    this.#conclusive = CONCLUSIVE.has(error.code) ? this.#conclusive + 1 : 0;
    if (error instanceof CertificateUnreachable) return;
    this.#answered += 1;
    const isOver =
      this.#conclusive >= MAX_CONCLUSIVE ||
      this.#answered >= MAX_ANSWERED ||
      this.#waitedMs >= MAX_WAITED_MS;
    if (isOver) this.end = this.#endOf(error);
    else this.#waitedMs += this.waitMs(() => 0);
  }

  /** Wait before the next fetch, ms: the service's number, growth, jitter and ceiling. */
  waitMs(random = Math.random): number {
    const { delayMs, ceilingMs } = this.#delay ?? { delayMs: undefined, ceilingMs: OWN_CEILING_MS };
    return serviceWaitMs({ retryAfterMs: delayMs, refusals: this.count, ceilingMs, random });
  }

  #endOf(error: SealcastError): SealcastError {
    const minutes = Math.round(this.#waitedMs / 60_000);
    const message =
      `fetch the sender certificate: none after ${this.#answered} attempts in ${minutes} min, ` +
      `the last one: ${error.message}; resume() goes on with the broadcast`;
    const { retryAfterMs } = error;
    return new SealcastError(error.code, message, {
      cause: error,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
}
