import type { Transport } from '../transport/transport.js';

/** While others get through, so many failures of the service with one recipient's request are its own. */
const MAX_FAILURES = 5;
/** When so few are left that nobody else may get through meanwhile, the service is asked for a sign of life. */
const MAX_ALONE = 16;

/** One recipient's count. `takenBefore`: sends that the service had taken when it last failed him. */
export interface Failures {
  failures: number;
  takenBefore: number;
}

/** Tells an outage, which all wait out, from a recipient whose requests the service fails on every time. */
export class OwnFailures {
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  /** Those whose last request failed. */
  readonly #failing = new Set<string>();

  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
  }

  /** His request was answered, or his part has ended. */
  answered(serviceId: string): void {
    this.#failing.delete(serviceId);
  }

  /** Whether he has failed too often to be another's fault. @param taken sends that the service has taken so far */
  async isTooMany(serviceId: string, tries: Failures, taken: number, isSealed: boolean): Promise<boolean> {
    this.#failing.add(serviceId);
    if (taken > tries.takenBefore || (isSealed && taken > 0 && (await this.#isThere(serviceId)))) tries.failures += 1;
    tries.takenBefore = taken;
    return tries.failures > MAX_FAILURES;
  }

  /** Sealed sends and this question take the same way. */
  async #isThere(serviceId: string): Promise<boolean> {
    if (this.#failing.size > MAX_ALONE) return false;
    const { status } = await this.#transport.accountExists(serviceId, { signal: this.#signal });
    return status === 'ok';
  }
}
