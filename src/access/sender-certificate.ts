import type { SenderCertificate as LibsignalCertificate } from '@signalapp/libsignal-client';
import { untilAborted } from '../util/abort.js';
import { SealcastError, type SealcastErrorCode } from '../errors.js';
import type { Emitter } from '../util/event-relay.js';
import type { MeasuredClock } from '../util/service-clock.js';
import { CertificateFailures } from './certificate-failures.js';
import { expirationOf } from '../sealer/certificate-validator.js';
import { libsignal, loadLibsignal } from './libsignal.js';

/** A sender certificate that holds for us. */
export interface SenderCertificate {
  /** Serialized, as it goes into every USMC. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** ms since the epoch; Infinity when libsignal cannot tell it as a number */
  readonly expiresAtMs: number;
}

/** Device that the certificate has to name. */
export interface OwnDevice {
  readonly aci: string;
  readonly deviceId: number;
  /** 33 bytes */
  readonly identityKey: Uint8Array;
}

/** Access to sender certificates of the service and of the store. */
export interface CertificateSource {
  /** Asks the service; rejects with why there is none now: see certificate-failures.ts. */
  fetch(): Promise<Uint8Array<ArrayBuffer>>;
  /** The certificate saved last, if any. */
  load(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Failures that another request does not mend: the service rejects the account permanently, or the
 * store or the transport is unusable.
 */
const FINAL: ReadonlySet<SealcastErrorCode> = new Set([
  'ERR_TRANSPORT_REFUSED',
  'ERR_STORE_FAILED',
  'ERR_STORE_LOCKED',
  'ERR_CLOSED',
]);

/** A fetch that gave no certificate. */
export interface CertificateProblem {
  readonly error: SealcastError;
  /** Fetches in a row that failed, this one included. */
  readonly attempt: number;
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** Never used so near its end: an envelope takes a while to be opened. */
const UNUSABLE_MS = HOUR_MS;
/** From here on a new one is fetched, while the old one is still in use. */
const REFRESH_MS = DAY_MS;
/** A background refresh that failed is not tried again before. */
const REFRESH_PAUSE_MS = 60_000;
/** Longest wait for the service's time where the clock's will do. */
const SETTLE_MS = 10_000;

export interface CacheOptions {
  readonly source: CertificateSource;
  /** Public keys, 33 bytes each. */
  readonly trustRoots: readonly Uint8Array<ArrayBuffer>[];
  readonly own: OwnDevice;
  readonly problems: Pick<Emitter<CertificateProblem>, 'emit'>;
  /**
   * By which certificates expire; while it is provisional, the service is asked, for its answer
   * tells its time.
   */
  readonly clock: MeasuredClock;
}

/**
 * The account's sender certificate, of one kind (with or without phone number): fetched once for
 * all who want it, kept in the store, fetched again a day ahead of its end, never used in its last
 * hour. There is no timer: each use checks the age.
 *
 * Where the clock is provisional, one certificate is fetched before one that was kept is used: the
 * local clock may be days behind, and the kept certificate expired. Where that fails, the kept one
 * is used, and the service asked again a minute later.
 *
 * A caller that asks while there is none waits, within the bounds of {@link CertificateFailures}:
 * nothing is sent unsealed for want of a certificate.
 */
export class SenderCertificateCache {
  readonly #options: CacheOptions;
  readonly #clock: MeasuredClock;
  #current: SenderCertificate | undefined;
  #loaded = false;
  #isClosed = false;
  #fetching: Promise<SenderCertificate> | undefined;
  /** By the monotonic clock. */
  #nextRefreshMs = 0;
  /** State of the fetch that settles a provisional clock. */
  #settling: 'not asked' | 'asked' | 'failed' = 'not asked';
  /**
   * Whether the last fetch was one of {@link settleClock} and failed. No caller has waited after it
   * yet.
   */
  #isRefused = false;
  /**
   * Fetches in a row that gave nothing; replaced by a new count once one gave a certificate, or a
   * bound was reached.
   */
  #failures = new CertificateFailures();

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Keeps no certificate that comes from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Whether something sealed with it may go out now. */
  isUsable({ expiresAtMs }: SenderCertificate): boolean {
    return expiresAtMs - this.#clock.now() > UNUSABLE_MS;
  }

  /** A usable certificate, if there is one without a wait. */
  ready(): SenderCertificate | undefined {
    const current = this.#current;
    if (current === undefined || this.#isToSettle() || !this.isUsable(current)) return undefined;
    this.#refreshAhead(current);
    return current;
  }

  /**
   * A usable certificate, now or as soon as the service gives one; it is asked again and again,
   * each time a little later.
   *
   * @throws SealcastError ERR_ABORTED; ERR_SERVICE_REJECTED, ERR_INVALID_CERTIFICATE,
   *   ERR_CLOCK_SKEW, ERR_RATE_LIMITED, ERR_SERVICE_UNAVAILABLE when a bound of {@link
   *   CertificateFailures} is reached; and what no time mends: see FINAL.
   */
  async get(signal?: AbortSignal): Promise<SenderCertificate> {
    const ready = this.ready();
    if (ready !== undefined) return ready;
    if (!this.#loaded) await this.#load();
    let hasPaused = false;
    for (;;) {
      // No request for a caller that is gone.
      signal?.throwIfAborted();
      if (this.#current !== undefined && this.isUsable(this.#current)) {
        if (!this.#isToSettle()) return this.#current;
        // By the time that is told it may have expired.
        await untilAborted(() => this.settleClock(), signal);
        continue;
      }
      const failures = this.#failures;
      try {
        // The service has refused one for the time's sake, and may have named a time to wait.
        if (!this.#isRefused || hasPaused) return await untilAborted(() => this.#fetch(), signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof SealcastError && FINAL.has(error.code)) throw error;
      }
      if (failures.end === undefined) await this.#pause(failures, signal);
      hasPaused = true;
      // Also where it came while this one waited for its turn to ask.
      if (failures.end !== undefined) throw failures.end;
    }
  }

  /**
   * Asks the service for its time if the clock is provisional and was not settled before. Never
   * rejects, nor waits for more than 10 s.
   */
  async settleClock(): Promise<void> {
    if (!this.#isToSettle()) return;
    const fetching = (this.#loaded ? Promise.resolve() : this.#load()).then(() => this.#fetch());
    const fetched = fetching.then(
      () => undefined,
      () => {
        this.#isRefused = true;
      },
    );
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      cancel = this.#clock.setTimeout(resolve, SETTLE_MS);
    });
    await Promise.race([fetched, over]);
    cancel();
    this.#giveUpSettling();
  }

  /** From now on the service is asked in the background. */
  #giveUpSettling(): void {
    if (!this.#isToSettle()) return;
    this.#settling = 'failed';
    this.#nextRefreshMs = this.#clock.monotonicMs() + REFRESH_PAUSE_MS;
  }

  /** Whether the service is to be asked before the clock is believed. */
  #isToSettle(): boolean {
    if (!this.#clock.isProvisional) this.#settling = 'not asked';
    return this.#clock.isProvisional && this.#settling === 'not asked';
  }

  /**
   * Until it is time to ask again. Of many who wait, one asks; the others wait on if it got nothing
   * either.
   */
  async #pause(failures: CertificateFailures, signal: AbortSignal | undefined): Promise<void> {
    let count;
    do {
      count = failures.count;
      await this.#clock.sleep(failures.waitMs(), signal);
    } while (count < failures.count && failures.end === undefined);
  }

  #refreshAhead(current: SenderCertificate): void {
    const isDue = current.expiresAtMs - this.#clock.now() <= REFRESH_MS;
    const isDoubtful = this.#settling === 'failed' && this.#clock.isProvisional;
    if (!isDue && !isDoubtful) return;
    const monotonicMs = this.#clock.monotonicMs();
    if (monotonicMs < this.#nextRefreshMs) return;
    this.#nextRefreshMs = monotonicMs + REFRESH_PAUSE_MS;
    // The failure has been reported; the old certificate is still good.
    this.#fetch().catch(() => undefined);
  }

  /**
   * Loads the store's certificate and judges it like one of the service: roots, identity and clock
   * may have changed since.
   */
  async #load(): Promise<void> {
    await loadLibsignal();
    const bytes = await this.#options.source.load();
    if (bytes !== undefined && !this.#loaded) {
      try {
        this.#current = this.#judge(bytes);
      } catch {
        // A new one is fetched.
      }
    }
    this.#loaded = true;
  }

  /** One request at a time, however many want the certificate; a problem is told once. */
  #fetch(): Promise<SenderCertificate> {
    if (this.#fetching !== undefined) return this.#fetching;
    this.#isRefused = false;
    this.#fetching = this.#fetchOne()
      .then(
        (certificate) => {
          this.#failures = new CertificateFailures();
          this.#settling = this.#clock.isProvisional ? 'asked' : 'not asked';
          return certificate;
        },
        (error: unknown) => {
          const failures = this.#failures;
          const problem = asProblem(error);
          this.#giveUpSettling();
          failures.add(problem, this.#current === undefined || !this.isUsable(this.#current));
          if (failures.end !== undefined) this.#failures = new CertificateFailures();
          this.#options.problems.emit({ error: problem, attempt: failures.count });
          throw problem;
        },
      )
      .finally(() => {
        this.#fetching = undefined;
      });
    return this.#fetching;
  }

  async #fetchOne(): Promise<SenderCertificate> {
    await loadLibsignal();
    const bytes = await this.#options.source.fetch();
    const certificate = this.#judge(bytes);
    if (!this.isUsable(certificate)) {
      const message = `the sender certificate that was just fetched has expired, or will within the hour: is the clock right?`;
      throw new SealcastError('ERR_CLOCK_SKEW', message);
    }
    // An answer that comes after the end: the store may be another writer's by now.
    if (this.#isClosed) throw new SealcastError('ERR_CLOSED', 'the account is closed');
    await this.#options.source.save(bytes);
    this.#current = certificate;
    return certificate;
  }

  /** @throws SealcastError ERR_INVALID_CERTIFICATE */
  #judge(bytes: Uint8Array<ArrayBuffer>): SenderCertificate {
    const { trustRoots, own } = this.#options;
    const { PublicKey, SenderCertificate: Certificate } = libsignal();
    let certificate: LibsignalCertificate;
    let signed, named;
    try {
      certificate = Certificate.deserialize(bytes);
      // Time 0 is before any expiration: the clock is a question of its own.
      signed = certificate.validateWithTrustRoots(
        trustRoots.map((root) => PublicKey.deserialize(root)),
        0,
      );
      named =
        certificate.senderAci()?.getServiceIdString() === own.aci &&
        certificate.senderDeviceId() === own.deviceId &&
        Buffer.compare(certificate.key().serialize(), own.identityKey) === 0;
    } catch (cause) {
      throw new SealcastError('ERR_INVALID_CERTIFICATE', 'the sender certificate is malformed', {
        cause,
      });
    }
    if (!signed) {
      throw new SealcastError(
        'ERR_INVALID_CERTIFICATE',
        'the sender certificate is of no given trust root',
      );
    }
    if (!named) {
      const message =
        'the sender certificate names another account, device or identity key than ours';
      throw new SealcastError('ERR_INVALID_CERTIFICATE', message);
    }
    return { bytes, expiresAtMs: expirationOf(certificate) };
  }
}

function asProblem(error: unknown): SealcastError {
  if (error instanceof SealcastError) return error;
  return new SealcastError(
    'ERR_SERVICE_UNAVAILABLE',
    'the sender certificate could not be fetched',
    { cause: error },
  );
}
