import type { AbortWatch } from '../abort-watch.js';

/** Why nothing is sent for now. `resend`: recipients that asked for the message again are being sent to. */
export type Closure = 'paused' | 'challenge' | 'outage' | 'resend';

/** Where all of a broadcast waits while there is a reason to. */
export class Gate {
  readonly #closures = new Set<Closure>();
  readonly #waiting = new Set<() => void>();
  readonly #aborts: AbortWatch;

  constructor(aborts: AbortWatch) {
    this.#aborts = aborts;
  }

  get closures(): readonly Closure[] {
    return [...this.#closures];
  }

  close(closure: Closure): void {
    this.#closures.add(closure);
  }

  open(closure: Closure): void {
    this.#closures.delete(closure);
    if (this.#closures.size > 0) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Resolves when nothing holds it closed; rejects with the signal's reason. */
  async pass(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#closures.size > 0) await this.#wait(signal);
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        unwatch();
        resolve();
      };
      const unwatch = this.#aborts.add(signal, () => {
        this.#waiting.delete(wake);
        unwatch();
        reject(signal.reason as Error);
      });
      this.#waiting.add(wake);
    });
  }
}
