/** Part of `process` that tells of signals. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: () => void): unknown;
  off(name: NodeJS.Signals, listener: () => void): unknown;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/**
 * Wish of a person, or of a service manager, that the command ends. The first signal stops it so
 * that it can be resumed; the second one ends it at once.
 */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #source: SignalSource;
  readonly #exit: () => void;
  #onFirst: () => void = () => undefined;

  /** @param exit ends the process */
  constructor(source: SignalSource, exit: () => void) {
    this.#source = source;
    this.#exit = exit;
    for (const name of SIGNALS) source.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Calls back at the first signal, before it takes effect. */
  onFirst(callback: () => void): void {
    this.#onFirst = callback;
  }

  readonly #onSignal = (): void => {
    if (this.signal.aborted) {
      this.#exit();
      return;
    }
    this.#onFirst();
    this.#controller.abort();
  };

  [Symbol.dispose](): void {
    for (const name of SIGNALS) this.#source.off(name, this.#onSignal);
  }
}
