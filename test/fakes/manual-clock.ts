import { AbortWatch } from '#dist/src/util/abort-watch.js';
import { SYSTEM_CLOCK } from '#dist/src/util/clock.js';
import type { MeasuredClock } from '#dist/src/util/service-clock.js';
import { manyTurns } from '../harness/await-condition.js';

const aborts = new AbortWatch();

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. There is no better one. */
export class ManualClock implements MeasuredClock {
  readonly isProvisional = false;
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = Date.UTC(2026, 10, 22)) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimeout(callback: () => void, ms: number): () => void {
    const timer = { atMs: this.#monotonicMs + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Resolves when so much time has passed. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const unwatch =
        signal &&
        aborts.add(signal, () => {
          cancel();
          unwatch?.();
          reject(signal.reason as Error);
        });
      const cancel = this.setTimeout(
        () => {
          unwatch?.();
          resolve();
        },
        Math.max(0, ms),
      );
    });
  }

  whenMeasured(): () => void {
    return () => undefined;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Time passes, and the timers whose time has come fire, in order. */
  pass(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      const stepMs = (next?.atMs ?? endMs) - this.#monotonicMs;
      this.#monotonicMs += stepMs;
      this.#nowMs += stepMs;
      if (next === undefined) return;
      this.#timers.delete(next);
      next.callback();
    }
  }

  /**
   * As {@link pass}, with turns of the event loop after each timer, so that what follows from it
   * happens at its time.
   */
  async passInTurns(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await manyTurns(3);
    for (;;) {
      const nextMs = Math.min(endMs, ...[...this.#timers].map(({ atMs }) => atMs));
      this.pass(nextMs - this.#monotonicMs);
      await manyTurns(3);
      const isDue = [...this.#timers].some(({ atMs }) => atMs <= endMs);
      if (this.#monotonicMs === endMs && !isDue) return;
    }
  }

  /** The machine's clock is set forward, or back. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}

/**
 * A clock that stands still, on which sleeps take one turn of the event loop each, and are noted.
 */
export class SleeplessClock extends ManualClock {
  /** ms of each sleep, as it was asked for. */
  readonly sleeps: number[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return SYSTEM_CLOCK.sleep(0, signal);
  }
}
