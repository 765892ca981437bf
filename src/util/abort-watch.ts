interface Watched {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Hears of aborted signals, with one listener on each signal however many calls share it: a dozen
 * listeners of ours on a service's one shutdown signal would have Node warn of a leak.
 */
export class AbortWatch {
  readonly #watched = new Map<AbortSignal, Watched>();

  /** @returns what ends the watch; to be called once. */
  add(signal: AbortSignal, callback: () => void): () => void {
    const { callbacks, listener } = this.#watched.get(signal) ?? this.#listen(signal);
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size > 0) return;
      this.#watched.delete(signal);
      signal.removeEventListener('abort', listener);
    };
  }

  #listen(signal: AbortSignal): Watched {
    const callbacks = new Set<() => void>();
    const listener = (): void => {
      for (const callback of [...callbacks]) callback();
    };
    const watched = { callbacks, listener };
    this.#watched.set(signal, watched);
    signal.addEventListener('abort', listener);
    return watched;
  }
}
