import { SealcastError, type SealcastErrorCode } from '../errors.js';
import type { Refusal } from '../transport/transport.js';
import { refusalError } from '../transport/refusal-errors.js';
import { serviceWaitMs } from '../util/service-wait.js';
import { backoffMs, type BackoffGrowth } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/**
 * Delay of a run that is wanted soon, which covers all wishes until then.
 *
 * The subscribers of a new broadcast use prekeys by the hundred.
 */
const SOON_MS = 5 * SECOND_MS;
const BACKOFF: BackoffGrowth = { baseMs: 10 * SECOND_MS, capMs: HOUR_MS, floor: 0.5 };

/** Failures that another attempt does not fix. */
const FINAL: ReadonlySet<SealcastErrorCode> = new Set([
  'ERR_CLOSED',
  'ERR_STORE_LOCKED',
  'ERR_TRANSPORT_REFUSED',
  'ERR_LIBSIGNAL_UNAVAILABLE',
]);

/** Work that is done once a day. */
export interface DailyTask {
  /** Name of the operation, as its errors have it. */
  readonly operation: string;
  /** @returns the service's refusal, or undefined; rejects with any other failure. */
  run(signal: AbortSignal): Promise<Refusal | undefined>;
  /** Receives the error of a failed run. */
  failed(error: SealcastError): void;
}

/**
 * Runs a task at its start, once a day, and on request; one run at a time.
 *
 * The daily runs vary in their time of day, so that processes that started together do not come
 * back together. A failed run is repeated after a while, longer each time, or when the service
 * says. The timers keep no process alive.
 */
export class DailySchedule {
  readonly #task: DailyTask;
  readonly #clock: Clock;
  #controller: AbortController | undefined;
  #cancel: () => void = () => undefined;
  #dueMs = Infinity;
  #running: Promise<void> | undefined;
  /** Request that came during the run. */
  #again: 'soon' | 'now' | undefined;
  /** Number of failures in a row. */
  #failures = 0;

  constructor(task: DailyTask, clock: Clock) {
    this.#task = task;
    this.#clock = clock;
  }

  start(): void {
    if (this.#controller !== undefined) return;
    this.#controller = new AbortController();
    this.#failures = 0;
    this.#run(this.#controller);
  }

  /** Resolves when no run is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Requests a run at once: something came that a failed run may have lacked. */
  now(): void {
    if (this.#running !== undefined) this.#again = 'now';
    else this.#arm(0);
  }

  async stop(): Promise<void> {
    this.#controller?.abort();
    this.#controller = undefined;
    this.#disarm();
    await this.#running;
  }

  /**
   * Requests a run soon.
   *
   * After a failure the run keeps its time: the service gets the time that it needs.
   */
  soon(): void {
    if (this.#running !== undefined) this.#again ??= 'soon';
    else if (this.#failures === 0) this.#arm(SOON_MS);
  }

  #arm(delayMs: number): void {
    const controller = this.#controller;
    const dueMs = this.#clock.monotonicMs() + delayMs;
    if (controller === undefined || dueMs >= this.#dueMs) return;
    this.#disarm();
    this.#dueMs = dueMs;
    this.#cancel = this.#clock.setTimeout(() => this.#run(controller), delayMs);
  }

  #disarm(): void {
    this.#cancel();
    this.#dueMs = Infinity;
  }

  #run(controller: AbortController): void {
    this.#disarm();
    this.#again = undefined;
    // A run that was stopped may still be ending.
    const before = this.#running ?? Promise.resolve();
    const running = before.then(async () => {
      if (controller !== this.#controller) return;
      const delayMs = await this.#runOnce(controller.signal);
      if (this.#running === running) this.#running = undefined;
      if (controller !== this.#controller || delayMs === undefined) return;
      this.#arm(delayMs);
      if (this.#again === 'now') this.#arm(0);
      else if (this.#again === 'soon' && this.#failures === 0) this.#arm(SOON_MS);
    });
    this.#running = running;
  }

  /** @returns ms until the next run; undefined: there is none by itself. Never throws. */
  async #runOnce(signal: AbortSignal): Promise<number | undefined> {
    let error: SealcastError;
    let retryAfterMs: number | undefined;
    try {
      const refusal = await this.#task.run(signal);
      if (refusal === undefined) {
        this.#failures = 0;
        return DAY_MS * (0.9 + Math.random() / 5);
      }
      error = refusalError(refusal, `${this.#task.operation} failed`);
      if ('retryAfterMs' in refusal) retryAfterMs = refusal.retryAfterMs;
    } catch (cause) {
      if (signal.aborted) return undefined;
      error =
        cause instanceof SealcastError
          ? cause
          : new SealcastError('ERR_STORE_FAILED', `${this.#task.operation} failed`, { cause });
    }
    if (signal.aborted) return undefined;
    this.#report(error);
    if (FINAL.has(error.code)) return undefined;
    const askedMs =
      retryAfterMs === undefined
        ? 0
        : serviceWaitMs({ retryAfterMs, refusals: this.#failures, ceilingMs: DAY_MS });
    const delayMs = Math.max(askedMs, backoffMs(this.#failures, BACKOFF));
    this.#failures += 1;
    return delayMs;
  }

  #report(error: SealcastError): void {
    try {
      this.#task.failed(error);
    } catch (thrown) {
      // A listener's exception is its own.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }
}
