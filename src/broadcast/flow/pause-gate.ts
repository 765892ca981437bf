import type { AbortWatch } from '../../util/abort-watch.js';

/**
 * Reason why nothing is sent for now. `resend`: resends to recipients that asked for the message
 * again are under way.
 */
export type Closure = 'paused' | 'challenge' | 'outage' | 'resend';

/**
 * Wait of a broadcast, or of some of its recipients. `paused`: until `run.resume()`. `challenge`:
 * for the answer to one. `outage`: of the service. `resend`: for the end of a resend to recipients
 * that asked for the message again. `rate-limited`: recipients, for their Retry-After.
 * `certificate`: for the sender certificate. `prekeys`: of recipients without a session. `pace`:
 * for `maxPerSecond`.
 */
export type WaitReason = Closure | 'rate-limited' | 'certificate' | 'prekeys' | 'pace';

/** Gate at which all of a broadcast waits while there is a reason to. */
export class PauseGate {
  readonly #closures = new Set<Closure>();
  /** Number of waits of some recipients that are under way, by reason. */
  readonly #waits = new Map<WaitReason, number>();
  readonly #waiting = new Set<() => void>();
  readonly #aborts: AbortWatch;

  constructor(aborts: AbortWatch) {
    this.#aborts = aborts;
  }

  get closures(): readonly Closure[] {
    return [...this.#closures];
  }

  /** Reasons of all waits at the moment. */
  get waits(): readonly WaitReason[] {
    return [...this.#closures, ...this.#waits.keys()];
  }

  /** Names a wait while the promise is pending. */
  async during<Value>(reason: WaitReason, promise: Promise<Value>): Promise<Value> {
    this.#waits.set(reason, (this.#waits.get(reason) ?? 0) + 1);
    try {
      return await promise;
    } finally {
      const others = (this.#waits.get(reason) ?? 1) - 1;
      if (others === 0) this.#waits.delete(reason);
      else this.#waits.set(reason, others);
    }
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
