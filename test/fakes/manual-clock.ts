import type { MeasuredClock } from '#dist/src/util/service-clock.js';

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
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      const stepMs = (next?.atMs ?? endMs) - this.#monotonicMs;
      this.#monotonicMs += stepMs;
      this.#nowMs += stepMs;
      if (next === undefined) return;
      this.#timers.delete(next);
      next.callback();
    }
  }

  /** The machine's clock is set forward, or back. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}
